"""Moving things without a detector: what differs from the background of the small brightness plane.

For counting where no model knows the objects: steep top views, animals, goods on a belt.
"""

from __future__ import annotations

import cv2
import numpy as np

from surveil.features.things.dual_background import DualBackground
from surveil.types import BoolMap, Bytes, Floats

LABEL = "motion"
"""The class of a blob."""
SMALLEST = 0.002
"""Share of the picture."""
LEARN_S = 2.5
"""Shorter than for things that are left: a wrong background heals as soon as it is seen to hold still."""
HEAL_S = 10.0
"""What has not moved for this long is background again."""
JOIN = 9
"""Side in px of the plane over which the parts of one object are joined."""


class Blobs:
    """The moving blobs of one camera. Owned by the holder of the camera's slot."""

    def __init__(self) -> None:
        self._model: DualBackground | None = None
        self._t = 0.0

    def update(self, plane: Bytes, t: float, size: tuple[int, int]) -> Floats:
        """Take a plane uint8 (h, w) of a frame of `size` (width, height) px; return boxes (n, 4) px."""
        if self._model is None or self._model.short.shape != plane.shape:
            self._model, self._t = DualBackground(plane.shape, LEARN_S), t
        none = np.zeros(plane.shape, np.bool_)
        self._model.update(plane, t - self._t, none)
        self._t = t
        self._model.accept(self._model.still_for(HEAL_S))
        scale = np.array([size[0] / plane.shape[1], size[1] / plane.shape[0]] * 2, np.float32)
        boxes: Floats = _boxes(self._model.foreground()) * scale
        return boxes


def _boxes(moving: BoolMap) -> Floats:
    """Boxes (n, 4) px of the plane around what moves."""
    kernel = np.ones((JOIN, JOIN), np.uint8)
    opened = cv2.morphologyEx(moving.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(cv2.morphologyEx(opened, cv2.MORPH_CLOSE, kernel))
    large = stats[1:][stats[1:, cv2.CC_STAT_AREA] >= SMALLEST * moving.size, :4].astype(np.float32)
    return np.concatenate([large[:, :2], large[:, :2] + large[:, 2:]], axis=1)
