"""Two backgrounds of the brightness plane: what is still there now, and what is usually there.

A pixel where they differ for long belongs to something that was put down or taken away (after Porikli,
Ivanov and Haga, Robust Abandoned Object Detection Using Dual Foregrounds, 2008). Unlike there, the short
background is a value that has held still, not a fast mean, so that a walker leaves no trail in it; and
what the neighbourhood has changed by, bounded so that one object cannot sway it, is taken for light.
(Planes less their local mean were tried: every dark walker wears a halo in them; less their local median:
it jumps where a lawn meets a road.)
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from surveil.types import BoolMap, Bytes
from surveil.vision.background import rate

Plane = NDArray[np.float32]

DIFFERS = 12.0
"""Levels of brightness that make a difference."""
AROUND = 0.35
"""Side of the neighbourhood, share of the plane's height: larger than what one puts down."""
LIGHT_MAX = 40.0
"""Levels; a larger change of a pixel does not count as more."""
CONTRAST_PX = 15
"""Contrast finer than this, px, is compared: coarser shades come and go with the sun."""
FAINT = 4.0
"""Levels squared: a plane with less contrast than this has none that could be lost."""
STILL_S = 2.0
"""A pixel that has held its value for this long is still."""
LEARN_S = 8.0
"""What has been still for this long, and under no track, is taken for the scene at first sight."""
DARK, WHITE = 16.0, 255.0
"""Levels: darker pixels say too little about the exposure, and no exposure makes any brighter."""
EXPOSURE_MAX = 2.0
"""By exposure alone a plane is at most so many times as bright or as dark as a background."""
SHORT_S, LONG_S = 2.0, 30.0
"""Time constants with which the two follow what differs little from them."""


class DualBackground:
    """The two backgrounds of one camera, for planes of one size. Owned by the camera's slot."""

    def __init__(self, shape: tuple[int, ...], learn_s: float = LEARN_S) -> None:
        self._learn_s = learn_s
        self._now: Plane = np.zeros(shape, np.float32)
        self.short: Plane = np.zeros(shape, np.float32)
        """Brightness (h, w) as it is now, where `still`."""
        self.long: Plane = np.zeros(shape, np.float32)
        """Brightness (h, w) as it is as a rule, where `known`."""
        self.known: BoolMap = np.zeros(shape, np.bool_)
        self._still_s: Plane = np.zeros(shape, np.float32)

    @property
    def still(self) -> BoolMap:
        """Where the picture holds still (h, w)."""
        return self.still_for(STILL_S)

    def still_for(self, seconds: float) -> BoolMap:
        """Where the picture has held still for so long (h, w)."""
        still: BoolMap = self._still_s >= seconds
        return still

    def foreground(self) -> BoolMap:
        """Where the last plane is not as it is as a rule, be it still or moving (h, w)."""
        if not self.known.any():
            return self.known
        change = self._now - self.long
        # Of the whole picture: something large and near is no light, though it fills its neighbourhood.
        light = np.median(change[self.known])
        away: BoolMap = self.known & (np.abs(change - light) > DIFFERS)
        return away

    @property
    def differs(self) -> BoolMap:
        """Where it holds still and is not as it is as a rule (h, w)."""
        far: BoolMap = np.abs(self.change()) > DIFFERS
        return far & self.known & self.still

    def change(self) -> Plane:
        """Levels (h, w) by which what is there now differs from the rule, the light taken out."""
        levels = self.short - np.minimum(self.long, WHITE)
        return self._unlit(np.where(self.known & self.still, levels, np.float32(0)))

    def contrast(self) -> float:
        """Return how much of the fine contrast of the rule is still there: 1 as ever, less in fog, dazzle and blur.

        It is the slope of a line through the origin, of the texture now over the texture as a rule, where the
        picture holds still and differs by no more than light.
        """
        alike = self.known & self.still & (np.abs(self.change()) <= DIFFERS)
        rule, now = texture(self.long, CONTRAST_PX)[alike], texture(self.short, CONTRAST_PX)[alike]
        return (float(np.dot(now, rule)) + FAINT * rule.size) / (
            float(np.dot(rule, rule)) + FAINT * rule.size + 1e-6
        )

    @staticmethod
    def _unlit(change: Plane) -> Plane:
        """Take out of a change (h, w) what the whole neighbourhood has changed by."""
        side = max(5, round(change.shape[0] * AROUND) | 1)
        light = cv2.blur(np.clip(change, -LIGHT_MAX, LIGHT_MAX), (side, side))
        levels: Plane = change - light
        return levels

    def update(self, plane: Bytes, dt: float, busy: BoolMap) -> None:
        """Take a plane uint8 (h, w) that is `dt` s after the last; `busy`: where tracked objects are."""
        now = self._now = cv2.blur(plane, (3, 3)).astype(np.float32)
        self._expose(now)
        moved = np.abs(now - self.short) > DIFFERS
        self._still_s = np.where(moved, np.float32(0), self._still_s + np.float32(dt))
        self.short += (now - self.short) * np.where(moved, 1.0, rate(dt, SHORT_S)).astype(np.float32)
        self._learn(dt, busy)

    def _expose(self, now: Plane) -> None:
        """Bring both backgrounds to the exposure of `now` (h, w), which changes every pixel by the same factor."""
        part = np.s_[::2, ::2]
        known = self.known[part]
        self.short *= _exposure(now[part], self.short[part])
        self.long *= _exposure(now[part][known], self.long[part][known])

    def accept(self, where: BoolMap) -> None:
        """Take what is there now for what is there as a rule."""
        self.long[where] = self.short[where]
        self.known |= where

    def _learn(self, dt: float, busy: BoolMap) -> None:
        fresh = ~self.known & (self._still_s >= self._learn_s) & ~busy
        self.accept(fresh)
        same = self.known & ~busy & self.still & (np.abs(self.change()) <= DIFFERS)
        self.long += (self.short - self.long) * same * np.float32(rate(dt, LONG_S))


def _exposure(now: Plane, before: Plane) -> np.float32:
    """Return by which factor most pixels are brighter than before; 1 where too few say so."""
    bright = before > DARK
    if bright.sum() <= before.size / 4:
        return np.float32(1)
    ratio = np.median(now[bright] / before[bright])
    return np.float32(np.clip(ratio, 1 / EXPOSURE_MAX, EXPOSURE_MAX))


def texture(plane: Plane, side: int) -> Plane:
    """Return what is left of a plane without its light and shade coarser than `side` px."""
    fine: Plane = plane - cv2.blur(plane, (side, side))
    return fine
