"""Geometry of a scene, needed before motion can be pooled: background, and size of people by row.

The height of people only sizes the pooling window; where too few whole people are seen the default
window is used. The background is a median over a bounded, evenly thinned sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from surveil.features.normality.plane import PlaneSize, equalised, half
from surveil.types import BoolMap, Bytes, Doubles

SAMPLES = 240
"""Frames kept for the background, at most; at half resolution that is 5 MB for a 4:3 camera."""
MIN_HEIGHT, MAX_HEIGHT, DEFAULT_HEIGHT = 14.0, 120.0, 36.0
"""Height of a person, px of the plane."""
SILHOUETTE = 15
MIN_BLOBS = 10
BIN = 10
"""Rows of the plane per bin of the fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Background and perspective of one camera."""

    size: PlaneSize
    background: Bytes
    """Half-resolution median, uint8 (h/2, w/2), read-only."""
    slope: float
    """Growth of a person's height per row of the foot, px/px."""
    offset: float
    """Height at row 0, px of the plane."""
    equalise: bool = False
    """Whether planes have their local contrast stretched first."""

    def prepared(self, plane: Bytes) -> Bytes:
        """Return the plane as features are made of it."""
        return equalised(plane) if self.equalise else plane

    def height_at(self, row: float) -> float:
        """Return the height (px of the plane) of a person centred on `row`."""
        slope = min(self.slope, 1.0)
        return min(MAX_HEIGHT, max(MIN_HEIGHT, (slope * row + self.offset) / (1.0 - slope / 2)))


def same_geometry(a: Geometry, b: Geometry) -> bool:
    """Whether two geometries are equal: one may have been to a file and back."""
    alike = (a.size, a.slope, a.offset, a.equalise) == (b.size, b.slope, b.offset, b.equalise)
    return alike and np.array_equal(a.background, b.background)


@dataclass(frozen=True, slots=True)
class _Pair:
    now: Bytes
    before: Bytes


class GeometrySketch:
    """Collects pairs of frames, evenly over any length of footage, in bounded memory; fits a `Geometry`."""

    def __init__(self, size: PlaneSize, every_s: float = 0.5, *, equalise: bool = False) -> None:
        self.size = size
        self._equalise = equalise
        self._every_s = every_s
        self._pairs: list[_Pair] = []
        self._last: tuple[float, Bytes] | None = None
        self._due = -np.inf

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._pairs)

    def wants(self, t: float) -> bool:
        """Whether `add` would look at a frame of stream time `t` (s)."""
        return t >= self._due or self._last is not None

    def add(self, plane: Bytes, t: float) -> None:
        """Offer a frame of stream time `t` (s); most are declined."""
        if self._last is not None and not 0.0 < t - self._last[0] <= 0.5:
            self._last, self._due = None, min(self._due, t)
        if t < self._due:
            return
        small = half(equalised(plane) if self._equalise else plane)
        if self._last is None:
            self._last = (t, small)
        elif t - self._last[0] >= 0.15:
            self._pairs.append(_Pair(small, self._last[1]))
            self._last, self._due = None, t + self._every_s
            self._thin()

    def _thin(self) -> None:
        if len(self._pairs) > SAMPLES:
            self._pairs = self._pairs[::2]
            self._every_s *= 2

    def fit(self) -> Geometry:
        """Return the geometry of what was seen.

        Raises ValueError when nothing was sampled.
        """
        if not self._pairs:
            raise ValueError("no two frames close in time: nothing to learn a background from")
        background = np.median(np.stack([pair.now for pair in self._pairs]), axis=0).astype(np.uint8)
        background.setflags(write=False)
        slope, offset = _perspective(background, self._pairs)
        return Geometry(
            size=self.size, background=background, slope=slope, offset=offset, equalise=self._equalise
        )


def _perspective(background: Bytes, pairs: list[_Pair]) -> tuple[float, float]:
    """Fit height against foot row (Theil-Sen, bins of equal weight); (0, default) without enough people."""
    seen = np.array([blob for pair in pairs for blob in _people(background, pair)], np.float64).reshape(-1, 2)
    bins = (seen[:, 0] // BIN).astype(int)
    rows, heights = [], []
    for b in np.unique(bins):
        inside = seen[bins == b]
        if len(inside) >= MIN_BLOBS:
            rows.append(float(inside[:, 0].mean()))
            heights.append(float(np.median(inside[:, 1])))
    if not rows:
        return 0.0, DEFAULT_HEIGHT
    if len(rows) < 4:
        return 0.0, float(np.median(heights))
    slope, offset = _theil_sen(np.array(rows), np.array(heights))
    return (slope, offset) if slope >= 0 else (0.0, float(np.median(heights)))


def _theil_sen(x: Doubles, y: Doubles) -> tuple[float, float]:
    """Return slope and offset of a line: median slope of all pairs, through the medians (P. Sen, 1968)."""
    i, j = np.triu_indices(len(x), 1)
    slope = float(np.median((y[j] - y[i]) / (x[j] - x[i])))
    return slope, float(np.median(y)) - slope * float(np.median(x))


def _people(background: Bytes, pair: _Pair) -> list[tuple[float, float]]:
    """Return (foot row, height) in px of the plane of upright silhouettes that move."""
    silhouette = cv2.absdiff(pair.now, background) > SILHOUETTE
    moving = cv2.absdiff(pair.now, pair.before) > SILHOUETTE
    count, labels, stats, _ = cv2.connectedComponentsWithStats(silhouette.astype(np.uint8))
    rows, columns = silhouette.shape
    found = []
    for i in range(1, count):
        x, y, w, h, area = (int(v) for v in stats[i])
        touches = x == 0 or y == 0 or x + w == columns or y + h == rows
        if touches or h < 6 or not 1.5 * w <= h <= 4 * w or area < 0.4 * w * h:
            continue
        if _share(moving, labels, i, (x, y, w, h), area) >= 0.2:
            found.append((2.0 * (y + h), 2.0 * h))
    return found


def _share(
    moving: BoolMap, labels: cv2.typing.MatLike, i: int, box: tuple[int, int, int, int], area: int
) -> float:
    x, y, w, h = box
    part = np.s_[y : y + h, x : x + w]
    return float(np.count_nonzero(moving[part] & (labels[part] == i))) / area
