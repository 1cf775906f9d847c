"""A background model of the small brightness plane, and what differs from it.

A pixel has changed when it differs both from the *reference*, the plane of one to two seconds ago, and from
the *background*, a slow running mean. So neither the place that somebody left (differs from the background
for a while, but soon no longer from the reference) nor a standing object counts for long. Thresholds follow
the noise of each pixel, which makes them low enough for a person seven pixels high. A running mean in place
of the reference was tried: behind an object of high contrast it leaves a trail that fades for six seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from surveil.types import Bytes, Floats

REFERENCE_S = 1.0
"""The reference is between this and twice this old: somebody slow has moved by some of his width in it."""
BUSY_S = 30.0
"""Time constant of the background where something moves: a busy path must not become background."""
NOISE_S = 10.0
NOISE_FACTOR = 4.0
"""Thresholds rise by this times the mean absolute deviation: 3.2 standard deviations of Gaussian noise."""
NOISE_MAX = 6.0
"""Noise above this is not believed: a path where people always walk must not become blind."""
GRID = (8, 6)
"""Columns and rows of the coarse grid on which light changes are estimated."""
LIGHT_S = 2.0
LIGHT_DOUBT = 0.3
"""Share of the recent change of light by which thresholds rise: texture is never lit evenly."""
DARK = 8.0
"""Levels added before light is divided: ratios of near-black cells mean nothing."""


@dataclass(frozen=True, slots=True)
class Change:
    """What differs in one plane."""

    mask: Bytes
    """uint8 (h, w): 255 where something moves."""
    jump: Bytes
    """uint8 (h, w): absolute difference from the plane before, light changes included."""


def rate(dt: float, tau: float) -> float:
    """Return the weight of a new sample after `dt` s in a running mean with time constant `tau` s."""
    return 1.0 - math.exp(-dt / tau)


class Background:
    """The model of one camera. Owned by the camera's slot; made anew when the plane changes its size."""

    def __init__(self, plane: Bytes, threshold: int, absorb_s: float) -> None:
        self._floor = threshold
        self._absorb_s = absorb_s
        self._noise = np.full(plane.shape, 0.5, np.float32)
        self._smooth, self._previous = np.empty_like(plane), np.empty_like(plane)
        self._mean8, self._still = np.empty_like(plane), np.empty_like(plane)
        self._set_threshold()
        self.seed(plane)

    def seed(self, plane: Bytes) -> None:
        """Take `plane` (uint8 (h, w)) for the background; what is known about noise is kept."""
        cv2.blur(plane, (3, 3), self._smooth)
        self._background = self._smooth.astype(np.float32)
        self._reference, self._next = self._smooth.copy(), self._smooth.copy()
        self._next_age = self._light = 0.0

    def update(self, plane: Bytes, dt: float, learn: Bytes | None = None) -> Change:
        """Return what differs in `plane`, `dt` s after the last one, and learn from it.

        `learn` (uint8 (h, w)) is 0 where noise must not be learned: where known objects are.
        """
        self._previous, self._smooth = self._smooth, self._previous
        cv2.blur(plane, (3, 3), self._smooth)
        self._light *= 1.0 - rate(dt, LIGHT_S)
        self._relight()
        threshold = self._threshold_now()
        recent = np.asarray(cv2.absdiff(self._smooth, self._reference), np.uint8)
        cv2.compare(recent, threshold, cv2.CMP_LE, self._still)
        mask = self._changed(threshold)
        self._learn(recent, dt, learn)
        return Change(mask, np.asarray(cv2.absdiff(self._smooth, self._previous), np.uint8))

    def _threshold_now(self) -> Bytes:
        """Return the threshold per pixel, raised while the light changes."""
        doubt = min(100.0, LIGHT_DOUBT * self._light)
        if doubt < 1.0:
            return self._threshold
        return np.asarray(cv2.convertScaleAbs(self._threshold, alpha=1.0, beta=doubt), np.uint8)

    def _changed(self, threshold: Bytes) -> Bytes:
        """Return 255 where the plane differs from the reference and from the background."""
        moved = np.asarray(cv2.bitwise_not(self._still), np.uint8)
        if not cv2.countNonZero(moved):
            return moved
        cv2.convertScaleAbs(self._background, self._mean8)
        differs = cv2.compare(cv2.absdiff(self._smooth, self._mean8), threshold, cv2.CMP_GT)
        return np.asarray(cv2.bitwise_and(differs, moved), np.uint8)

    def _relight(self) -> None:
        """Light the reference and the background as the plane is lit now: nothing moves when exposure does.

        Light multiplies. The factor of a coarse cell is the median over 5 by 5 cells, so that an object which
        covers less than half of them does not pass for light.
        """
        now = _cells(self._smooth)
        for lit in (self._reference, self._background):
            was = _cells(lit)
            factor = cv2.medianBlur(now / was, 5)
            drift = float(np.abs((factor - 1.0) * was).max())
            if drift >= 1.0:
                self._light += drift
                height, width = lit.shape
                field = cv2.resize(factor, (width, height), interpolation=cv2.INTER_LINEAR)
                cv2.multiply(lit, field, lit, dtype=cv2.CV_8U if lit.dtype == np.uint8 else cv2.CV_32F)

    def _learn(self, recent: Bytes, dt: float, learn: Bytes | None) -> None:
        """Move the background and the noise map towards the plane, and the reference on."""
        cv2.accumulateWeighted(self._smooth, self._background, rate(dt, BUSY_S))
        cv2.accumulateWeighted(self._smooth, self._background, rate(dt, self._absorb_s), self._still)
        # A passing object differs by 50 levels and more; clipping keeps it from passing for noise.
        clipped = cv2.threshold(recent, 2.0 * NOISE_MAX, 0, cv2.THRESH_TRUNC)[1]
        cv2.accumulateWeighted(clipped, self._noise, rate(dt, NOISE_S), learn)
        self._next_age += dt
        if self._next_age >= REFERENCE_S:
            self._reference, self._next, self._next_age = self._next, self._smooth.copy(), 0.0
            self._set_threshold()

    def _set_threshold(self) -> None:
        """Compute the threshold per pixel from the noise map."""
        noise = cv2.threshold(self._noise, NOISE_MAX, 0, cv2.THRESH_TRUNC)[1]
        self._threshold: Bytes = np.asarray(
            cv2.convertScaleAbs(noise, alpha=NOISE_FACTOR, beta=float(self._floor)), np.uint8
        )


def _cells(plane: Bytes | Floats) -> Floats:
    """Return the mean of each coarse cell, raised by `DARK`. Halved first, which OpenCV does at full speed."""
    height, width = plane.shape
    half = cv2.resize(plane, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    means = cv2.resize(half, GRID, interpolation=cv2.INTER_AREA)
    return np.asarray(means.astype(np.float32) + DARK, np.float32)
