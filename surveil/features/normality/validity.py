"""Whether a model still fits its camera: moved, drifted, too old, another resolution. Each with a reason."""

from __future__ import annotations

from math import exp

import cv2
import numpy as np

from surveil.features.normality.geometry import Geometry
from surveil.features.normality.plane import half
from surveil.types import Bytes, Floats

CHECK_S = 10.0
MOVED_S = 60.0
MOVED_BELOW = 0.2
"""Correlation of fine edges with those of the background that was learned: some .65 with a crowd in the picture,
.3 after a shift of eight pixels or at night with noise, near 0 when the camera looks elsewhere."""
DRIFT_S = 3600.0
"""Seconds of movement over which drift is averaged."""
DRIFTED = 5.0
"""Five times as many scores above the 95 % quantile as when it was learned: one in four."""


class MovedWatch:
    """Correlates the edges of the picture with those of the background. Owned by the slot's holder."""

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = geometry
        self._edges = _edges(geometry.background)
        self._due = -np.inf
        self._bad_since: float | None = None
        self.correlation = 1.0

    def update(self, plane: Bytes, t: float) -> bool:
        """Return whether the camera has looked elsewhere for a minute; checks every ten seconds."""
        if t >= self._due or t < self._due - 2 * CHECK_S:
            self._due = t + CHECK_S
            self.correlation = _correlation(self._edges, _edges(half(self._geometry.prepared(plane))))
            if self.correlation >= MOVED_BELOW:
                self._bad_since = None
            elif self._bad_since is None or t < self._bad_since:
                self._bad_since = t
        return self._bad_since is not None and t - self._bad_since >= MOVED_S


def _edges(small: Bytes) -> Floats:
    smooth = cv2.GaussianBlur(small, (0, 0), 1.5)
    x = cv2.Sobel(smooth, cv2.CV_32F, 1, 0)
    y = cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    edges = np.log1p(cv2.magnitude(x, y))
    # Only fine structure tells a moved camera: sky above and road below stay where they are.
    edges -= cv2.GaussianBlur(edges, (0, 0), 4.0)
    return np.asarray(edges, np.float32)


def _correlation(a: Floats, b: Floats) -> float:
    """Return the correlation of two zero-mean edge maps; 1 when the learned one is featureless."""
    norm = float(np.linalg.norm(a))
    if norm < 1e-3:
        return 1.0
    return float((a * b).sum()) / (norm * max(1e-3, float(np.linalg.norm(b))))


class DriftWatch:
    """Share of moving time spent above the learned 95 % quantile, in multiples of the 5 % it should be."""

    def __init__(self) -> None:
        self.ratio = 1.0
        self._watched = 0.0

    def update(self, above: bool, dt: float) -> None:
        """Take a frame in which something moved, and that stands for `dt` seconds."""
        self._watched += dt
        keep = exp(-dt / DRIFT_S)
        self.ratio = keep * self.ratio + (1.0 - keep) * (20.0 if above else 0.0)

    @property
    def drifted(self) -> bool:
        """Whether what is normal has changed. Not said in the first quarter of an hour of movement."""
        return self._watched > DRIFT_S / 4 and self.ratio > DRIFTED
