"""The commands, in the order in which somebody meets them: a table, so that each is imported when it is used."""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from surveil import __version__
from surveil.cli.lazy import Group, Line, add, speak

COMMANDS: dict[str, Line | Group] = {
    "run": Line("run:run", "Run the daemon until it receives a signal."),
    "check": Line(
        "check:check",
        "Check the configuration and the model; with --probe also cameras, sinks and this machine.",
    ),
    "replay": Line(
        "replay:replay",
        "Test a camera's configuration on recordings, as fast as the machine allows.",
    ),
    "report": Line(
        "surveil.features.counting.commands:report",
        "Report line crossings, occupancy and dwell times that the daemon has counted.",
    ),
    "demo": Line(
        "demo:demo",
        "Run the daemon for a minute on a synthetic yard, with an RTSP server, a webhook and the console.",
    ),
    "collect": Line(
        "surveil.offline.normality.commands.collect:collect",
        "Collect training data for learned normality from cameras or recordings. Resumable.",
    ),
    "evaluate": Line(
        "evaluate:evaluate",
        "Evaluate rules on labelled recordings, learned normality on footage, or a classifier on pictures.",
    ),
    "normality": Group(
        "Manage learned-normality models.",
        {
            "learn": Line(
                "surveil.offline.normality.commands.models:learn",
                "Learn normal activity from footage and deploy the model.",
            ),
            "evaluate": Line(
                "surveil.offline.normality.commands.models:evaluate_camera",
                "Compare a new model with the deployed one on held-out footage."
            ),
            "deploy": Line(
                "surveil.offline.normality.commands.models:deploy",
                "Deploy a model. A running daemon loads it within seconds.",
            ),
            "rollback": Line("surveil.offline.normality.commands.models:rollback", "Deploy the previous model again."),
            "show": Line(
                "surveil.offline.normality.commands.models:show_model",
                "Show training footage, calibration and the daemon's learning progress.",
            ),
        },
    ),
    "dataset": Group(
        "Manage data sets of pictures for training a classifier.",
        {
            "collect": Line("surveil.offline.classify.commands.collecting:collect", "Add pictures to a data set."),
            "show": Line(
                "surveil.offline.classify.commands.dataset:show",
                "Show the classes, cameras, days and origins of a data set, and what was left out.",
            ),
            "label": Line(
                "surveil.offline.classify.commands.dataset:label_pictures",
                "Correct the class of pictures. The files stay where they are.",
            ),
        },
    ),
    "train": Line(
        "surveil.offline.classify.commands.train:train",
        "Train a classifier, test it on held-out pictures and write one ONNX file.",
    ),
    "bench": Line(
        "inspect:bench", "Benchmark this machine: the cost of each pipeline stage next to the library call it wraps."
    ),
    "schema": Line(
        "inspect:schema",
        "Print the reference of settings (JSON Schema, commented file or page) or of metrics.",
    ),
    "models": Group(
        "Manage detection models and your own classifiers.",
        {
            "list": Line(
                "inspect:list_models",
                "List the models that a configuration can name, and the formats that can be added.",
            ),
            "add": Line(
                "add_model:add_model",
                "Add a detection model: recognise its format, run it and store it with its SHA-256."
            ),
            "check": Line(
                "inspect:check_models", "Check every model: SHA-256, loading, a run, decoding."
            ),
            "classifiers": Line(
                "surveil.features.classify.commands:classifiers",
                "List your own classifiers: deployed, in shadow mode, trained only."
            ),
            "deploy": Line(
                "surveil.features.classify.commands:deploy",
                "Deploy a trained classifier. A running daemon loads it within seconds.",
            ),
            "rollback": Line(
                "surveil.features.classify.commands:rollback",
                "Deploy the previous version again. A running daemon loads it within seconds.",
            ),
        },
    ),
    "alerts": Group(
        "Manage alerts and their delivery; arm and disarm rules.",
        {
            "list": Line("alerts:list_alerts", "List alerts, newest first, with the state of each delivery."),
            "show": Line("alerts:show", "Show alerts in full: evidence, deliveries, attempts, last errors."),
            "retry": Line(
                "alerts:retry", "Retry dead letters: make them pending again."
            ),
            "purge": Line("alerts:purge", "Give up pending deliveries: make them dead letters."),
            "check": Line("alerts:check", "Verify the database and its invariants."),
            "label": Line(
                "surveil.offline.classify.commands.labelling:label",
                "Label an alert as true or false; its picture is added to a data set.",
            ),
            "arm": Line("arming:arm", "Enable alerting for all or selected rules."),
            "disarm": Line(
                "arming:disarm",
                "Disable alerting for all or selected rules, until re-armed or for a given time.",
            ),
            "armed": Line(
                "arming:armed", "Show which rules are armed and which are within their schedule."
            ),
        },
    ),
    "cameras": Group(
        "Find and manage cameras.",
        {
            "discover": Line(
                "discover:discover",
                "Find cameras on the network by ONVIF and print their entries for config.yaml.",
            ),
            "accept": Line(
                "surveil.features.health.commands:accept",
                "Accept the current view as the new reference after moving a camera on purpose.",
            ),
            "snapshot": Line(
                "snapshot:take",
                "Take a picture of a camera and draw its zones, lines, masks and a grid of tenths.",
            ),
        },
    ),
    "config": Group(
        "Manage the configuration file.",
        {
            "adopt": Line(
                "adopt:adopt",
                "Move what was drawn in the console into the configuration file, comments kept.",
            ),
        },
    ),
    "users": Group(
        "Manage users of the console and their tokens.",
        {
            "add": Line("users:add", "Add a user, or change a user's password, role and cameras."),
            "list": Line("users:list_users", "List users with their roles, cameras and tokens."),
            "remove": Line("users:remove", "Remove a user with all sessions and tokens."),
            "token": Line("users:token", "Make a token for a program that uses the API."),
        },
    ),
    "recordings": Line("recordings:recordings", "List what is recorded, and what is missing with the reason."),
    "export": Line("recordings:export_video", "Export a camera's recording as MP4, without re-encoding."),
    "verify": Line(
        "recordings:verify_bundle",
        "Verify that a bundle is what was exported: SHA-256 of each file, the signature, and the key that signed.",
    ),
    "why": Line("why:why", "Explain why a camera did or did not alert at a time."),
    "privacy": Line("privacy:privacy", "Print a data-protection sheet of the configuration, to complete and file."),
    "backup": Line("backup:backup", "Back up alerts, counts and models while the daemon runs."),
    "restore": Line(
        "backup:restore", "Restore a backup into the state directory. Stop the daemon first."
    ),
    "install": Line(
        "install:install", "Install the systemd service: units, a user, /etc/surveil and a first configuration."
    ),
    "uninstall": Line(
        "install:uninstall",
        "Stop the service and remove what `surveil install` wrote. Configuration and alerts stay."),
}  # fmt: skip


class _Root(TyperGroup):
    """`surveil` itself, with the commands of the table."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        speak(self)
        add(self, COMMANDS)


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
