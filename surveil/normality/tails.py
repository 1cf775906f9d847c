"""Raw scores to surprise: −log10 of the probability that a normal frame scores at least as high.

Empirical below the 95 % quantile of held-out frames, and above it an exponential tail, whose one
parameter (the mean excess) is stable with a few minutes of footage. Heavier tails do no harm here:
surprise only makes attributes comparable, and the threshold is set on events (`peaks`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, log10

import numpy as np
from numpy.typing import NDArray

from surveil.types import Floats

KNEE = 0.95
KNOTS = 64
MIN_SCORES = 40


@dataclass(frozen=True, slots=True)
class Tail:
    """Distribution of one attribute's frame score on held-out normal frames in which something moved."""

    knots: Floats
    """Quantiles 0 … `KNEE` of the score, evenly spaced (KNOTS,), read-only."""
    excess: float
    """Mean excess above the knee."""

    @classmethod
    def fit(cls, scores: NDArray[np.float64], weights: NDArray[np.float64] | None = None) -> Tail:
        """Fit to frame scores (n,) that stand for `weights` (n,) seconds. Few scores give `unknown`."""
        if len(scores) < MIN_SCORES or float(np.ptp(scores)) == 0.0:
            return cls.unknown()
        order = np.argsort(scores, kind="stable")
        ranked = scores[order]
        mass = np.ones(len(scores)) if weights is None else weights[order]
        share = (np.cumsum(mass) - mass / 2) / mass.sum()
        knots = np.interp(np.linspace(0.0, KNEE, KNOTS), share, ranked).astype(np.float32)
        above = ranked > knots[-1]
        excess = float(np.average(ranked[above] - knots[-1], weights=mass[above])) if above.any() else 0.0
        knots.setflags(write=False)
        return cls(knots, max(excess, 1e-3 * max(1.0, float(abs(knots[-1])))))

    def mixed(self, other: Tail, share: float) -> Tail:
        """Return the tail between this one and another that has `share` (0..1) of the weight."""
        knots = ((1.0 - share) * self.knots + share * other.knots).astype(np.float32)
        knots.setflags(write=False)
        return Tail(knots, (1.0 - share) * self.excess + share * other.excess)

    @classmethod
    def unknown(cls) -> Tail:
        """Return the tail of a standard Gaussian's size: what is taken where nothing was seen to judge by."""
        knots = np.linspace(0.0, 2.0, KNOTS, dtype=np.float32)
        knots.setflags(write=False)
        return cls(knots, 0.5)

    def surprise(self, score: float) -> float:
        """Return −log10 of the tail probability of `score`, 0 or more."""
        knee = float(self.knots[-1])
        if score > knee:
            return -log10(1.0 - KNEE) + (score - knee) / (self.excess * log(10.0))
        place = float(np.searchsorted(self.knots, score, side="left")) / (KNOTS - 1)
        return -log10(max(1.0 - KNEE, 1.0 - KNEE * min(1.0, place)))
