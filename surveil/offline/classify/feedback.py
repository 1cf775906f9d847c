"""Converts a verdict on an alert into a picture to train on."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import cv2

from surveil.alerts.evidence import safe_name
from surveil.errors import ConfigError, StateError
from surveil.features.classify.classifier import read_card
from surveil.features.classify.crops import wider
from surveil.features.classify.store import FEEDBACK, ClassifierStore
from surveil.offline.classify.collect import from_feedback, without_feedback
from surveil.offline.classify.dataset import Item
from surveil.types import Alert


def add_feedback(
    alert: Alert,
    verdict: str,
    state_dir: Path,
    *,
    folder: Path | None = None,
    whole: bool = False,
) -> tuple[Path, Item]:
    """Add the picture of an alert to a data set, the rule's own by default; return the data set and the picture.

    `verdict`: `true`, `false` or a class, see `known_instead`. Raises ConfigError where `false` could mean several
    classes, and StateError where there is no picture.
    """
    picture = clean_picture(alert, state_dir)
    labels = _labels(alert, state_dir)
    shown = _class(alert, verdict, labels)
    target = folder or _own_folder(alert, state_dir)
    box = None if whole else about(alert, picture)
    return target, from_feedback(target, picture, shown, camera=alert.camera, t_wall=alert.t_wall, box=box)


def take_back(alert: Alert, state_dir: Path) -> None:
    """Take the picture of an alert out of the rule's own data set. Raises StateError where there is no picture."""
    picture = clean_picture(alert, state_dir)
    without_feedback(_own_folder(alert, state_dir), picture, about(alert, picture))


def _own_folder(alert: Alert, state_dir: Path) -> Path:
    return feedback_folder(state_dir) / (str(alert.details.get("model", "")) or safe_name(alert.rule))


def feedback_folder(state_dir: Path) -> Path:
    """Return where the data sets are that verdicts fill, one for each rule or classifier."""
    return state_dir / FEEDBACK


def clean_picture(alert: Alert, state_dir: Path) -> Path:
    """Return the file of the picture without drawings. Raises StateError where none was kept."""
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


def known_instead(alert: Alert, verdict: str, state_dir: Path) -> tuple[str, ...]:
    """Return the verdicts that are known where this one is none; empty where it will do."""
    labels = _labels(alert, state_dir)
    known = ("true", "false", *labels, *([alert.label] if alert.type == "classified" else []))
    # Of a classifier that is gone the classes are not known: only a slip is refused.
    is_unsure = alert.type == "classified" and not labels
    is_slip = bool(get_close_matches(verdict.lower(), known, n=1))
    return () if verdict in known or (is_unsure and not is_slip) else known


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


def about(alert: Alert, picture: Path) -> tuple[int, int, int, int] | None:
    """Return what the alert is about, px: with a classifier's alert just what it looked at, else a little more."""
    if alert.box is None:
        return None
    box = alert.box
    if alert.type != "classified":
        image = cv2.imread(str(picture))
        box = box if image is None else wider(box, (image.shape[1], image.shape[0]))
    return int(box[0]), int(box[1]), round(box[2]), round(box[3])
