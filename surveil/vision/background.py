"""A background model of the small brightness plane, and what differs from it.

A pixel has changed when it differs both from the *reference*, the plane of one to two seconds ago, and from
the *background*, a slow running mean. So neither the place that somebody left (differs from the background
for a while, but soon no longer from the reference) nor a standing object counts for long. Thresholds follow
the noise of each pixel, which makes them low enough for a person seven pixels high. A running mean in place
of the reference was tried: behind an object of high contrast it leaves a trail that fades for six seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
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
BEFORE_S = 30.0
"""What changed is told by a plane between this and twice this old."""
GRID = (8, 6)
"""Columns and rows of the coarse grid on which light changes are estimated."""
LIGHT_S = 2.0
LIGHT_DOUBT = 0.3
"""Share of the recent change of light by which thresholds rise: texture is never lit evenly."""
DARK = 8.0
"""Levels added before light is divided: ratios of near-black cells mean nothing."""
JUMP = 8
"""Levels by which a pixel must jump from one plane to the next to count for a change of the whole picture."""
LEARN_EVERY_S = 0.4
"""Everything that is learned moves within ten seconds or more: every second plane is as good, at half the work."""
STEADY = 0.7
"""While no coarse cell has changed by so many levels, the light has not."""


@dataclass(frozen=True, slots=True)
class BackgroundChange:
    """What differs in one plane. The masks are valid until the next one."""

    mask: Bytes | None
    """uint8 (h, w): 255 where something moves; None: nowhere."""
    jump: Bytes | None
    """uint8 (h, w): 255 where the plane before was another by more than `JUMP`, light included; None: nowhere."""


def rate(dt: float, tau: float) -> float:
    """Return the weight of a new sample after `dt` s in a running mean with time constant `tau` s."""
    return 1.0 - math.exp(-dt / tau)


_REMEMBERED = (
    "_noise", "_mean8", "_smooth", "_previous", "_background", "_reference", "_next", "_before", "_before_next"
)  # fmt: skip
"""What of a background is not worked out anew for each plane."""


class Background:
    """The model of one camera. Owned by the camera's slot; made again when the plane changes its size.

    Every buffer is allocated once: between two planes of a camera its decoder has emptied the caches, so that
    each call and each new page costs several times what a loop over the same planes would show.
    """

    def __init__(self, plane: Bytes, threshold: int, absorb_s: float) -> None:
        self._floor = threshold
        self._absorb_s = absorb_s
        self._noise = np.full(plane.shape, 0.5, np.float32)
        self._smooth, self._previous = np.empty_like(plane), np.empty_like(plane)
        self._recent, self._moved = np.empty_like(plane), np.empty_like(plane)
        self._still, self._mask = np.empty_like(plane), np.empty_like(plane)
        self._mean8 = np.empty_like(plane)
        self._set_threshold()
        self.seed(plane)

    def copy(self) -> Background:
        """Return a model of its own as it is now. What an update works in is shared: only one of them goes on."""
        made = copy(self)
        vars(made).update({name: vars(self)[name].copy() for name in _REMEMBERED})
        return made

    def seed(self, plane: Bytes) -> None:
        """Take `plane` (uint8 (h, w)) for the background; what is known about noise is kept."""
        cv2.blur(plane, (3, 3), self._smooth)
        cells = light_cells(self._smooth)
        self._background = LitPlane(self._smooth.astype(np.float32), cells)
        self._reference, self._next = (
            LitPlane(self._smooth.copy(), cells),
            LitPlane(self._smooth.copy(), cells),
        )
        self._before, self._before_next = (
            LitPlane(self._smooth.copy(), cells),
            LitPlane(self._smooth.copy(), cells),
        )
        self._before_age = 0.0
        self._mean8[:] = self._smooth
        self._next_age = self._unlearned_s = self._light = 0.0

    def update(
        self, plane: Bytes, dt: float, learn: Callable[[], Bytes | None] = lambda: None
    ) -> BackgroundChange:
        """Return what differs in `plane`, `dt` s after the last one, and learn from it.

        `learn` returns uint8 (h, w), 0 where noise must not be learned: where known objects are.
        """
        self._previous, self._smooth = self._smooth, self._previous
        cv2.blur(plane, (3, 3), self._smooth)
        cells = light_cells(self._smooth)
        self._relight(cells, dt)
        threshold = self._threshold_now()
        cv2.absdiff(self._smooth, self._reference.plane, self._recent)
        cv2.compare(self._recent, threshold, cv2.CMP_GT, self._moved)
        mask = self._changed(threshold) if cv2.countNonZero(self._moved) else None
        self._unlearned_s += dt
        if self._unlearned_s >= LEARN_EVERY_S - 1e-6:
            self._learn(learn())
        self._move_on(cells, dt)
        return BackgroundChange(mask, self._jump())

    def changed(self) -> Bytes:
        """Return 255 where the last plane differs from one that is half a minute old or older, light left out."""
        mask = cv2.absdiff(self._smooth, self._before.plane)
        return np.asarray(cv2.compare(mask, self._threshold_now(), cv2.CMP_GT), np.uint8)

    def _threshold_now(self) -> Bytes:
        """Return the threshold per pixel, raised while the light changes."""
        doubt = min(100.0, LIGHT_DOUBT * self._light)
        if doubt < 1.0:
            return self._threshold
        return np.asarray(cv2.convertScaleAbs(self._threshold, alpha=1.0, beta=doubt), np.uint8)

    def _changed(self, threshold: Bytes) -> Bytes:
        """Return 255 where the plane differs from the background, too."""
        mask = self._mask
        cv2.absdiff(self._smooth, self._mean8, mask)
        cv2.compare(mask, threshold, cv2.CMP_GT, mask)
        cv2.bitwise_and(mask, self._moved, mask)
        return mask

    def _jump(self) -> Bytes | None:
        if cv2.norm(self._smooth, self._previous, cv2.NORM_INF) <= JUMP:
            return None
        jump = cv2.absdiff(self._smooth, self._previous)
        return np.asarray(cv2.threshold(jump, JUMP, 255, cv2.THRESH_BINARY)[1], np.uint8)

    def _relight(self, now: Floats, dt: float) -> None:
        """Light the reference and the background as the plane is lit now: nothing moves when exposure does."""
        self._light *= 1.0 - rate(dt, LIGHT_S)
        self._light += self._reference.relight(now)
        self._before.relight(now)
        if drift := self._background.relight(now):
            self._light += drift
            cv2.convertScaleAbs(self._background.plane, self._mean8)

    def _learn(self, learn: Bytes | None) -> None:
        """Move the background and the noise map towards the plane."""
        dt, self._unlearned_s = self._unlearned_s, 0.0
        still = cv2.bitwise_not(self._moved, self._still)
        background = self._background.plane
        cv2.accumulateWeighted(self._smooth, background, rate(dt, BUSY_S))
        cv2.accumulateWeighted(self._smooth, background, rate(dt, self._absorb_s), still)
        cv2.convertScaleAbs(background, self._mean8)
        self._background.cells = light_cells(self._mean8)
        # A passing object differs by 50 levels and more; clipping keeps it from passing for noise.
        clipped = cv2.threshold(self._recent, 2.0 * NOISE_MAX, 0, cv2.THRESH_TRUNC, self._recent)[1]
        cv2.accumulateWeighted(clipped, self._noise, rate(dt, NOISE_S), learn)

    def _move_on(self, cells: Floats, dt: float) -> None:
        """Take a later plane for the reference when it is time."""
        self._next_age += dt
        self._before_age += dt
        if self._before_age >= BEFORE_S:
            self._before, self._before_next, self._before_age = self._before_next, self._before, 0.0
            self._before_next.take(self._smooth, cells)
        if self._next_age >= REFERENCE_S:
            self._reference, self._next, self._next_age = self._next, self._reference, 0.0
            self._next.take(self._smooth, cells)
            self._set_threshold()

    def _set_threshold(self) -> None:
        """Compute the threshold per pixel from the noise map."""
        noise = cv2.threshold(self._noise, NOISE_MAX, 0, cv2.THRESH_TRUNC)[1]
        self._threshold: Bytes = np.asarray(
            cv2.convertScaleAbs(noise, alpha=NOISE_FACTOR, beta=float(self._floor)), np.uint8
        )


class LitPlane:
    """A plane to compare with, and how it is lit. Mutable; owned by the background.

    Light multiplies. The factor of a coarse cell is the median over 5 by 5 cells, so that an object which
    covers less than half of them does not pass for light.
    """

    def __init__(self, plane: Bytes | Floats, cells: Floats) -> None:
        self.plane = plane
        self.cells = cells

    def copy(self) -> LitPlane:
        """Return a plane of its own that is lit as this one."""
        return LitPlane(self.plane.copy(), self.cells)

    def take(self, plane: Bytes, cells: Floats) -> None:
        """Become a copy of `plane`."""
        self.plane[:] = plane
        self.cells = cells

    def relight(self, now: Floats) -> float:
        """Light the plane as the cells `now` are lit; return by how many levels, 0: it was so already."""
        if cv2.norm(now, self.cells, cv2.NORM_INF) < STEADY:
            return 0.0
        factor = cv2.medianBlur(now / self.cells, 5)
        drift = float(np.abs((factor - 1.0) * self.cells).max())
        if drift < 1.0:
            return 0.0
        height, width = self.plane.shape
        field = cv2.resize(factor, (width, height), interpolation=cv2.INTER_LINEAR)
        depth = cv2.CV_8U if self.plane.dtype == np.uint8 else cv2.CV_32F
        cv2.multiply(self.plane, field, self.plane, dtype=depth)
        self.cells = light_cells(self.plane)
        return drift


def light_cells(plane: Bytes | Floats) -> Floats:
    """Return the mean of each coarse cell, raised by `DARK`. Halved first, which OpenCV does at full speed."""
    height, width = plane.shape
    half = cv2.resize(plane, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    means = cv2.resize(half.astype(np.float32), GRID, interpolation=cv2.INTER_AREA)
    return np.asarray(means + DARK, np.float32)
