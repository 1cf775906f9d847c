"""The time of day as a context: how much usually moves at this hour, in this part of the picture.

Somebody at the door is usual at noon and not at three in the morning. Seconds with movement and seconds watched are
summed per hour of the day and part of the picture: additive, so that days merge and fade like everything else, and
312 numbers however long the footage. An hour says nothing before it has been watched for some days: with one day of
footage there is no such thing as an unusual hour.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from surveil.features.normality.features import Features
from surveil.types import BoolMap
from surveil.wording import Said, say

HOUR = "hour"
"""Name of the attribute."""
ROWS, COLUMNS = 3, 4
"""Parts of the picture."""
HOURS = 24
KNOWN_S = 3 * 3600.0
"""Footage of one hour of the day before it has a say: three days of it."""
PSEUDO_S = 600.0
"""Seconds of the whole day's rate that are mixed in: a single quiet hour is no proof."""
NEIGHBOURS = 0.5
"""Weight of the hours before and after: people are not punctual."""

Seconds = NDArray[np.float64]


def hour_of(t_wall: float) -> int:
    """Return the local hour of the day, 0 to 23, at `t_wall` (Unix s)."""
    return datetime.fromtimestamp(t_wall, UTC).astimezone().hour


def parts(moving: BoolMap) -> BoolMap:
    """Return which parts of the picture (ROWS, COLUMNS) have a moving cell, of a map (rows, columns)."""
    found = np.zeros((ROWS, COLUMNS), np.bool_)
    rows, columns = np.nonzero(moving)
    found[rows * ROWS // moving.shape[0], columns * COLUMNS // moving.shape[1]] = True
    return found


@dataclass(slots=True)
class HourSums:
    """Owned by one learner; `scaled(1)` before sharing."""

    watched: Seconds = field(default_factory=lambda: np.zeros(HOURS))
    """Seconds of footage (HOURS,)."""
    moving: Seconds = field(default_factory=lambda: np.zeros((HOURS, ROWS, COLUMNS)))
    """Of these, seconds in which something moved there."""

    def add(self, features: Features, hour: int, dt: float) -> None:
        """Add one frame that stands for `dt` seconds."""
        self.watched[hour] += dt
        if features.moving is not None:
            self.moving[hour][parts(features.moving)] += dt

    def add_scaled(self, other: HourSums, factor: float = 1.0) -> None:
        """Add another's sums times `factor`."""
        self.watched += factor * other.watched
        self.moving += factor * other.moving

    def scaled(self, factor: float) -> HourSums:
        """Return a copy times `factor`."""
        return HourSums(self.watched * factor, self.moving * factor)


@dataclass(frozen=True, slots=True)
class HourFinding:
    """The least usual part of the picture in which something moves at this hour."""

    raw: float
    """Decades of how seldom something moves there then."""
    part: tuple[int, int] | None
    words: str


NOTHING = HourFinding(0.0, None, "")


class HourScorer:
    """What is usual at which hour, applied to frames. Holds no state between frames."""

    def __init__(self, sums: HourSums) -> None:
        watched, moving = _neighbours(sums.watched), _neighbours(sums.moving)
        total = max(1.0, float(sums.watched.sum()))
        overall = (sums.moving.sum(axis=0) + 1.0) / (total + 1.0)
        share = (moving + PSEUDO_S * overall) / (watched + PSEUDO_S)[:, None, None]
        self._decades = -np.log10(np.clip(share, 1e-9, 1.0))
        self._known = sums.watched >= KNOWN_S
        """Hours of the day that have been watched on enough days."""

    def score(self, features: Features, hour: int) -> HourFinding:
        """Return how unusual it is that something moves where it does; raw 0 when nothing does, or nobody knows."""
        if not self._known[hour] or features.moving is None:
            return NOTHING
        decades = np.where(parts(features.moving), self._decades[hour], 0.0)
        row, column = divmod(int(decades.argmax()), COLUMNS)
        raw = float(decades[row, column])
        return HourFinding(raw, (row, column), _words(hour, raw))


def _words(hour: int, decades: float) -> Said:
    share = 10.0**-decades * 3600
    usual = say("{share:.0f} s an hour", share=share) if share >= 1 else say("next to nothing")
    return say(
        "movement between {hour} and {end} o'clock, when {usual} is usual there",
        hour=hour,
        end=(hour + 1) % HOURS,
        usual=usual,
    )


def _neighbours(sums: Seconds) -> Seconds:
    return np.asarray(sums + NEIGHBOURS * (np.roll(sums, 1, axis=0) + np.roll(sums, -1, axis=0)), np.float64)
