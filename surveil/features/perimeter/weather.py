"""Distinguishes rain and snow from other flicker, such as leaves in gusts."""

from __future__ import annotations

import cv2
import numpy as np

from surveil.types import Floats
from surveil.vision.background import rate

WEATHER_S = 4.0
"""Time constant with which it is noticed that rain or snow begins and ends."""
RAINS, DRY = 0.3, 0.15
"""Share of the picture's parts that flicker above which it rains, and below which it no longer does."""
PARTS = (8, 6)
"""Columns and rows of those parts: somebody is in a few of them, rain in all."""
PLACES_S = 8.0
"""Time constant with which it is learned how often each place flickers."""
EVEN, UNEVEN = 0.24, 0.2
"""Share of all flicker that is in the calmer half of the places above which it can be rain, and below which it is none.
Streaks fall everywhere alike (0.5 but for chance); leaves flicker at the same places again and again."""


class Weather:
    """Where one camera's picture has flickered lately. Owned by the analyser."""

    def __init__(self, rows: int, columns: int) -> None:
        self._often = np.zeros((rows, columns), np.float32)
        self._share = 0.0

    def update(self, flickers: Floats, dt: float) -> None:
        """Take which places flicker, 1 or 0 in (rows, columns), `dt` seconds after the last time."""
        parts = cv2.resize(flickers, PARTS, interpolation=cv2.INTER_AREA) > 0
        self._share += rate(dt, WEATHER_S) * (float(parts.mean()) - self._share)
        self._often += rate(dt, PLACES_S) * (flickers - self._often)

    @property
    def begins(self) -> bool:
        """Whether it is sure that it rains or snows."""
        return self._share > RAINS and self.evenness > EVEN

    @property
    def ends(self) -> bool:
        """Whether it is sure that it does not."""
        return self._share < DRY or self.evenness < UNEVEN

    @property
    def evenness(self) -> float:
        """The share of all flicker that is in the calmer half of the places; of pairs of them, as single ones vary."""
        rows, columns = self._often.shape
        size = (max(1, columns // 2), max(1, rows // 2))
        often = np.sort(cv2.resize(self._often, size, interpolation=cv2.INTER_AREA), axis=None)
        return float(often[: often.size // 2].sum() / max(float(often.sum()), 1e-6))
