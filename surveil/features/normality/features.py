"""Features of one frame: motion, energy and static foreground pooled in person-sized windows.

Window sums come from integral images; sums, not ratios, are averaged over the last quarter of a
second, so that a swinging leg counts by its area.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from math import exp

import cv2
import numpy as np
from numpy.typing import NDArray

from surveil.features.normality.flow import MIN_DT_S, MotionField, Moved, above, blurred
from surveil.features.normality.geometry import Geometry
from surveil.features.normality.plane import CELL
from surveil.features.normality.silhouette import wideness
from surveil.types import BoolMap, Bytes, Floats

WINDOW = 0.6
"""Side of the pooling window in heights of a person."""
MEMORY_S = 0.25
"""Sums are averaged over this long."""
STATIC = 12.0
"""Luma steps from the background, after the global change is taken out, that make foreground."""
ACTIVE = 0.2
"""Share of moving pixels in a window above which its motion means something."""
GROUND = 0.3
"""Share of foreground in a window above which something is there, moving or not."""
ENERGY_CAP = 60.0
STAY_S = 3.0
"""What passes at walking pace fills a window for about a second."""
BACKGROUND_STEP_S = 60.0
"""The background follows by one luma step in this time: light wanders, a bag stays visible for minutes."""
LOOK_S = 1.0
"""Where nothing moves, the foreground is looked at again after this long: light changes slowly."""
TINY = np.float32(1e-9)
"""What decays stays above it: arithmetic on denormal numbers takes a hundred times as long."""
_CHANNELS = 6


@dataclass(frozen=True)
class Features:
    """Pooled values per cell, float32 (rows, columns) each, read-only. What follows from them is made once."""

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
    shape: Floats
    """ln(width / height) of the silhouettes, mean over pixels that differ from the background."""

    @cached_property
    def moving(self) -> BoolMap | None:
        """Cells whose window moves enough to have a speed; None: none does."""
        return _somewhere(self.cover > ACTIVE)

    @cached_property
    def filled(self) -> BoolMap | None:
        """Cells where the picture differs from the background; None: nowhere."""
        return _somewhere(self.ground > GROUND)

    @cached_property
    def occupied(self) -> BoolMap | None:
        """Cells where something is, moving or not; None: nowhere."""
        if self.moving is None or self.filled is None:
            return self.filled if self.moving is None else self.moving
        return self.filled | self.moving

    @cached_property
    def velocity(self) -> Floats:
        """Velocity times the root of what moves (2, rows, columns), px of the plane per second."""
        root = np.sqrt(self.cover)
        return np.stack([self.vx * root, self.vy * root])

    @cached_property
    def speed(self) -> Floats:
        """Its length."""
        return np.asarray(np.hypot(self.velocity[0], self.velocity[1]), np.float32)


def _somewhere(mask: BoolMap) -> BoolMap | None:
    return mask if mask.any() else None


class FeatureExtractor:
    """Planes in, `Features` out; owned by the holder of the camera's slot."""

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = geometry
        self._windows = _Windows(geometry)
        self._motion = MotionField()
        self._sums: deque[tuple[float, Floats]] = deque()
        self._background = geometry.background.astype(np.float32)
        self._follow_at: float | None = None
        self._lasted: Floats = np.full((geometry.size.rows, geometry.size.columns), TINY)
        self._t: float | None = None
        """Of the features before."""
        self._standing: _Standing | None = None

    @property
    def background(self) -> Floats:
        """The background as it is now, half resolution."""
        return self._background

    @property
    def is_still(self) -> bool:
        """Whether it saw for itself that nothing moves, and nothing has moved since."""
        return self._standing is not None

    def wants(self, t: float) -> bool:
        """Whether it has to see the frame of stream time `t` (s), although somebody else saw nothing move in it.

        Not for a second after it saw for itself that nothing moves.
        """
        return self._standing is None or not 0.0 < t - self._standing.seen < LOOK_S

    def still(self, t: float) -> Features | None:
        """Return what a frame shows in which nothing moves; None when it is too soon, or `wants` to see it."""
        if self._standing is None or self._t is None or t - self._t < MIN_DT_S:
            return None
        return self._pooled(t, t - self._t, self._standing.sums)

    def observe(self, plane: Bytes, t: float, *, still: bool = False) -> Features | None:
        """Take the plane of stream time `t` (s); None when there is no new pair (too soon, or after a gap).

        `still`: somebody else saw nothing move in it. Raises ValueError when the plane has another size than the
        geometry.
        """
        size = self._geometry.size
        if plane.shape != (size.height, size.width):
            raise ValueError(f"plane is {plane.shape[::-1]}, the model expects {(size.width, size.height)}")
        moved = self._motion.observe(self._geometry.prepared(plane), t, still=still)
        if moved is None:
            if self._t is None or t - self._t >= MIN_DT_S:
                self._standing = None
            return None
        since = moved.dt if self._t is None or not 0.0 < t - self._t < moved.dt else t - self._t
        return self._pooled(t, since, self._looked(moved, t))

    def _looked(self, moved: Moved, t: float) -> Floats:
        """Return window means of a pair. Where nothing moves, what stands there is looked at once a second."""
        if moved.mask is None and self._standing is not None and not self.wants(t):
            return self._standing.sums
        sums = self._windows.sums(moved, self._foreground(moved, t))
        self._standing = _Standing(t, sums) if moved.mask is None else None
        return sums

    def _pooled(self, t: float, dt: float, sums: Floats) -> Features:
        self._sums.append((t, sums))
        while not 0.0 <= t - self._sums[0][0] <= MEMORY_S:
            self._sums.popleft()
        mean = self._mean()
        stay = self._lasting(t, dt, mean[4])
        self._t = t
        return _features(t, dt, mean, stay)

    def _mean(self) -> Floats:
        first = self._sums[0][1]
        if all(sums is first for _, sums in self._sums):
            return first
        return np.asarray(np.mean([sums for _, sums in self._sums], axis=0), np.float32)

    def _lasting(self, t: float, dt: float, ground: Floats) -> Floats:
        """Return `ground` as far as its mean over the last seconds reaches, so that what goes is gone at once."""
        if self._t is None or not 0.0 <= t - self._t <= 2 * STAY_S:
            self._lasted.fill(TINY)
        keep = np.float32(exp(-dt / STAY_S))
        self._lasted *= keep
        self._lasted += (1 - keep) * np.maximum(ground, TINY)
        return np.minimum(ground, self._lasted)

    def _foreground(self, moved: Moved, t: float) -> Bytes:
        """Return 1 where the picture is not background, 0 elsewhere, half resolution."""
        change = np.asarray(cv2.subtract(moved.luma, self._background, dtype=cv2.CV_32F), np.float32)
        change -= np.median(change[::4, ::4]).astype(np.float32)
        self._follow(change, t)
        return above(blurred(change), STATIC)

    def _follow(self, change: Floats, t: float) -> None:
        if self._follow_at is None or t < self._follow_at - BACKGROUND_STEP_S:
            self._follow_at = t + BACKGROUND_STEP_S
        elif t >= self._follow_at:
            self._background += np.sign(change)
            self._follow_at = t + BACKGROUND_STEP_S


@dataclass(frozen=True, slots=True)
class _Standing:
    """What stands where nothing moves."""

    seen: float
    """When it was looked at, s."""
    sums: Floats
    """Window means (6, rows, columns)."""


def _features(t: float, dt: float, mean: Floats, stay: Floats) -> Features:
    """Ratios of averaged sums (6, rows, columns): cover, cover·vx, cover·vy, energy, ground, ground·shape."""
    cover, shape = mean[0], mean[5] / np.maximum(mean[4], np.float32(1e-6))
    if cover.any():
        safe = np.maximum(cover, np.float32(1e-6))
        parts = (mean[1] / safe, mean[2] / safe, cover, mean[3] / 10, mean[4], stay, shape)
    else:
        parts = (cover, cover, cover, mean[3], mean[4], stay, shape)
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
        corners = ((y1, x1), (y0, x1), (y1, x0), (y0, x0))
        self._corners = np.stack([(yy[:, None] * stride + xx).astype(np.intp) for yy, xx in corners])
        self._heights = np.array([[geometry.height_at(2 * row) / 2] for row in range(height)], np.float32)
        self._scale = (1.0 / ((y1 - y0)[:, None] * (x1 - x0))).astype(np.float32)

    def sums(self, moved: Moved, foreground: Bytes) -> Floats:
        """Return window means (6, rows, columns): moving, moving·vx, moving·vy, energy, foreground, its shape."""
        sums = np.zeros((_CHANNELS, *self._scale.shape), np.float32)
        if moved.mask is not None and moved.velocity is not None and moved.difference is not None:
            self._pool(moved.mask, sums[0])
            self._pool(moved.velocity[0], sums[1])
            self._pool(moved.velocity[1], sums[2])
            self._pool(np.minimum(moved.difference, ENERGY_CAP), sums[3])
        self._pool(foreground, sums[4])
        self._pool(wideness(foreground, self._heights), sums[5])
        return sums

    def _pool(self, values: Floats | Bytes, out: Floats) -> None:
        """Put the mean of (h, w) values in every window into `out` (rows, columns)."""
        a, b, c, d = np.asarray(cv2.integral(values)).ravel().take(self._corners)
        out[:] = (a - b - c + d) * self._scale


def _span(
    centre: NDArray[np.float64], side: NDArray[np.float64], limit: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return first and one-past-last index of windows of `side` around `centre`, kept inside 0..limit."""
    first = np.clip(np.rint(centre - side / 2), 0, limit - 1).astype(np.intp)
    last = np.clip(np.rint(centre + side / 2), first + 1, limit).astype(np.intp)
    return first, last
