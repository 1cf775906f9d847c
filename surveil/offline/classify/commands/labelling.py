"""`surveil alerts label`: the verdict on an alert becomes a picture to train on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from surveil.alerts import admin
from surveil.cli.common import DEFAULT_CONFIG, AsJson, ConfigPath, console, print_json, read_config
from surveil.config.problems import suggest
from surveil.errors import ConfigError, StateError
from surveil.offline.classify.feedback import add_feedback, known_instead
from surveil.types import Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelOptions:
    """Which alert was what, and where its picture goes."""

    alert: str
    """Its id or event, or the first characters."""
    verdict: str
    config: Path
    dataset: Path | None
    """None: the rule's own in the state directory."""
    whole: bool
    """The whole picture, not only the alert's crop."""
    new_class: bool
    """A class that the classifier does not have is meant."""
    json: bool


def label(
    alert: Annotated[str, typer.Argument(help="Id of an alert or event, or its first characters.")],
    verdict: Annotated[str, typer.Argument(help="`true`, `false`, or the actual class.")],
    config: ConfigPath = DEFAULT_CONFIG,
    dataset: Annotated[
        Path | None,
        typer.Option(help="Data set to add the picture to; default: the rule's own in the state directory."),
    ] = None,
    *,
    whole: Annotated[
        bool, typer.Option("--whole", help="Store the whole picture instead of the alert's crop.")
    ] = False,
    new_class: Annotated[
        bool, typer.Option("--new-class", help="Accept a class that the classifier does not have.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Label an alert as true or false; its picture is added to a data set.

    For an alert of your own classifier, `true` is the class it gave and `false` the other one; with more than
    two classes, name the class. For other alerts the classes are `true` and `false`. Other words need
    --new-class.

    Example: `surveil alerts label 3f2a false`
    """
    run(
        LabelOptions(
            alert=alert, verdict=verdict, config=config, dataset=dataset, whole=whole, new_class=new_class, json=json
        )
    )  # fmt: skip


def run(options: LabelOptions) -> None:
    """Store the picture, and show where and as what."""
    state_dir = read_config(options.config).state_dir
    found = _start(admin.show(state_dir / "surveil.db", options.alert), options.alert)
    known = () if options.new_class else known_instead(found, options.verdict, state_dir)
    if known:
        meant = suggest(options.verdict, known)
        raise ConfigError(
            [f"'{options.verdict}' is not a label for this alert{meant}; --new-class accepts a new class"]
        )
    folder, item = add_feedback(
        found, options.verdict, state_dir, folder=options.dataset, whole=options.whole
    )
    if options.json:
        print_json({"alert": found.id, "dataset": str(folder), "picture": item.path, "class": item.label})
    else:
        console.print(f"{folder / item.path} is of class {item.label}", soft_wrap=True)


def _start(listed: list[admin.Listed], prefix: str) -> Alert:
    """Return the start of the one event that is meant. Raises StateError."""
    starts = [one.alert for one in listed if one.alert.phase == "start"]
    events = {one.alert.event_id for one in listed}
    if not starts:
        raise StateError(f"no alert begins with {prefix}, or its start is no longer there")
    if len(events) > 1:
        raise StateError(f"{len(events)} events begin with {prefix}: give more of the id")
    return starts[0]
