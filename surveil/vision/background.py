"""A background model of the small brightness plane, and what differs from it.

Two running means and a noise map per pixel: the *fast* mean (0.7 s) tells what moves now, the *slow* one what
was not there before. A pixel has changed when it differs from both; so neither the place that somebody left
(differs from the slow one for a while) nor his trail (differs from the fast one) counts for long. The same
idea, one mean and a fixed threshold, is in most video recorders; the second mean and the noise per pixel make
thresholds possible that are low enough for a person seven pixels high.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from surveil.types import Bytes, Floats

FAST_S = 0.7
"""Time constant of the fast mean: somebody slow must have moved by about his own width in it."""
BUSY_S = 30.0
"""Time constant of the slow mean where something moves: a busy path must not become background."""
NOISE_S = 10.0
NOISE_FACTOR = 4.0
"""Thresholds rise by this times the mean absolute deviation: 3.2 standard deviations of Gaussian noise."""
NOISE_MAX = 6.0
"""Noise above this is not believed: a path where people always walk must not become blind."""
GRID = (16, 9)
"""Columns and rows of the coarse grid on which light changes are estimated."""
THRESHOLD_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Change:
    """What differs in one plane."""

    mask: Bytes
    """uint8 (h, w): 255 where something moves."""
    jump: Bytes
    """uint8 (h, w): absolute difference from the fast mean, light changes included."""


def rate(dt: float, tau: float) -> float:
    """Return the weight of a new sample after `dt` s in a running mean with time constant `tau` s."""
    return 1.0 - math.exp(-dt / tau)


class Background:
    """The model of one camera. Owned by the camera's slot; made anew when the plane changes its size."""

    def __init__(self, plane: Bytes, threshold: int, absorb_s: float) -> None:
        self._floor = threshold
        self._absorb_s = absorb_s
        self._noise = np.full(plane.shape, 0.5, np.float32)
        self._threshold_age = 0.0
        self._fast8, self._slow8 = np.empty_like(plane), np.empty_like(plane)
        self._smooth = np.empty_like(plane)
        self._still = np.empty_like(plane)
        self._moved = np.empty_like(plane)
        self._set_threshold()
        self.seed(plane)

    def seed(self, plane: Bytes) -> None:
        """Take `plane` (uint8 (h, w)) for the background; what is known about noise is kept."""
        cv2.blur(plane, (3, 3), self._smooth)
        self._fast = self._smooth.astype(np.float32)
        self._slow = self._fast.copy()

    def update(self, plane: Bytes, dt: float, learn: Bytes | None = None) -> Change:
        """Return what differs in `plane`, `dt` s after the last one, and learn from it.

        `learn` (uint8 (h, w)) is 0 where noise must not be learned: where known objects are.
        """
        cv2.blur(plane, (3, 3), self._smooth)
        fast = self._difference(self._fast, self._fast8)
        cv2.compare(fast, self._threshold, cv2.CMP_LE, self._still)
        mask = self._changed()
        self._learn(fast, dt, learn)
        return Change(mask, fast)

    def _difference(self, mean: Floats, mean8: Bytes) -> Bytes:
        """Return the absolute difference between the plane and a mean; leave the mean in `mean8`."""
        cv2.convertScaleAbs(mean, mean8)
        return np.asarray(cv2.absdiff(self._smooth, mean8))

    def _changed(self) -> Bytes:
        """Return 255 where the plane differs from both means, light changes taken out of the slow one."""
        cv2.bitwise_not(self._still, self._moved)
        if not cv2.countNonZero(self._moved):
            return self._moved.copy()
        slow = self._difference(self._without_light(), self._slow8)
        differs = cv2.compare(slow, self._threshold, cv2.CMP_GT)
        return np.asarray(cv2.bitwise_and(differs, self._moved))

    def _without_light(self) -> Floats:
        """Return the slow mean, lit as the plane is lit now.

        The light change of a coarse cell is the median over 5 by 5 cells, so that objects up to half of that
        area do not count as light.
        """
        now = cv2.resize(self._smooth, GRID, interpolation=cv2.INTER_AREA).astype(np.float32)
        drift = cv2.medianBlur(now - cv2.resize(self._slow, GRID, interpolation=cv2.INTER_AREA), 5)
        if np.abs(drift).max() < 1.0:
            return self._slow
        height, width = self._slow.shape
        field = cv2.resize(drift, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(cv2.add(self._slow, field), np.float32)

    def _learn(self, fast: Bytes, dt: float, learn: Bytes | None) -> None:
        """Move the means and the noise map towards the plane."""
        cv2.accumulateWeighted(self._smooth, self._fast, rate(dt, FAST_S))
        cv2.accumulateWeighted(self._smooth, self._slow, rate(dt, BUSY_S))
        cv2.accumulateWeighted(self._smooth, self._slow, rate(dt, self._absorb_s), self._still)
        # A passing object differs by 50 levels and more; clipping keeps it from passing for noise.
        clipped = cv2.threshold(fast, 2.0 * NOISE_MAX, 0, cv2.THRESH_TRUNC)[1]
        cv2.accumulateWeighted(clipped, self._noise, rate(dt, NOISE_S), learn)
        self._threshold_age += dt
        if self._threshold_age >= THRESHOLD_EVERY_S:
            self._set_threshold()

    def _set_threshold(self) -> None:
        """Compute the threshold per pixel from the noise map."""
        noise = cv2.threshold(self._noise, NOISE_MAX, 0, cv2.THRESH_TRUNC)[1]
        self._threshold = cv2.convertScaleAbs(noise, alpha=NOISE_FACTOR, beta=float(self._floor))
        self._threshold_age = 0.0
