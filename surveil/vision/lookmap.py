"""When each place of a picture was last looked at, and whether anything has changed there since."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from surveil.types import BoolMap, Crop, Motion

CELLS = (32, 18)
"""Columns and rows of the map."""
LONG_AGO = -1e9
LOOKS = 2
"""Looks that a place gets after it has changed: what is new is believed when it is found twice."""


class LookMap:
    """Of one camera and size of frame, (width, height) px. Mutable; owned by the planner of crops."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._scale = (CELLS[0] / size[0], CELLS[1] / size[1])
        self._looked = np.full((CELLS[1], CELLS[0]), -math.inf)
        self._wanted = np.full((CELLS[1], CELLS[0]), LOOKS, np.uint8)
        """Looks that a place is still to get."""

    def note(self, motion: Motion) -> None:
        """Take what moves or has changed in a frame."""
        if motion.all_new:
            self._wanted.fill(LOOKS)
        for x1, y1, x2, y2 in motion.boxes.astype(int).tolist():
            self._wanted[self._cells((x1, y1, x2, y2))] = LOOKS
        if motion.changed is not None and motion.changed.any():
            self._wanted[_shrunk(motion.changed)] = LOOKS

    def look(self, crop: Crop, t: float, around: Crop) -> None:
        """Note a look at `crop` at stream time `t`, which counts for the places `around` it, too."""
        self._looked[self._cells(around)] = t
        cells = self._cells(crop)
        self._wanted[cells] -= self._wanted[cells] > 0

    def is_new(self, crop: Crop) -> bool:
        """Whether something in `crop` has changed since it was looked at, or it never was."""
        return bool(self._wanted[self._cells(crop)].any())

    def age(self, crop: Crop, t: float) -> float:
        """Return for how long the middle of `crop` has not been looked at, s."""
        x, y = (crop[0] + crop[2]) // 2, (crop[1] + crop[3]) // 2
        return t - float(self._looked[self._cells((x, y, x + 1, y + 1))].max())

    def oldest(self, crops: Sequence[Crop], count: int) -> tuple[Crop, ...]:
        """Return the `count` crops that have waited longest, in that order."""
        return tuple(crops) if len(crops) <= count else tuple(sorted(crops, key=self._since)[:count])

    def _since(self, crop: Crop) -> float:
        return float(np.clip(self._looked[self._cells(crop)], LONG_AGO, None).mean())

    def _cells(self, crop: Crop) -> tuple[slice, slice]:
        """Return the places that a crop covers."""
        fx, fy = self._scale
        x1, y1 = (
            min(CELLS[0] - 1, max(0, int(crop[0] * fx))),
            min(CELLS[1] - 1, max(0, int(crop[1] * fy))),
        )
        return slice(y1, max(y1 + 1, round(crop[3] * fy))), slice(x1, max(x1 + 1, round(crop[2] * fx)))


def _shrunk(changed: BoolMap) -> BoolMap:
    """Return in which places anything of `changed` (bool (h, w)) is set."""
    means = cv2.resize(changed.astype(np.float32), CELLS, interpolation=cv2.INTER_AREA)
    return np.asarray(means > 0)
