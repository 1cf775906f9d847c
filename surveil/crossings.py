"""Crossings of lines by objects. Pure; times are stream times in seconds."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from statistics import median

from surveil.geometry import (
    Line,
    direction_over,
    feet_apart,
    is_upright,
    meet,
    scaled,
    scaled_box,
    scaled_line,
    signed_distance,
)
from surveil.movement import BREAK_S, FORGET_S, REACH, Identities
from surveil.types import Box, Point, Track

SETTLED = 0.1
"""Distance from a line at which an object has settled, in heights of its box."""
SPANS_S = (1.0, 2.5, 6.0)
"""An object has settled when the looks of so many seconds say so: near the line it takes longer."""
LEAST_LOOKS = 2
"""One look alone says nothing."""
MOST_LOOKS, OUTLIERS = 64, 5
"""Looks that are remembered. One in so many may see it elsewhere: its legs were hidden."""
DOUBT = 5.6
"""The median of the looks must be so many standard errors beyond: 4.5 of a mean; once in days by chance."""
JITTER_WEIGHT, MOST_JITTER = 0.11, 0.15
"""Weight of one look in the running mean of the jitter; above this it is no jitter: the object turns round."""
FIRST_JITTER = 0.01
"""With this the mean begins: in a few looks, jitter looks like somebody who sets off or enters the picture."""
THIRD_DIFFERENCE = 3.568
"""Mean absolute third difference of independent normal values, in their standard deviations."""
STEADY_S = 0.4
"""Looks nearer to each other than this err together: boxes are filtered."""
SHRINK_S = 10.0
"""Time constant with which the usual height falls: nobody walks away faster, and legs are hidden for less."""


@dataclass(frozen=True, slots=True)
class _Look:
    """Where an object was in one frame: distances from the line in heights of the object, signed by the side."""

    t: float
    at: Point
    away: float
    """Of its point, as its box shows it."""
    extrapolated: float
    """Of where its point is, extrapolated from the top of the box by its usual height: legs may be hidden."""


@dataclass(slots=True, kw_only=True)
class _Walk:
    """What is known of one object and one line."""

    track: Track
    at: Point
    """Its last place on the side where it has settled."""
    t: float
    """Stream time at which it was last there, s; later when there were no pictures since."""
    side: float = 0.0
    """1 or -1: the side where it has settled; 0: none yet."""
    first_box: Box | None = None
    """Its box when only one look so far has seen it on its side."""
    height: float = 0.0
    """The height that it usually has, px: rises with its box at once and falls slowly."""
    jitter: float = FIRST_JITTER
    """Standard deviation of its distance from one look to the next, heights."""
    looks: deque[_Look] = field(default_factory=lambda: deque(maxlen=MOST_LOOKS))

    def rescale(self, x: float, y: float) -> None:
        """The picture is now `x` times as wide and `y` times as high."""
        self.track = replace(self.track, box=scaled_box(self.track.box, x, y))
        self.at, self.height = scaled(self.at, x, y), self.height * y
        self.first_box = self.first_box and scaled_box(self.first_box, x, y)
        self.looks = deque((replace(look, at=scaled(look.at, x, y)) for look in self.looks), MOST_LOOKS)


class Crossings:
    """Who crosses a line. An object has crossed when it has settled on the other side.

    Settled is for a second further from the line than a share of its own size and than its box jitters, by the foot
    of the box and as extrapolated from its top. Who stands on the line, walks along it, turns on it or is half hidden
    on it has not crossed. Who vanishes within that second has crossed when two looks or more saw him so far beyond.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._identities = Identities()
        self._walks: dict[int, _Walk] = {}
        self._size = (1, 1)
        """Of the last frame, px."""
        self.since: dict[int, float] = {}
        """Track → stream time (s) at which it was first clearly on the other side, of those who crossed last."""

    def update(
        self, points: Sequence[tuple[Track, Point]], size: tuple[int, int], t: float
    ) -> list[tuple[Track, str]]:
        """Take tracks and their points (px) in a frame of `size` px; return who crossed, and which way."""
        self._resize(size)
        line = scaled_line(self._line, *size)
        objects = self._identities.update([track for track, _ in points], t)
        ready = []
        for track, point in points:
            walk = self._walks.get(objects[track.id]) or self._begun(objects[track.id], track, point, t)
            walk.t = t
            # Where an object is that was not found just now is a guess: missed, overlooked or not looked for.
            if not (track.missed or track.guessed):
                _look(walk, track, point, line, t)
                ready.append((walk, _settled_for(walk)))
        crossed = self._crossed(
            ready + [(walk, _settled_in(walk, _beyond(walk))) for walk in self._vanished(t)]
        )
        for gone in [number for number, walk in self._walks.items() if t - walk.t > FORGET_S]:
            del self._walks[gone]
        return crossed

    def ways(self, size: tuple[int, int]) -> tuple[str, str]:
        """Return the names of both directions in a frame of `size` px."""
        return ("left", "right") if is_upright(scaled_line(self._line, *size)) else ("up", "down")

    def resume(self, t: float) -> None:
        """Go on at `t` after a time without pictures: who was on one side then has crossed if he is on the other."""
        self._identities.resume(t)
        for walk in self._walks.values():
            walk.t = t

    def clear(self) -> list[tuple[Track, str]]:
        """Forget who was where; return who would have crossed by leaving the picture now."""
        crossed = self._crossed([(walk, _settled_in(walk, _beyond(walk))) for walk in self._walks.values()])
        self._walks.clear()
        self._identities.clear()
        return crossed

    def _resize(self, size: tuple[int, int]) -> None:
        """Keep everybody where he is when the resolution changes in mid-stream."""
        if size == self._size:
            return
        x, y = size[0] / self._size[0], size[1] / self._size[1]
        self._size = size
        self._identities.rescale(x, y)
        for walk in self._walks.values():
            walk.rescale(x, y)

    def _begun(self, number: int, track: Track, point: Point, t: float) -> _Walk:
        """Begin with a new object. Beside one whose box jitters, it may be the same one under a second id."""
        beside = (w.jitter for w in self._walks.values() if feet_apart(w.track.box, track.box) <= REACH)
        walk = _Walk(track=track, at=point, t=t, jitter=max(beside, default=FIRST_JITTER))
        self._walks[number] = walk
        return walk

    def _crossed(self, ready: Sequence[tuple[_Walk, float | None]]) -> list[tuple[Track, str]]:
        """Let objects settle on the other side since the given times; return those who have crossed."""
        line = scaled_line(self._line, *self._size)
        crossed = [(walk.track, since, way) for walk, since in ready if (way := _cross(walk, since, line))]
        self.since = {track.id: since for track, since, _ in crossed if since is not None}
        return [(track, way) for track, _, way in crossed]

    def _vanished(self, t: float) -> list[_Walk]:
        """Return who has just been away for too long to come back as the same object."""
        return [walk for walk in self._walks.values() if walk.looks and t - walk.t > BREAK_S]


def _look(walk: _Walk, track: Track, here: Point, line: Line, t: float) -> None:
    """Note where the object is."""
    top, height = track.box[1], max(track.box[3] - track.box[1], 1.0)
    passed = max(0.0, t - walk.looks[-1].t) if walk.looks else 0.0
    walk.height = max(height, walk.height * math.exp(-passed / SHRINK_S))
    whole = (here[0], top + (here[1] - top) * walk.height / height)
    away = signed_distance(line, here) / walk.height
    walk.looks.append(_Look(t, here, away, signed_distance(line, whole) / walk.height))
    if len(walk.looks) > 3:
        walk.jitter += (_unsteady(walk.looks) - walk.jitter) * JITTER_WEIGHT
    walk.track = track
    if walk.side == 0.0 and abs(away) >= SETTLED:
        walk.side, walk.at, walk.first_box = math.copysign(1.0, away), here, track.box
    elif away * walk.side > 0:
        walk.at = here
        walk.first_box = None


def _unsteady(looks: Sequence[_Look]) -> float:
    """Return how far the last look is from a parabola through three before, as a standard deviation, heights.

    Who sets off or stops is not unsteady. The larger of neighbouring looks and of every second one: filtered boxes
    waver slowly.
    """
    found = 0.0
    for step in (1, 2):
        if len(looks) > 3 * step:
            a, b, c, d = (looks[-1 - n * step].away for n in (3, 2, 1, 0))
            found = max(found, abs(d - a + 3 * (b - c)) / THIRD_DIFFERENCE)
    return found


def _settled_for(walk: _Walk) -> float | None:
    """Return since when the object has been clearly on the other side; None: it has not settled there."""
    if walk.looks[-1].away * walk.side >= 0:
        return None
    end = walk.looks[-1].t
    for span in SPANS_S:
        looks = [look for look in walk.looks if end - look.t < span - 1e-6]
        if len(looks) < LEAST_LOOKS:
            looks = list(walk.looks)[-LEAST_LOOKS:]
        if (since := _settled_in(walk, looks)) is not None:
            return since
    return None


def _beyond(walk: _Walk) -> list[_Look]:
    """Return the last looks, as far as they saw the object on the other side."""
    return list(takewhile(lambda look: look.away * walk.side < 0, reversed(walk.looks)))[::-1]


def _settled_in(walk: _Walk, looks: Sequence[_Look]) -> float | None:
    """Return since when these looks saw the object on the other side; None where they do not agree on it."""
    if len(looks) < LEAST_LOOKS or looks[0].away * walk.side >= 0:
        return None
    away = sorted(-walk.side * look.away for look in looks)
    independent = min(len(away), max(LEAST_LOOKS, 1.0 + (looks[-1].t - looks[0].t) / STEADY_S))
    least = SETTLED + DOUBT * min(walk.jitter, MOST_JITTER) / math.sqrt(independent)
    extrapolated = median(-walk.side * look.extrapolated for look in looks)
    if away[len(away) // OUTLIERS] <= 0 or min(median(away), extrapolated) < least:
        return None
    return next(look.t for look in looks if -walk.side * look.away >= SETTLED)


def _cross(walk: _Walk, since: float | None, line: Line) -> str:
    """Let the object settle on the other side; return the direction in which it has crossed, or nothing."""
    if since is None:
        return ""
    start, end, first = walk.at, walk.looks[-1].at, walk.first_box
    walk.side, walk.at, walk.first_box = -walk.side, end, None
    if first is not None and _is_same_top(first, walk.track.box, walk.height):
        return ""  # half hidden in the only look that saw it over there
    over = next(look.at for look in walk.looks if look.t >= since)
    return direction_over(line, start, end) if meet((start, over), line) else ""


def _is_same_top(a: Box, b: Box, height: float) -> bool:
    """Whether the tops of two boxes are in one place."""
    across = abs(a[0] + a[2] - b[0] - b[2]) / 2
    return max(across, abs(a[1] - b[1])) < 2 * SETTLED * height
