"""How long each object has been in a place, although ids break."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from surveil.types import Box, Track

REACH = 1.0
"""A new track this near (in heights of its box) to where one vanished goes on with its visit."""


BREAK_S = 1.5
"""Within this a broken id is mended; later it is the next one who comes through the same door."""


@dataclass(slots=True)
class Visit:
    """One object's stay in one place."""

    track: int
    label: str
    since: float
    """Stream time of its first moment there, s."""
    last: float
    box: Box

    @property
    def dwell_s(self) -> float:
        """Seconds from the first moment to the last."""
        return self.last - self.since


class Visits:
    """The stays in one place. An absence of `patience_s` ends a stay; a shorter one, or a new id, does not."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._by_track: dict[int, Visit] = {}

    def update(self, there: Iterable[Track], t: float) -> list[Visit]:
        """Take who is there now (stream time `t`, s); return the visits that have ended."""
        tracks = list(there)
        present = {track.id for track in tracks}
        for track in tracks:
            visit = self._by_track.get(track.id) or self._adopt(track, present, t)
            visit.last, visit.box, visit.label = t, track.box, track.label
        ended = [visit for visit in self._by_track.values() if t - visit.last > self._patience_s]
        for visit in ended:
            del self._by_track[visit.track]
        return ended

    def of(self, track: int) -> Visit:
        """The visit of a track that is there; raises KeyError for one that is not."""
        return self._by_track[track]

    def count(self, t: float) -> int:
        """How many are there at `t`, the time of the last update."""
        return sum(visit.last == t for visit in self._by_track.values())

    def clear(self) -> list[Visit]:
        """End every visit and return them."""
        visits, self._by_track = list(self._by_track.values()), {}
        return visits

    def _adopt(self, track: Track, present: set[int], t: float) -> Visit:
        """Start a visit, or go on with that of an object of the class that vanished nearby."""
        recent = (v for v in self._by_track.values() if t - v.last <= BREAK_S)
        away = [v for v in recent if v.track not in present and v.label == track.label]
        nearest = min(away, key=lambda visit: _apart(visit.box, track.box), default=None)
        if nearest is None or _apart(nearest.box, track.box) > REACH:
            visit = Visit(track.id, track.label, t, t, track.box)
        else:
            visit = self._by_track.pop(nearest.track)
            visit.track = track.id
        self._by_track[track.id] = visit
        return visit


def _apart(a: Box, b: Box) -> float:
    """Distance of the feet of two boxes, in heights of the taller one."""
    across = (a[0] + a[2] - b[0] - b[2]) / 2
    return math.hypot(across, a[3] - b[3]) / max(a[3] - a[1], b[3] - b[1], 1.0)
