"""Tracks moving regions, and distinguishes a path from swaying, drifting and flicker."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from surveil.features.perimeter.scenery import PlaneBox, Region
from surveil.types import Floats

FORGET_S = 1.6
"""What has not been seen for so long is gone."""
MEMORY_S = 30.0
MOST_LOOKS = 160
LEAST_LOOKS, LEAST_S = 5, 0.8
"""A way has been seen in so many looks, and for so long."""
THIN_LOOKS, THIN_S, THIN_FASTEST = 20, 5.0, 1.0
"""The same, and the most lengths a second, for what is thin, such as a crawling body 4 px high: streaks, flakes and
leaves do not last so long."""
WAY = 1.5
"""Least way, in lengths of what moves: it has left its place."""
STRAIGHT = 0.7
"""Least share of the way that leads on: what wanders about in its place goes nowhere."""
FASTEST, UNSTEADY_FASTEST = 6.0, 4.0
"""Lengths a second; faster are streaks of rain and flies before the lens. Where boxes are unsteady, flakes are taken
for one that falls at 5; who runs goes 2.6."""
SOLID = 0.7
"""Share of the looks of a way in which it was a thing, and the same one."""
SAME, SIZE = 0.4, 3.0
"""Correlation with the look before at which it is the same thing, and the factor within which its area stays."""
REACH, GROWTH = 1.2, 2.2
"""A region belongs to what was this near, in its lengths, and of a size within this factor."""
TEMPLATE = 64
"""Largest side of what is compared with the look before, px of the plane."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something was in one look, px of the plane."""

    t: float
    box: PlaneBox
    thing: bool
    """A thing, the same one as in the look before, in a place that is calm as a rule."""
    dense: bool = True
    """Thick enough to be told from foliage in a few looks."""
    looks: int = 1
    """Looks since the one that saw it before: more than 1 where it was missed."""

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the box."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2

    @property
    def length(self) -> int:
        """The longer side of the box."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])


@dataclass(slots=True, kw_only=True)
class Path:
    """One thing that is followed."""

    id: int
    patch: Floats
    """Its difference from the background in the last look."""
    area: int
    """Changed px of the plane in the last look."""
    missed: int = 0
    """Looks since then that did not see it."""
    places: deque[Place] = field(default_factory=lambda: deque(maxlen=MOST_LOOKS))
    is_way: bool = False
    """Whether it has gone a way of its own; once it has, always."""
    progress: float = 0.0
    """Its largest way so far, lengths."""
    unsteady: float = 0.0
    """Its box was off by so much from look to look, lengths, when that was most; so short a step is none."""

    @property
    def last(self) -> Place:
        """Where it is."""
        return self.places[-1]

    @property
    def length(self) -> float:
        """Its length as a rule, px of the plane."""
        return float(np.median([place.length for place in self.places]))

    def add(self, place: Place) -> None:
        """Take another look."""
        self.places.append(place)
        while place.t - self.places[0].t > MEMORY_S:
            self.places.popleft()
        self._judge()

    def _judge(self) -> None:
        """Find the longest straight way that leads to where it is now."""
        points = np.array([place.centre for place in self.places])
        if len(points) < 2:
            return
        net = np.hypot(*(points[-1] - points[:-1]).T)[::-1]
        gone = np.maximum(_gone(points[::-1], self.unsteady * self.length), 1e-6)
        looks = 1 + np.cumsum([place.looks for place in self.places][::-1])[:-1]
        times = self.last.t - np.array([place.t for place in self.places])[:-1][::-1]
        seen = np.arange(2, len(points) + 1)
        things = np.cumsum([place.thing for place in self.places][::-1])[1:] / looks
        dense = np.cumsum([place.thing and place.dense for place in self.places][::-1])[1:] / looks
        ways = net / max(1.0, self.length)
        speeds = ways / np.maximum(times, 1e-6)
        thin = (things >= SOLID) & (seen >= THIN_LOOKS) & (times >= THIN_S) & (speeds <= THIN_FASTEST)
        begins = np.array([place.thing for place in self.places])[-2::-1]  # else shadows jump to things
        fastest = UNSTEADY_FASTEST if self.unsteady else FASTEST
        leads = begins & (net >= STRAIGHT * gone) & (speeds <= fastest)
        self.progress = float(max(self.progress, ways[leads & ((dense >= SOLID) | thin)].max(initial=0.0)))
        thick = (dense >= SOLID) & (seen >= LEAST_LOOKS) & (times >= LEAST_S)
        good = leads & (thick | thin) & (ways >= WAY)
        self.is_way = self.is_way or bool(good.any())


def _gone(points: Floats, least: float) -> Floats:
    """Return the way from the first of the points to each later one, in steps of `least` px or more; (n - 1,)."""
    if least == 0.0:
        return np.asarray(np.cumsum(np.hypot(*np.diff(points, axis=0).T)), np.float32)
    way, start, gone = 0.0, points[0], []
    for point in points[1:]:
        step = math.hypot(*(point - start))
        gone.append(way + step)
        if step >= least:
            way, start = way + step, point
    return np.array(gone, np.float32)


class Paths:
    """Everything that is followed in one camera's plane."""

    def __init__(self) -> None:
        self.paths: list[Path] = []
        self._last_id = 0

    def update(
        self, regions: Sequence[tuple[Region, bool]], difference: Floats, t: float, unsteady: float = 0.0
    ) -> None:
        """Take the regions that moved, each with whether its place is calm, in a plane's `difference`.

        `unsteady`: by how much boxes are off from look to look, lengths.
        """
        free = dict(enumerate(regions))
        for path in self.paths:
            path.missed += 1
            path.unsteady = max(path.unsteady, unsteady)
        for path, index in _matches(self.paths, regions, t):
            region, calm = free.pop(index)
            ratio = region.area / max(1, path.area)
            same = 1 / SIZE <= ratio <= SIZE and _likeness(path.patch, difference, region.box) >= SAME
            path.add(
                Place(
                    t=t,
                    box=region.box,
                    thing=region.is_thing and calm and same,
                    dense=region.is_dense,
                    looks=path.missed,
                )
            )
            path.missed = 0
            path.patch, path.area = _patch(difference, region.box), region.area
        for region, calm in free.values():
            self._last_id += 1
            path = Path(id=self._last_id, patch=_patch(difference, region.box), area=region.area)
            path.add(Place(t=t, box=region.box, thing=region.is_thing and calm, dense=region.is_dense))
            self.paths.append(path)
        self.paths = [path for path in self.paths if t - path.last.t <= FORGET_S]

    def clear(self) -> None:
        """Forget everything."""
        self.paths.clear()


def _matches(
    paths: Sequence[Path], regions: Sequence[tuple[Region, bool]], t: float
) -> Iterable[tuple[Path, int]]:
    """Yield paths with the index of the region that continues each, nearest first."""
    pairs = sorted(
        (distance, n, index)
        for n, path in enumerate(paths)
        for index, (region, _) in enumerate(regions)
        if (distance := _apart(path, region, t)) < 1.0
    )
    used_paths: set[int] = set()
    used: set[int] = set()
    for _, n, index in pairs:
        if n not in used_paths and index not in used:
            used_paths.add(n)
            used.add(index)
            yield paths[n], index


def _apart(path: Path, region: Region, t: float) -> float:
    """Return how far a region is from where a path should be now, 1: out of reach."""
    here = Place(t=t, box=region.box, thing=False)
    if not 1 / GROWTH <= here.length / max(1, path.last.length) <= GROWTH:
        return 1.0
    x, y = path.last.centre
    if len(path.places) > 1:
        before = path.places[-2]
        ahead = min((t - path.last.t) / max(path.last.t - before.t, 1e-3), 2.0)
        x, y = x + ahead * (x - before.centre[0]), y + ahead * (y - before.centre[1])
    near = math.hypot(here.centre[0] - x, here.centre[1] - y)
    return min(1.0, near / (REACH * max(path.last.length, here.length)))


def _patch(difference: Floats, box: PlaneBox) -> Floats:
    """Return the middle of a box of the plane, as far as it is compared."""
    x1, y1, x2, y2 = box
    x, y = max(0, (x2 - x1 - TEMPLATE) // 2), max(0, (y2 - y1 - TEMPLATE) // 2)
    return difference[y1 + y : y2 - y, x1 + x : x2 - x].copy()


def _likeness(patch: Floats, difference: Floats, box: PlaneBox) -> float:
    """Return the best correlation of a patch with what is around a box of the plane."""
    height, width = patch.shape
    x1, y1, x2, y2 = box
    across, down = max(4, (width - (x2 - x1)) // 2 + 4), max(4, (height - (y2 - y1)) // 2 + 4)
    around = difference[max(0, y1 - down) : y2 + down, max(0, x1 - across) : x2 + across]
    height, width = min(height, around.shape[0]), min(width, around.shape[1])
    found = cv2.matchTemplate(around, patch[:height, :width], cv2.TM_CCOEFF_NORMED)
    return float(found.max())
