"""Counts added up by hour: what `store` keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Literal

import numpy as np

from surveil.features.counting.live import GRID, Counts
from surveil.features.counting.times import HOUR_S, day_of, hour_of
from surveil.types import Floats

Kind = Literal["crossing", "stay", "occupancy", "watched"]


@dataclass(frozen=True, slots=True)
class Key:
    """What a sum is about."""

    camera: str
    hour: int
    """Unix time at which the hour begins, s."""
    kind: Kind
    place: str = ""
    """Line or zone."""
    direction: str = ""
    label: str = ""


@dataclass(slots=True)
class Sum:
    """One hour of one thing."""

    n: int = 0
    """Crossings; stays that ended."""
    seconds: float = 0.0
    """Dwell times together; object-seconds of occupancy; seconds watched."""
    peak: float = 0.0
    """Longest dwell, s; most objects at once."""

    def add(self, n: int, seconds: float, peak: float) -> None:
        """Add what happened."""
        self.n += n
        self.seconds += seconds
        self.peak = max(self.peak, peak)


@dataclass(slots=True, kw_only=True)
class Rollup:
    """Sums that are not stored yet, and maps by camera and day. Owned by one thread.

    Hours and days are those of the clock on the wall in `zone` (None: of this machine).
    """

    zone: tzinfo | None = None
    sums: dict[Key, Sum] = field(default_factory=dict)
    maps: dict[tuple[str, int], Floats] = field(default_factory=dict)
    """(camera, Unix time of midnight) → object-seconds, float32 (rows, columns)."""
    _hour: int = 0
    _day: int = 0

    def add(self, camera: str, counts: Counts, t_wall: float, *, heatmap: bool = True) -> None:
        """Add what a frame at Unix time `t_wall` brought."""
        if not self._hour <= t_wall < self._hour + HOUR_S:
            self._hour, self._day = hour_of(t_wall, self.zone), day_of(t_wall, self.zone)
        for key, (n, seconds, peak) in _parts(camera, self._hour, counts):
            self.sums.setdefault(key, Sum()).add(n, seconds, peak)
        if heatmap and counts.cells:
            grid = self.maps.setdefault((camera, self._day), np.zeros(GRID[::-1], np.float32))
            for column, row in counts.cells:
                grid[row, column] += counts.seconds

    def merge(self, other: Rollup) -> None:
        """Take back what could not be stored."""
        for key, one in other.sums.items():
            self.sums.setdefault(key, Sum()).add(one.n, one.seconds, one.peak)
        for day, cells in other.maps.items():
            self.maps[day] = self.maps[day] + cells if day in self.maps else cells

    def take(self) -> Rollup:
        """Return what was added since the last time, and begin again."""
        taken = Rollup(zone=self.zone, sums=self.sums, maps=self.maps)
        self.sums, self.maps = {}, {}
        return taken


def _parts(camera: str, hour: int, counts: Counts) -> Iterator[tuple[Key, tuple[int, float, float]]]:
    yield Key(camera=camera, hour=hour, kind="watched"), (0, counts.seconds, 0.0)
    for crossing in counts.crossings:
        key = Key(
            camera=camera,
            hour=hour,
            kind="crossing",
            place=crossing.line,
            direction=crossing.direction,
            label=crossing.label,
        )
        yield key, (1, 0.0, 0.0)
    for stay in counts.stays:
        yield (
            Key(camera=camera, hour=hour, kind="stay", place=stay.zone, direction="", label=stay.label),
            (1, stay.dwell_s, stay.dwell_s),
        )
    yield from _occupancy(camera, hour, counts.occupancy, counts.seconds)


def _occupancy(
    camera: str, hour: int, occupancy: Mapping[tuple[str, str], int], seconds: float
) -> Iterator[tuple[Key, tuple[int, float, float]]]:
    for (zone, label), n in occupancy.items():
        yield (
            Key(camera=camera, hour=hour, kind="occupancy", place=zone, direction="", label=label),
            (0, n * seconds, float(n)),
        )
