"""Counting in the tracks of one camera. Pure: the same tracks give the same counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from surveil.crossings import Crossings
from surveil.features.counting.settings import CountingSettings
from surveil.geometry import Line, inside
from surveil.movement import Visit, Visits
from surveil.types import Point, Polygon, Track

LONGEST_STEP_S = 2.0
"""Time without a frame beyond this is not counted as watched."""
GRID = (64, 36)
"""Columns and rows of the map of where objects are."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """Somebody crossed a line."""

    line: str
    direction: str
    label: str


@dataclass(frozen=True, slots=True)
class Stay:
    """Somebody was in a zone and has left it."""

    zone: str
    label: str
    dwell_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What one frame adds."""

    seconds: float = 0.0
    """Time since the frame before."""
    crossings: tuple[Crossing, ...] = ()
    stays: tuple[Stay, ...] = ()
    occupancy: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(zone, class) → how many are there now."""
    cells: tuple[tuple[int, int], ...] = ()
    """Column and row of `GRID` of each object."""


class CameraCounts:
    """Counts at one camera. Owned by the stage that has its tracks.

    Raises KeyError for a line or zone that there is not.
    """

    def __init__(
        self, settings: CountingSettings, zones: Mapping[str, Polygon], lines: Mapping[str, Line]
    ) -> None:
        self._settings = settings
        self._zones = {name: zones[name] for name in _chosen(settings.zones, zones)}
        self._crossings = {name: Crossings(lines[name]) for name in _chosen(settings.lines, lines)}
        self._visits = {
            (zone, label): Visits(settings.patience_s) for zone in self._zones for label in settings.classes
        }
        self._t: float | None = None

    @property
    def zones(self) -> list[tuple[str, str]]:
        """What is counted in zones: zone and class."""
        return list(self._visits)

    def lines(self, size: tuple[int, int]) -> list[Crossing]:
        """Return every crossing that may be counted in a frame of `size` px: line, direction, class."""
        return [
            Crossing(line, way, label)
            for line, crossings in self._crossings.items()
            for way in crossings.ways(size)
            for label in self._settings.classes
        ]

    def update(self, tracks: Sequence[Track], size: tuple[int, int], t: float) -> Counts:
        """Take the tracks of a frame of `size` (width, height) px at stream time `t` (s)."""
        step = 0.0 if self._t is None else max(t - self._t, 0.0)
        self._t = t
        if step > LONGEST_STEP_S:
            self._resume(t)
        points = [(track, self._point(track)) for track in tracks if track.label in self._settings.classes]
        occupancy, stays = self._in_zones(points, size, t)
        crossings, cells = self._over_lines(points, size, t), _cells(points, size)
        return Counts(
            seconds=min(step, LONGEST_STEP_S),
            crossings=crossings,
            stays=stays,
            occupancy=occupancy,
            cells=cells,
        )

    def finish(self) -> Counts:
        """End every stay: the camera is lost, or the program ends."""
        ended = [
            stay
            for (zone, label), visits in self._visits.items()
            for stay in self._stays(zone, label, visits.clear())
        ]
        crossed = [
            Crossing(line, direction, track.label)
            for line, crossings in self._crossings.items()
            for track, direction in crossings.clear()
        ]
        self._t = None
        return Counts(crossings=tuple(crossed), stays=tuple(ended), occupancy=dict.fromkeys(self._visits, 0))

    def _resume(self, t: float) -> None:
        """Go on after a time without pictures."""
        for visits in self._visits.values():
            visits.resume(t)
        for crossings in self._crossings.values():
            crossings.resume(t)

    def _over_lines(
        self, points: list[tuple[Track, Point]], size: tuple[int, int], t: float
    ) -> tuple[Crossing, ...]:
        return tuple(
            Crossing(line, direction, track.label)
            for line, crossings in self._crossings.items()
            for track, direction in crossings.update(points, size, t)
        )

    def _in_zones(
        self, points: list[tuple[Track, Point]], size: tuple[int, int], t: float
    ) -> tuple[dict[tuple[str, str], int], tuple[Stay, ...]]:
        there: dict[tuple[str, str], list[Track]] = {key: [] for key in self._visits}
        for zone, polygon in self._zones.items():
            for track, (x, y) in points:
                if inside((x / size[0], min(y / size[1], 1.0)), polygon):
                    there[zone, track.label].append(track)
        followed = {
            label: [track for track, _ in points if track.label == label] for label in self._settings.classes
        }
        stays = [
            stay
            for key, visits in self._visits.items()
            for stay in self._stays(*key, visits.update(there[key], t, followed[key[1]]))
        ]
        return {key: len(tracks) for key, tracks in there.items()}, tuple(stays)

    def _stays(self, zone: str, label: str, visits: list[Visit]) -> list[Stay]:
        least = self._settings.min_dwell_s
        return [Stay(zone, label, visit.dwell_s) for visit in visits if visit.dwell_s >= least]

    def _point(self, track: Track) -> Point:
        x, foot = track.foot
        return (x, foot if self._settings.anchor == "foot" else (track.box[1] + track.box[3]) / 2)


def _chosen(names: Sequence[str] | None, known: Mapping[str, object]) -> Sequence[str]:
    return list(known) if names is None else names


def _cells(points: list[tuple[Track, Point]], size: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    columns, rows = GRID
    cells: Counter[tuple[int, int]] = Counter()
    for _, (x, y) in points:
        column = min(max(int(columns * x / size[0]), 0), columns - 1)
        cells[column, min(max(int(rows * y / size[1]), 0), rows - 1)] += 1
    return tuple(cells.elements())
