"""What objects do in places: who is still the same, who has crossed a line, who stays how long.

Track ids break: an object is hidden and comes back under a new one. What is counted is mended first, so
that neither a crossing nor a stay is lost or counted twice. Pure; times are stream times in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from surveil.geometry import Line, meet, signed_distance
from surveil.types import Box, Point, Track

REACH = 1.0
"""A new track this near (in heights of its box) to where one vanished is the same object."""
BREAK_S = 1.5
"""Within this a broken id is mended; later it is the next one who comes through the same door."""
SETTLED = 0.1
"""Distance from a line at which an object has settled, in heights of its box."""
FORGET_S = 10.0
"""A track that has not been seen for so long does not come back."""


@dataclass(slots=True)
class _Last:
    """Where an object was last seen."""

    track: int
    label: str
    box: Box
    t: float


@dataclass(slots=True)
class Identities:
    """Gives each track the number of the object that it is. Owned by whoever counts."""

    break_s: float = BREAK_S
    _last: dict[int, _Last] = field(default_factory=dict)
    """Object → where it was last."""
    _object: dict[int, int] = field(default_factory=dict)
    """Track → object; an object has one track at a time."""
    _count: int = 0

    def update(self, tracks: Sequence[Track], t: float) -> dict[int, int]:
        """Take the tracks of a frame; return track → object for each of them."""
        present = {track.id for track in tracks}
        for track in tracks:
            number = self._object.get(track.id)
            if number is None:
                number = self._object[track.id] = self._adopt(track, present, t)
            self._last[number] = _Last(track.id, track.label, track.box, t)
        self._forget(t)
        return {track.id: self._object[track.id] for track in tracks}

    def resume(self, t: float) -> None:
        """Go on at `t` after a time without pictures, which does not count as absence."""
        for last in self._last.values():
            last.t = t

    def clear(self) -> None:
        """Forget everybody."""
        self._last.clear()
        self._object.clear()

    def _adopt(self, track: Track, present: set[int], t: float) -> int:
        """The object that vanished where this track appears, or a new one."""
        away = {
            number: apart(last.box, track.box)
            for number, last in self._last.items()
            if last.track not in present and last.label == track.label and t - last.t <= self.break_s
        }
        nearest = min(away, key=lambda number: away[number], default=None)
        if nearest is None or away[nearest] > REACH:
            self._count += 1
            return self._count
        # Should the old track come back after all, it is somebody else: two must not be counted as one.
        self._object.pop(self._last[nearest].track, None)
        return nearest

    def _forget(self, t: float) -> None:
        for number in [number for number, last in self._last.items() if t - last.t > FORGET_S]:
            del self._last[number]
        self._object = {track: number for track, number in self._object.items() if number in self._last}


@dataclass(slots=True)
class Visit:
    """One object's stay in one place."""

    label: str
    since: float
    """Stream time of its first moment there, s."""
    last: float
    away_since: float
    """Since when it may have been away, s; later than `last` when there were no pictures meanwhile."""

    @property
    def dwell_s(self) -> float:
        """Seconds from the first moment to the last."""
        return self.last - self.since


class Visits:
    """The stays in one place. An absence of more than `patience_s` ends a stay."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._identities = Identities()
        self._objects: dict[int, int] = {}
        self._visits: dict[int, Visit] = {}

    def update(self, there: Iterable[Track], t: float, everybody: Sequence[Track] = ()) -> list[Visit]:
        """Take who is there now; return the visits that have ended.

        `everybody` who is followed, there or not: whoever has left and is still seen is not the one who comes in.
        """
        tracks = list(there)
        self._objects = self._identities.update(everybody or tracks, t)
        for track in tracks:
            visit = self._visits.setdefault(self._objects[track.id], Visit(track.label, t, t, t))
            visit.last, visit.away_since, visit.label = t, t, track.label
        over = [number for number, visit in self._visits.items() if t - visit.away_since > self._patience_s]
        return [self._visits.pop(number) for number in over]

    def of(self, track: int) -> Visit:
        """The visit of a track that was there at the last update; raises KeyError for one that was not."""
        return self._visits[self._objects[track]]

    def resume(self, t: float) -> None:
        """Go on at `t` after a time without pictures: it ends no stay."""
        self._identities.resume(t)
        for visit in self._visits.values():
            visit.away_since = t

    def clear(self) -> list[Visit]:
        """End every visit and return them."""
        visits, self._visits = list(self._visits.values()), {}
        self._identities.clear()
        return visits


@dataclass(slots=True)
class _Settled:
    """Where an object was when it was last clearly on one side."""

    side: bool
    at: Point
    t: float


class Crossings:
    """Who crosses a line. An object has crossed when it has settled on the other side.

    Settled is further from the line than a share of its own size: whoever stands on the line, walks along it
    or turns on it has not crossed.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._identities = Identities()
        self._settled: dict[int, _Settled] = {}

    def update(
        self, points: Sequence[tuple[Track, Point]], size: tuple[int, int], t: float
    ) -> list[tuple[Track, str]]:
        """Take tracks and their points (px) in a frame of `size` px; return who crossed, and which way."""
        line = _in_px(self._line, size)
        objects = self._identities.update([track for track, _ in points], t)
        crossed = []
        for track, point in points:
            if direction := self._follow(objects[track.id], track, point, line, t):
                crossed.append((track, direction))
        for gone in [number for number, settled in self._settled.items() if t - settled.t > FORGET_S]:
            del self._settled[gone]
        return crossed

    def ways(self, size: tuple[int, int]) -> tuple[str, str]:
        """Return the names of both directions in a frame of `size` px."""
        return ("left", "right") if _is_upright(_in_px(self._line, size)) else ("up", "down")

    def resume(self, t: float) -> None:
        """Go on at `t` after a time without pictures: who was on one side then has crossed if he is on the other."""
        self._identities.resume(t)
        for settled in self._settled.values():
            settled.t = t

    def clear(self) -> None:
        """Forget who was where."""
        self._settled.clear()
        self._identities.clear()

    def _follow(self, number: int, track: Track, here: Point, line: Line, t: float) -> str:
        """Note where the object is; return the direction in which it has crossed just now, or nothing."""
        away = signed_distance(line, here)
        before = self._settled.get(number)
        if abs(away) < SETTLED * (track.box[3] - track.box[1]):
            if before:
                before.t = t
            return ""
        self._settled[number] = _Settled(away > 0, here, t)
        if before is None or before.side == (away > 0) or not meet((before.at, here), line):
            return ""
        return _direction(line, before.at, here)


def apart(a: Box, b: Box) -> float:
    """Distance of the feet of two boxes, in heights of the taller one."""
    across = (a[0] + a[2] - b[0] - b[2]) / 2
    return math.hypot(across, a[3] - b[3]) / max(a[3] - a[1], b[3] - b[1], 1.0)


def _in_px(line: Line, size: tuple[int, int]) -> Line:
    (x1, y1), (x2, y2) = line
    return ((x1 * size[0], y1 * size[1]), (x2 * size[0], y2 * size[1]))


def _is_upright(line: Line) -> bool:
    (x1, y1), (x2, y2) = line
    return abs(y2 - y1) >= abs(x2 - x1)


def _direction(line: Line, start: Point, end: Point) -> str:
    """Name the way from one side of the line to the other, perpendicular to it, as it looks in the picture."""
    (x1, y1), (x2, y2) = line
    upright = _is_upright(line)
    normal = (y2 - y1, x1 - x2)
    if (normal[0] if upright else normal[1]) < 0:
        normal = (-normal[0], -normal[1])
    along = (end[0] - start[0]) * normal[0] + (end[1] - start[1]) * normal[1]
    if upright:
        return "right" if along > 0 else "left"
    return "down" if along > 0 else "up"
