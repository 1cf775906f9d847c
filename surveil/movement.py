"""Movement of objects: joining broken tracks, stays in one place.

Track ids break: an object is hidden and comes back under a new one. What is counted is mended first, so
that neither a crossing nor a stay is lost or counted twice. Pure; times are stream times in seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from surveil.geometry import feet_apart, scaled_box
from surveil.types import Box, Track

REACH = 1.0
"""A new track this near (in heights of its box) to where one vanished is the same object."""
BREAK_S = 1.5
"""Within this a broken id is mended; later it is the next one who comes through the same door."""
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

    def rescale(self, x: float, y: float) -> None:
        """The picture is now `x` times as wide and `y` times as high."""
        for last in self._last.values():
            last.box = scaled_box(last.box, x, y)

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
            number: feet_apart(last.box, track.box)
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
