"""Coverage: where the detector looked in one frame, and what is known about the other places."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from surveil.geometry import areas, intersection
from surveil.types import BoolMap, Doubles, Floats

CLOSE = 3.3
"""A close look is at no more than so many times the longer side of somebody, or is the closest that there can be."""
SEEN_SHARE = 0.5
"""An object was looked for when this share of its box lies in one of the regions that were looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The look at one frame."""

    t: float
    """Stream time, s."""
    dt: float
    """Since the frame before, s."""
    regions: Floats | None
    """(k, 4) px: where the detector looked; None: everywhere."""
    size: tuple[int, int] | None
    """Width and height of the picture, px; None: not known."""
    closest: float = 0.0
    """Longer side of the smallest region that can be looked at, px."""
    unchanged: AbstractSet[int] = frozenset()
    """Ids of objects whose places look as when they were last found."""

    def was_at(self, places: Doubles, needs_close: BoolMap) -> BoolMap:
        """For each place (n, 4) px whether something there would have been found, some of it only in a close look.

        Who should be outside the picture by now is missed wherever the detector looked. (He used to be held at
        the edge, as one at whom nobody had looked, and whoever came in there next got his id.)
        """
        return self._covers(places, needs_close) | self._lies_outside(places)

    def _covers(self, places: Doubles, needs_close: BoolMap) -> BoolMap:
        if self.regions is None:
            return np.ones(len(places), np.bool_)
        regions = self.regions.astype(np.float64)
        widest = np.maximum(CLOSE * _longer(places), self.closest)
        is_coarse = _longer(regions)[None] > widest[:, None]
        shared = intersection(places[:, None], regions[None]) * ~(is_coarse & needs_close[:, None])
        common = shared.max(axis=1, initial=0.0)
        covered: BoolMap = common >= SEEN_SHARE * areas(places)
        return covered

    def _lies_outside(self, places: Doubles) -> BoolMap:
        """Whether most of it lies outside the picture."""
        if self.size is None:
            return np.zeros(len(places), np.bool_)
        inside = intersection(places, np.array([0.0, 0.0, *self.size]))
        outside: BoolMap = inside < SEEN_SHARE * areas(places)
        return outside


def _longer(boxes: Doubles) -> Doubles:
    """The longer side of each box (n, 4)."""
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0.0))
