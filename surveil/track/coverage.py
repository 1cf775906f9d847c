"""Where the detector looked in one frame, and what is known of the places besides."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from surveil.geometry import areas, intersection
from surveil.types import BoolMap, Doubles, Floats

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
    unchanged: AbstractSet[int] = frozenset()
    """Ids of objects whose places look as when they were last found."""

    def was_at(self, places: Doubles) -> BoolMap:
        """For each place (n, 4) px whether something there would have been found.

        Who should be outside the picture by now is missed wherever the detector looked. (He used to be held at
        the edge, as one at whom nobody had looked, and whoever came in there next got his id.)
        """
        return self._covers(places) | self._lies_outside(places)

    def _covers(self, places: Doubles) -> BoolMap:
        if self.regions is None:
            return np.ones(len(places), np.bool_)
        common = intersection(places[:, None], self.regions[None].astype(np.float64)).max(axis=1, initial=0.0)
        covered: BoolMap = common >= SEEN_SHARE * areas(places)
        return covered

    def _lies_outside(self, places: Doubles) -> BoolMap:
        """Whether most of it lies outside the picture."""
        if self.size is None:
            return np.zeros(len(places), np.bool_)
        inside = intersection(places, np.array([0.0, 0.0, *self.size]))
        outside: BoolMap = inside < SEEN_SHARE * areas(places)
        return outside
