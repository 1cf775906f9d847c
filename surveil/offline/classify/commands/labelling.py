"""`surveil alerts label`: what an alert was becomes a picture to train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import cv2
import typer

from surveil.alerts import admin
from surveil.alerts.evidence import safe_name
from surveil.cli.common import DEFAULT_CONFIG, AsJson, ConfigPath, console, print_json, read_config
from surveil.config.problems import suggest
from surveil.errors import ConfigError, StateError
from surveil.features.classify.classifier import read_card
from surveil.features.classify.crops import wider
from surveil.features.classify.store import ClassifierStore
from surveil.offline.classify.collect import from_feedback
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
    picture = _picture(found, state_dir)
    labels = _labels(found, state_dir)
    if not options.new_class:
        _check_verdict(found, options.verdict, labels)
    shown = _class(found, options.verdict, labels)
    model = str(found.details.get("model", ""))
    folder = options.dataset or state_dir / "feedback" / (model or safe_name(found.rule))
    box = None if options.whole else _box(found, picture)
    item = from_feedback(folder, picture, shown, camera=found.camera, t_wall=found.t_wall, box=box)
    if options.json:
        print_json({"alert": found.id, "dataset": str(folder), "picture": item.path, "class": shown})
    else:
        console.print(f"{folder / item.path} is of class {shown}", soft_wrap=True)


def _start(listed: list[admin.Listed], prefix: str) -> Alert:
    """Return the start of the one event that is meant. Raises StateError."""
    starts = [one.alert for one in listed if one.alert.phase == "start"]
    events = {one.alert.event_id for one in listed}
    if not starts:
        raise StateError(f"no alert begins with {prefix}, or its start is no longer there")
    if len(events) > 1:
        raise StateError(f"{len(events)} events begin with {prefix}: give more of the id")
    return starts[0]


def _picture(alert: Alert, state_dir: Path) -> Path:
    kept = alert.evidence.get("clean", "")
    if not kept or kept.startswith("missing:"):
        why = kept or "none was stored: evidence.clean is off"
        raise StateError(f"alert {alert.id[:8]} has no picture without drawings ({why})")
    return state_dir / kept


def _labels(alert: Alert, state_dir: Path) -> tuple[str, ...]:
    """Return the classes of the classifier that an alert is of; none where there is none any more."""
    if alert.type != "classified":
        return ()
    path = ClassifierStore(state_dir, str(alert.details.get("model", ""))).path()
    return () if path is None else tuple(read_card(path).labels)


def _check_verdict(alert: Alert, verdict: str, labels: Sequence[str]) -> None:
    """Refuse what is no verdict. Raises ConfigError with what may be meant."""
    known = ["true", "false", *labels, *([alert.label] if alert.type == "classified" else [])]
    if verdict in known:
        return
    # Of a classifier that is gone the classes are not known: only a slip is refused.
    is_unsure = alert.type == "classified" and not labels
    if not is_unsure or get_close_matches(verdict.lower(), known, n=1):
        raise ConfigError(
            [
                f"'{verdict}' is not a label for this alert{suggest(verdict, known)}; --new-class accepts a new class"
            ]
        )


def _class(alert: Alert, verdict: str, labels: Sequence[str]) -> str:
    """Return the class that a verdict means. Raises ConfigError when `false` could mean several."""
    if alert.type != "classified" or verdict not in ("true", "false"):
        return verdict
    if verdict == "true":
        return alert.label
    others = [name for name in labels if name != alert.label]
    if len(others) == 1:
        return others[0]
    choice = ", ".join(others) or "the classifier is no longer deployed"
    raise ConfigError([f"it is not {alert.label!r}: give its class instead of `false` ({choice})"])


def _box(alert: Alert, picture: Path) -> tuple[int, int, int, int] | None:
    """Return what the alert is about, px: with a classifier's alert just what it looked at, else a little more."""
    if alert.box is None:
        return None
    box = alert.box
    if alert.type != "classified":
        image = cv2.imread(str(picture))
        box = box if image is None else wider(box, (image.shape[1], image.shape[0]))
    return int(box[0]), int(box[1]), round(box[2]), round(box[3])
