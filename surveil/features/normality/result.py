"""The result of the run-time object for one frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from surveil.types import Box, Finding, Floats


class NormalityState(StrEnum):
    """What a camera's normality is doing: a closed set, because it is a metric label."""

    OFF = "off"
    LEARNING = "learning"
    PROVISIONAL = "provisional"
    """Alerting at the budget by extrapolation; the footage does not support it yet."""
    READY = "ready"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class NormalityStatus:
    """A state and why."""

    state: NormalityState
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a frame is unusual: place, attribute, words."""

    attribute: str
    words: str
    """Such as “4.1 × the usual speed here; once in 9 days”."""
    box: Box
    """px of the frame."""
    heat: Floats
    """Scores of the attribute per cell (rows, columns), standard deviations, 0 where it means nothing;
    (0, 0) for objects."""
    once_in_s: float
    """Seconds between such events in normal footage; infinite when there was nothing like it."""
    example: bytes | None
    """JPEG of the most that was usual near there."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """`measured`, `usual` and its `deviation` in the attribute's units; none for objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalityResult(Finding):
    """How usual one frame is. Scores are surprise: decades of tail probability, fused and smoothed."""

    t: float
    status: NormalityStatus
    score: float = 0.0
    """Smoothed surprise; held from the frame before when this one brought no new pair."""
    sustained: float = 0.0
    """What the score has not fallen below for a second."""
    threshold: float = float("inf")
    surprise: Mapping[str, float] = field(default_factory=dict)
    """−log10 tail probability by attribute, unsmoothed."""
    over: bool = False
    """The sustained score has reached the threshold."""
    alarm: bool = False
    """`over`, with a valid model, and not in shadow."""
    model: str = ""
    """Version and the first part of the hash."""
    sha256: str = ""
    """Of the model's content, hex."""
    explanation: Explanation | None = None
    """Only when `over`, or when asked for."""
    fresh: bool = True
    """Whether this frame was scored itself."""


def nothing(t: float, status: NormalityStatus) -> NormalityResult:
    """Return the result of a camera that has no model in use."""
    return NormalityResult(t=t, status=status)


OFF = NormalityStatus(NormalityState.OFF)
EMPTY: Floats = np.zeros((0, 0), np.float32)
"""No heat: what is unusual is an object, not a place."""
EMPTY.setflags(write=False)
