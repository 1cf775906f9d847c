"""The commands in the order in which a user meets them: a table, so that each is imported when it is used."""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from surveil import __version__
from surveil.cli.lazy import CommandGroup, CommandLine, add, speak

COMMANDS: dict[str, CommandLine | CommandGroup] = {
    "run": CommandLine("run:run", "Run the daemon until it receives a signal."),
    "check": CommandLine(
        "check:check",
        "Check the configuration and the model; with --probe also cameras, sinks and this machine.",
    ),
    "replay": CommandLine(
        "replay:replay",
        "Test a camera's configuration on recordings, as fast as the machine allows.",
    ),
    "report": CommandLine(
        "surveil.features.counting.commands:report",
        "Report line crossings, occupancy and dwell times that the daemon has counted.",
    ),
    "demo": CommandLine(
        "demo:demo",
        "Run the daemon for a minute on a synthetic yard, with an RTSP server, a webhook and the console.",
    ),
    "collect": CommandLine(
        "surveil.offline.normality.commands.collect:collect",
        "Collect training data for learned normality from cameras or recordings. Resumable.",
    ),
    "evaluate": CommandLine(
        "evaluate:evaluate",
        "Evaluate rules on labelled recordings, learned normality on footage, or a classifier on pictures.",
    ),
    "normality": CommandGroup(
        "Manage learned-normality models.",
        {
            "learn": CommandLine(
                "surveil.offline.normality.commands.models:learn",
                "Learn normal activity from footage and deploy the model.",
            ),
            "evaluate": CommandLine(
                "surveil.offline.normality.commands.models:evaluate_camera",
                "Compare a new model with the deployed one on held-out footage."
            ),
            "deploy": CommandLine(
                "surveil.offline.normality.commands.models:deploy",
                "Deploy a model. A running daemon loads it within seconds.",
            ),
            "rollback": CommandLine(
                "surveil.offline.normality.commands.models:rollback",
                "Deploy the previous model again.",
            ),
            "show": CommandLine(
                "surveil.offline.normality.commands.models:show_model",
                "Show training footage, calibration and the daemon's learning progress.",
            ),
        },
    ),
    "dataset": CommandGroup(
        "Manage data sets of pictures for training a classifier.",
        {
            "collect": CommandLine(
                "surveil.offline.classify.commands.collecting:collect",
                "Add pictures to a data set.",
            ),
            "show": CommandLine(
                "surveil.offline.classify.commands.dataset:show",
                "Show the classes, cameras, days and origins of a data set, and what was left out.",
            ),
            "label": CommandLine(
                "surveil.offline.classify.commands.dataset:label_pictures",
                "Correct the class of pictures. The files stay where they are.",
            ),
        },
    ),
    "train": CommandLine(
        "surveil.offline.classify.commands.train:train",
        "Train a classifier, test it on held-out pictures and write one ONNX file.",
    ),
    "bench": CommandLine(
        "inspect:bench", "Benchmark this machine: the cost of each pipeline stage next to the library call it wraps."
    ),
    "schema": CommandLine(
        "inspect:schema",
        "Print the reference of settings (JSON Schema, commented file or page) or of metrics.",
    ),
    "models": CommandGroup(
        "Manage detection models and your own classifiers.",
        {
            "list": CommandLine(
                "inspect:list_models",
                "List the models that a configuration can name, and the formats that can be added.",
            ),
            "add": CommandLine(
                "add_model:add_model",
                "Add a detection model: recognise its format, run it and store it with its SHA-256."
            ),
            "check": CommandLine(
                "inspect:check_models", "Check every model: SHA-256, loading, a run, decoding."
            ),
            "classifiers": CommandLine(
                "surveil.features.classify.commands:classifiers",
                "List your own classifiers: deployed, in shadow mode, trained only."
            ),
            "deploy": CommandLine(
                "surveil.features.classify.commands:deploy",
                "Deploy a trained classifier. A running daemon loads it within seconds.",
            ),
            "rollback": CommandLine(
                "surveil.features.classify.commands:rollback",
                "Deploy the previous version again. A running daemon loads it within seconds.",
            ),
        },
    ),
    "alerts": CommandGroup(
        "Manage alerts and their delivery; arm and disarm rules.",
        {
            "list": CommandLine(
                "alerts:list_alerts",
                "List alerts, newest first, with the state of each delivery.",
            ),
            "show": CommandLine(
                "alerts:show",
                "Show alerts in full: evidence, deliveries, attempts, last errors.",
            ),
            "retry": CommandLine(
                "alerts:retry", "Retry dead letters: make them pending again."
            ),
            "purge": CommandLine("alerts:purge", "Give up pending deliveries: make them dead letters."),
            "check": CommandLine("alerts:check", "Verify the database and its invariants."),
            "label": CommandLine(
                "surveil.offline.classify.commands.labelling:label",
                "Label an alert as true or false; its picture is added to a data set.",
            ),
            "arm": CommandLine("arming:arm", "Enable alerting for all or selected rules."),
            "disarm": CommandLine(
                "arming:disarm",
                "Disable alerting for all or selected rules, until re-armed or for a given time.",
            ),
            "armed": CommandLine(
                "arming:armed", "Show which rules are armed and which are within their schedule."
            ),
        },
    ),
    "cameras": CommandGroup(
        "Find and manage cameras.",
        {
            "discover": CommandLine(
                "discover:discover",
                "Find cameras on the network by ONVIF and print their entries for config.yaml.",
            ),
            "accept": CommandLine(
                "surveil.features.health.commands:accept",
                "Accept the current view as the new reference after moving a camera on purpose.",
            ),
            "snapshot": CommandLine(
                "snapshot:take",
                "Take a picture of a camera and draw its zones, lines, masks and a grid of tenths.",
            ),
        },
    ),
    "config": CommandGroup(
        "Manage the configuration file.",
        {
            "adopt": CommandLine(
                "adopt:adopt",
                "Move the settings of the console into the configuration file. Comments are kept.",
            ),
        },
    ),
    "fleet": CommandGroup(
        "Share the cameras among several machines.",
        {
            "start": CommandLine(
                "fleet:start", "Run the head of a fleet: Ray, the coordinator, and this machine's agent."
            ),
            "join": CommandLine("fleet:join", "Run a node of a fleet: Ray and this machine's agent."),
            "status": CommandLine(
                "fleet:status",
                "Show the cameras with their nodes and epochs, and the alerts that wait on each node.",
            ),
            "move": CommandLine("fleet:move", "Move a camera to a node, for as long as that node can watch it."),
            "drain": CommandLine("fleet:drain", "Take all cameras from a node, for example before maintenance."),
            "rebalance": CommandLine("fleet:rebalance", "Forget all moves by hand and place the cameras again."),
            "check": CommandLine(
                "fleet:check",
                "Check what a node of a fleet needs: Ray, addresses, token, store, and the daemon's control socket."
            ),
        },
    ),
    "users": CommandGroup(
        "Manage users of the console and their tokens.",
        {
            "add": CommandLine("users:add", "Add a user, or change a user's password, role and cameras."),
            "list": CommandLine("users:list_users", "List users with their roles, cameras and tokens."),
            "remove": CommandLine("users:remove", "Remove a user with all sessions and tokens."),
            "token": CommandLine("users:token", "Make a token for a program that uses the API."),
        },
    ),
    "recordings": CommandLine("recordings:recordings", "List recordings, and gaps with their reasons."),
    "export": CommandLine("recordings:export_video", "Export a camera's recording as MP4, without re-encoding."),
    "verify": CommandLine(
        "recordings:verify_bundle",
        "Verify that a bundle is unchanged: the SHA-256 of each file, the signature, and the key that signed it.",
    ),
    "why": CommandLine("why:why", "Explain why a camera did or did not alert at a time."),
    "privacy": CommandLine(
        "privacy:privacy", "Print a data-protection sheet of the configuration, for you to complete."
    ),
    "backup": CommandLine("backup:backup", "Back up alerts, counts and models while the daemon runs."),
    "restore": CommandLine(
        "backup:restore", "Restore a backup into the state directory. Stop the daemon first."
    ),
    "install": CommandLine(
        "install:install", "Install the systemd service: units, a user, /etc/surveil and a first configuration."
    ),
    "uninstall": CommandLine(
        "install:uninstall",
        "Stop the service and remove what `surveil install` wrote. Configuration and alerts stay."),
}  # fmt: skip


class _Root(TyperGroup):
    """`surveil` itself, with the commands of the table."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        add(self, COMMANDS)

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Return the context, with the help in the language of the terminal."""
        # Here, since Typer adds options of completion to a group that has been made.
        speak(self)
        return super().make_context(*args, **kwargs)


app = typer.Typer(
    cls=_Root,
    help="Detect events on IP cameras and send alerts.\n\n"
    "Start with `surveil demo`. Then write your cameras into config.yaml, check it with `surveil check --probe`, "
    "test it on a recording with `surveil replay`, and start the daemon with `surveil run`.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _version(value: bool) -> None:
    if value:
        sys.stdout.write(f"surveil {__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Detect events on IP cameras and send alerts."""
