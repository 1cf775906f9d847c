"""Why a frame is not learned from: a closed set, because it is a metric label, and words for people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """What keeps a camera from learning."""

    ALARM = "alarm"
    """An event of another rule is open. (Its own alarms are not learned as usual either, but stay in the count.)"""
    LOST = "lost"
    PICTURE = "picture"
    """Frozen, covered, dark, … (picture health)."""
    MOVED = "moved"
    """The camera was turned (picture health): what was learned is of another view."""
    LIGHT = "light"
    """The whole picture changed at once: a switch, an infra-red filter."""
    DAMAGED = "damaged"
    HOURS = "hours"
    """The operator excludes this time of day."""


@dataclass(frozen=True, slots=True)
class LearningPause:
    """One reason, in words, and whether the frame means nothing at all."""

    reason: Reason
    words: str
    blind: bool = False
    """The picture no longer shows what the model knows: it is not judged either."""


LOST = LearningPause(Reason.LOST, "the camera is lost")
DAMAGED = LearningPause(Reason.DAMAGED, "the pictures are damaged")
LIGHT = LearningPause(Reason.LIGHT, "the whole picture changed at once")
HOURS = LearningPause(Reason.HOURS, "this hour is excluded")
