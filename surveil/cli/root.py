"""The commands, in the order in which somebody meets them: a table, so that each is imported when it is used."""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from surveil import __version__
from surveil.cli.lazy import Group, Line, add

COMMANDS: dict[str, Line | Group] = {
    "run": Line("operate:run", "Watch the cameras until a signal ends it."),
    "check": Line(
        "operate:check",
        "Check the configuration and the model; with --probe, cameras, sinks and this machine as well.",
    ),
    "replay": Line(
        "replay:replay",
        "Run recordings through a camera's configuration as fast as the machine allows.",
    ),
    "report": Line(
        "report:report",
        "Report who crossed lines and stayed in zones, from what the daemon has counted.",
    ),
    "demo": Line(
        "demo:demo",
        "Watch a drawn yard for a minute: RTSP camera, detector, rules, alerts, webhook and metrics, all real.",
    ),
    "collect": Line(
        "collect:collect",
        "Record what a learner needs from running cameras, or from recordings of one; goes on where it left off.",
    ),
    "evaluate": Line(
        "learn:evaluate_command",
        "Judge learned normality on labelled footage, or a classifier on labelled pictures, by the daemon's code.",
    ),
    "normality": Group(
        "What is usual in front of a camera: learn, evaluate, deploy, rollback, show.",
        {
            "learn": Line(
                "learn:learn",
                "Learn what is usual from normal footage, and put it into use; the running daemon picks it up.",
            ),
            "evaluate": Line(
                "learn:evaluate_camera", "Judge a new model beside the one in use on held-out footage."
            ),
            "deploy": Line("learn:deploy", "Put a model into use; the running daemon picks it up."),
            "rollback": Line("learn:rollback", "Put the model before into use again."),
            "show": Line(
                "learn:show_model",
                "Say what the model has seen and what it can vouch for, and how far a running daemon is.",
            ),
        },
    ),
    "dataset": Group(
        "Pictures to train a classifier on: collect them, look at them, correct their classes.",
        {
            "collect": Line("dataset:collect", "Add pictures to a data set."),
            "show": Line(
                "dataset:show",
                "Say what is in a data set: classes, cameras, days, origins, and what was left out and why.",
            ),
            "label": Line(
                "dataset:label_pictures",
                "Correct the class of pictures; the files stay where they are, the manifest says what they show.",
            ),
        },
    ),
    "train": Line(
        "train:train",
        "Learn to tell classes of pictures apart, test it on pictures held back, and write one ONNX file.",
    ),
    "bench": Line(
        "inspect:bench", "Measure what this machine can carry, each part beside the bare call it stands on."
    ),
    "schema": Line(
        "inspect:schema",
        "Print what a configuration may say, as a JSON Schema, a commented file or a page; or the metrics.",
    ),
    "models": Group(
        "The detection models: list, add, check. Your own classifiers: classifiers, deploy, rollback.",
        {
            "list": Line(
                "inspect:list_models",
                "List the models that can be named in the configuration, and the formats that can be added.",
            ),
            "add": Line(
                "inspect:add_model", "Warm a model up, recognise its format, and store it with its sha256."
            ),
            "check": Line(
                "inspect:check_models", "Check every model: its sha256, that it loads, runs and decodes."
            ),
            "classifiers": Line(
                "classifiers:classifiers", "List your own classifiers: what is in use, in the shadow, and only trained."
            ),
            "deploy": Line(
                "classifiers:deploy",
                "Put a trained classifier into use; the running daemon picks it up within seconds.",
            ),
            "rollback": Line(
                "classifiers:rollback",
                "Put the version before into use again; the running daemon picks it up within seconds.",
            ),
        },
    ),
    "alerts": Group(
        "The alerts on disk: list, show, retry, purge, check; and which rules may alert.",
        {
            "list": Line("alerts:list_alerts", "List alerts, the newest first, and how far each has come."),
            "show": Line("alerts:show", "Show alerts whole: pictures, states, attempts, last errors."),
            "retry": Line(
                "alerts:retry", "Make dead letters pending again; the running daemon delivers them."
            ),
            "purge": Line("alerts:purge", "Give up deliveries."),
            "check": Line("alerts:check", "Verify the database and its invariants."),
            "label": Line(
                "labelling:label",
                "Say whether an alert was right; its picture is added to a data set to train on.",
            ),
            "arm": Line("arming:arm", "Let rules alert again: all, or those chosen."),
            "disarm": Line(
                "arming:disarm",
                "Let rules not alert: all, or those chosen; for a while with --for, else until `arm`.",
            ),
            "armed": Line(
                "arming:armed", "Show which rules are armed, and which may alert now by their schedules."
            ),
        },
    ),
    "cameras": Group(
        "The cameras: accept a new view.",
        {
            "accept": Line(
                "cameras:accept",
                "Take what a camera shows now for its usual view: it was turned on purpose.",
            ),
        },
    ),
    "install": Line(
        "install:install", "Install the service: units, a user, /etc/surveil and a first configuration."
    ),
    "uninstall": Line("install:uninstall", "Stop the service and remove what `surveil install` wrote."),
}  # fmt: skip


class _Root(TyperGroup):
    """`surveil` itself, with the commands of the table."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        add(self, COMMANDS)


app = typer.Typer(
    cls=_Root,
    help="Watch cameras, and say so when something happens.\n\n"
    "Start with `surveil demo`. Then write your cameras into config.yaml, look at it with `surveil check`, "
    "try it on a recording with `surveil replay`, and let it run with `surveil run`.",
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
    """Watch cameras, and say so when something happens."""
