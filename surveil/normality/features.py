"""Features of one frame: motion, energy and static foreground pooled in person-sized windows.

Window sums come from integral images; sums, not ratios, are averaged over the last quarter of a
second, so that a swinging leg counts by its area.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import exp

import cv2
import numpy as np
from numpy.typing import NDArray

from surveil.normality.flow import MotionField, Moved
from surveil.normality.geometry import Geometry
from surveil.normality.plane import CELL
from surveil.types import Bytes, Floats

WINDOW = 0.6
"""Side of the pooling window in heights of a person."""
MEMORY_S = 0.25
"""Sums are averaged over this long."""
STATIC = 12.0
"""Luma steps from the background, after the global change is taken out, that make foreground."""
ACTIVE = 0.2
"""Share of moving pixels in a window above which its motion means something."""
ENERGY_CAP = 60.0
STAY_S = 3.0
"""What passes at walking pace fills a window for about a second."""
BACKGROUND_STEP_S = 60.0
"""The background follows by one luma step in this time: light wanders, a bag stays visible for minutes."""
_CHANNELS = 5


@dataclass(frozen=True, slots=True)
class Features:
    """Pooled values per cell, float32 (rows, columns) each, read-only."""

    t: float
    dt: float
    """s since the frame before: what this frame weighs in time."""
    vx: Floats
    """px of the plane per second, mean over moving pixels."""
    vy: Floats
    cover: Floats
    """Share of moving pixels, 0..1."""
    energy: Floats
    """Mean blurred luma difference, capped."""
    ground: Floats
    """Share of pixels that differ from the background, 0..1."""
    stay: Floats
    """The same, as far as it has lasted for some seconds."""


class FeatureExtractor:
    """Planes in, `Features` out; owned by whoever holds the camera's slot."""

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = geometry
        self._windows = _Windows(geometry)
        self._motion = MotionField()
        self._sums: deque[tuple[float, Floats]] = deque()
        self._background = geometry.background.astype(np.float32)
        self._follow_at: float | None = None
        self._stay: tuple[float, Floats] | None = None

    @property
    def background(self) -> Floats:
        """The background as it is now, half resolution."""
        return self._background

    def observe(self, plane: Bytes, t: float) -> Features | None:
        """Take the plane of stream time `t` (s); None when there is no new pair (too soon, or after a gap).

        Raises ValueError when the plane has another size than the geometry.
        """
        size = self._geometry.size
        if plane.shape != (size.height, size.width):
            raise ValueError(f"plane is {plane.shape[::-1]}, the model expects {(size.width, size.height)}")
        moved = self._motion.observe(self._geometry.prepared(plane), t)
        if moved is None:
            return None
        foreground = self._foreground(moved, t)
        self._remember(t, self._windows.sums(moved, foreground))
        mean = np.asarray(np.mean(np.stack([s for _, s in self._sums]), axis=0), np.float32)
        return _features(t, moved.dt, mean, self._lasting(t, moved.dt, mean[4]))

    def _remember(self, t: float, sums: Floats) -> None:
        self._sums.append((t, sums))
        while t - self._sums[0][0] > MEMORY_S:
            self._sums.popleft()

    def _lasting(self, t: float, dt: float, ground: Floats) -> Floats:
        """Return `ground` as far as its mean over the last seconds reaches, so that what goes is gone at once."""
        before = self._stay[1] if self._stay and t - self._stay[0] <= 2 * STAY_S else np.zeros_like(ground)
        keep = np.float32(exp(-dt / STAY_S))
        mean = keep * before + (1 - keep) * ground
        self._stay = t, mean
        return np.minimum(ground, mean)

    def _foreground(self, moved: Moved, t: float) -> Floats:
        change = moved.luma - self._background
        change -= np.float32(np.median(change[::2, ::2]))
        self._follow(change, t)
        return np.asarray(np.abs(cv2.GaussianBlur(change, (0, 0), 1.0)) > STATIC, np.float32)

    def _follow(self, change: Floats, t: float) -> None:
        if self._follow_at is None or t < self._follow_at - BACKGROUND_STEP_S:
            self._follow_at = t + BACKGROUND_STEP_S
        elif t >= self._follow_at:
            self._background += np.sign(change)
            self._follow_at = t + BACKGROUND_STEP_S


def _features(t: float, dt: float, mean: Floats, stay: Floats) -> Features:
    """Ratios of averaged sums (5, rows, columns): cover, cover·vx, cover·vy, energy, ground."""
    cover = mean[0]
    safe = np.maximum(cover, np.float32(1e-6))
    parts = (mean[1] / safe, mean[2] / safe, cover, mean[3] / 10, mean[4], stay)
    for part in parts:
        part.setflags(write=False)
    return Features(t, dt, *parts)


class _Windows:
    """Where each cell's window begins and ends, as indices into the integral images."""

    def __init__(self, geometry: Geometry) -> None:
        size = geometry.size
        height, width = size.height // 2, size.width // 2
        y = (np.arange(size.rows) + 0.5) * CELL / 2
        x = (np.arange(size.columns) + 0.5) * CELL / 2
        side = np.array([WINDOW * geometry.height_at(2 * row) / 2 for row in y])
        y0, y1 = _span(y, side, height)
        x0, x1 = _span(x[None, :], side[:, None], width)
        stride = width + 1
        self._corners = tuple(
            (yy[:, None] * stride + xx).astype(np.intp) for yy, xx in ((y1, x1), (y0, x1), (y1, x0), (y0, x0))
        )
        self._scale = (1.0 / ((y1 - y0)[:, None] * (x1 - x0))).astype(np.float32)

    def sums(self, moved: Moved, foreground: Floats) -> Floats:
        """Return window means (5, rows, columns): moving, moving·vx, moving·vy, energy, foreground."""
        sums = np.zeros((_CHANNELS, *self._scale.shape), np.float32)
        if moved.mask is not None and moved.velocity is not None:
            mask = np.asarray(moved.mask, np.float32)
            sums[0] = self._pool(mask)
            sums[1] = self._pool(moved.velocity[..., 0] * mask)
            sums[2] = self._pool(moved.velocity[..., 1] * mask)
            sums[3] = self._pool(np.minimum(moved.difference, ENERGY_CAP))
        sums[4] = self._pool(foreground)
        return sums

    def _pool(self, values: Floats) -> Floats:
        """Return the mean of (h, w) values in every window."""
        integral = cv2.integral(values).ravel()
        a, b, c, d = (integral.take(corner) for corner in self._corners)
        return np.asarray((a - b - c + d) * self._scale, np.float32)


def _span(
    centre: NDArray[np.float64], side: NDArray[np.float64], limit: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return first and one-past-last index of windows of `side` around `centre`, kept inside 0..limit."""
    first = np.clip(np.rint(centre - side / 2), 0, limit - 1).astype(np.intp)
    last = np.clip(np.rint(centre + side / 2), first + 1, limit).astype(np.intp)
    return first, last
