"""Sums per cell that describe what was usual there: one pass, additive, mergeable, fading.

Weight, first and second moments per cell are all that is kept. Before use they are smoothed with a
Gaussian kernel over neighbouring cells (the *sums* are smoothed, not the means, so that a busy cell
outweighs an empty one) and mixed with pseudo-samples of the whole scene, which is what a cell that
never saw anything falls back to.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from surveil.types import BoolMap, Floats

Sums = NDArray[np.float64]

SAMPLE_S = 0.1
"""Footage that makes a sample of weight 1: a 5 fps and a 25 fps camera learn equally from an hour."""
PSEUDO_SAMPLES = 500.0
SIGMA_ROWS, SIGMA_COLUMNS = 2.0, 6.0
PRIOR = 1.0
"""Weight of the attribute's own prior: decides only where next to nothing ever moved."""


@dataclass(slots=True)
class CellSums:
    """Weighted moments of a d-dimensional value per cell. Owned by one learner; `copy` before sharing."""

    weight: Sums
    """(rows, columns)."""
    first: Sums
    """(d, rows, columns)."""
    second: Sums
    """(d, d, rows, columns)."""

    @classmethod
    def zeros(cls, d: int, rows: int, columns: int) -> CellSums:
        """Return sums of nothing."""
        return cls(np.zeros((rows, columns)), np.zeros((d, rows, columns)), np.zeros((d, d, rows, columns)))

    def add(self, values: Floats, active: BoolMap, weight: float) -> None:
        """Add one frame: `values` (d, rows, columns) where `active` (rows, columns)."""
        # All cells at once, those that are not active with a weight of 0: picking them out takes longer.
        mass = active * weight
        self.weight += mass
        for i, x in enumerate(values):
            weighted = x * mass
            self.first[i] += weighted
            for j, y in enumerate(values):
                self.second[i, j] += weighted * y

    def add_scaled(self, other: CellSums, factor: float = 1.0) -> None:
        """Add another's sums times `factor`."""
        self.weight += factor * other.weight
        self.first += factor * other.first
        self.second += factor * other.second

    def scaled(self, factor: float) -> CellSums:
        """Return a copy times `factor`: how old days fade."""
        return CellSums(self.weight * factor, self.first * factor, self.second * factor)

    def fit(self, prior: Usual, sigma: tuple[float, float] = (SIGMA_ROWS, SIGMA_COLUMNS)) -> Usual:
        """Return mean and inverse covariance per cell; `prior` gives global values when nothing was seen."""
        n, first, second = self._scene(prior)
        gain = PSEUDO_SAMPLES / n
        weight = smooth(self.weight, sigma) + PSEUDO_SAMPLES
        mean = (smooth(self.first, sigma) + gain * first[:, None, None]) / weight
        raw = (smooth(self.second, sigma) + gain * second[..., None, None]) / weight
        covariance = raw - mean[:, None] * mean[None, :] + prior.floor[..., None, None]
        inverse = np.linalg.inv(covariance.transpose(2, 3, 0, 1)).transpose(2, 3, 0, 1)
        return Usual(mean.astype(np.float32), inverse.astype(np.float32), prior.floor)

    def _scene(self, prior: Usual) -> tuple[float, Sums, Sums]:
        mean = prior.mean[:, 0, 0].astype(np.float64)
        spread = np.linalg.inv(prior.inverse[:, :, 0, 0].astype(np.float64))
        n = float(self.weight.sum()) + PRIOR
        first = self.first.sum(axis=(1, 2)) + PRIOR * mean
        second = self.second.sum(axis=(2, 3)) + PRIOR * (spread + np.outer(mean, mean))
        return n, first, second


@dataclass(frozen=True)
class Usual:
    """What is usual per cell: a Gaussian."""

    mean: Floats
    """(d, rows, columns)."""
    inverse: Floats
    """Inverse covariance (d, d, rows, columns)."""
    floor: Sums
    """Added to the covariance (d, d): the noise of the measurement."""

    @classmethod
    def prior(cls, mean: tuple[float, ...], sd: tuple[float, ...], floor: tuple[float, ...]) -> Usual:
        """Return a single-cell prior with independent components."""
        spread = np.diag(1.0 / np.square(np.array(sd))).astype(np.float32)
        centre = np.array(mean, np.float32)[:, None, None]
        return cls(
            centre, np.asarray(spread[..., None, None], np.float32), np.diag(np.array(floor, np.float64))
        )

    def excess(self, values: Floats) -> Floats:
        """Return (value − mean) / sd (rows, columns) of a one-dimensional attribute: high is unusual."""
        return np.asarray((values[0] - self.mean[0]) * self._per_sd, np.float32)

    @cached_property
    def _per_sd(self) -> Floats:
        return np.asarray(np.sqrt(self.inverse[0, 0]), np.float32)

    def distance(self, values: Floats) -> Floats:
        """Return the Mahalanobis distance (rows, columns)."""
        x = values - self.mean
        square = sum(x[i] * x[j] * self.inverse[i, j] for i in range(len(x)) for j in range(len(x)))
        return np.asarray(np.sqrt(np.maximum(square, np.float32(0.0))), np.float32)

    def sd_at(self, row: int, column: int) -> float:
        """Return the standard deviation of the first component at a cell."""
        covariance = np.linalg.inv(self.inverse[:, :, row, column].astype(np.float64))
        return float(np.sqrt(covariance[0, 0]))


def smooth(sums: Sums, sigma: tuple[float, float] = (SIGMA_ROWS, SIGMA_COLUMNS)) -> Sums:
    """Sums over neighbours, weighted by a kernel that is 1 at its centre: a lonely cell keeps its weight."""
    ky, kx = _kernel(sigma[0]), _kernel(sigma[1])
    flat = sums.reshape(-1, *sums.shape[-2:])
    border = cv2.BORDER_CONSTANT
    done = [cv2.sepFilter2D(plane, cv2.CV_64F, kx, ky, borderType=border) for plane in flat]
    return np.asarray(np.stack(done), np.float64).reshape(sums.shape)


def _kernel(sigma: float) -> Sums:
    reach = int(3 * sigma)
    return np.asarray(np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / sigma)), np.float64)
