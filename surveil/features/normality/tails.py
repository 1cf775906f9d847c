"""Raw scores to surprise: −log10 of the probability that a normal frame scores at least as high.

Empirical below the 95 % quantile of held-out frames. Above it the excess is exponential with a mean that is not
known but estimated from few independent episodes, so what is taken is the *predictive* tail,
(1 + x / (n · mean)) ** −n: nearly exponential after a hundred episodes, and much less sure of itself after two.
Extrapolating as if the mean were known, an attribute that 48 seconds of footage said next to nothing about drowned
the others (`docs/adr/0013-what-adds-up-to-a-surprise.md`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log10

import numpy as np
from numpy.typing import NDArray

from surveil.types import BoolMap, Floats

KNEE = 0.95
KNOTS = 64
MIN_SCORES = 40
EPISODE_S = 3.0
"""Exceedances of the knee further apart than this are independent: about how long somebody stays in one place."""
MAX_EPISODES = 1000.0
"""More make no difference."""


@dataclass(frozen=True, slots=True)
class Tail:
    """Distribution of one attribute's frame score on held-out normal frames in which something moved."""

    knots: Floats
    """Quantiles 0 … `KNEE` of the score, evenly spaced (KNOTS,), read-only."""
    excess: float
    """Mean excess above the knee."""
    episodes: float = 0.0
    """Independent episodes above the knee; 0: nothing is known."""

    @classmethod
    def fit(
        cls,
        scores: NDArray[np.float64],
        weights: NDArray[np.float64] | None = None,
        times: NDArray[np.float64] | None = None,
    ) -> Tail:
        """Fit to frame scores (n,) at `times` (n,) s that stand for `weights` (n,) seconds. Few give `unknown`.

        Without `times` every score is an episode of its own.
        """
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
        apart = np.arange(len(scores), dtype=np.float64) * 2 * EPISODE_S
        when = apart if times is None else times
        episodes = _episodes(when, scores > knots[-1])
        return cls(knots, max(excess, 1e-3 * max(1.0, float(abs(knots[-1])))), min(MAX_EPISODES, episodes))

    def mixed(self, other: Tail, share: float) -> Tail:
        """Return the tail between this one and another that has `share` (0..1) of the weight."""
        knots = ((1.0 - share) * self.knots + share * other.knots).astype(np.float32)
        knots.setflags(write=False)
        excess = (1.0 - share) * self.excess + share * other.excess
        return Tail(knots, excess, min(MAX_EPISODES, self.episodes + other.episodes))

    @classmethod
    def unknown(cls) -> Tail:
        """Return the tail of a standard Gaussian's size: what is taken where nothing was seen to judge by."""
        knots = np.linspace(0.0, 2.0, KNOTS, dtype=np.float32)
        knots.setflags(write=False)
        return cls(knots, 0.5)

    def trust(self, half: float) -> float:
        """Return how much of a say the attribute has, 0..1: half after `half` episodes."""
        n = max(1.0, self.episodes)
        return n / (n + half)

    def surprise(self, score: float) -> float:
        """Return −log10 of the tail probability of `score`, 0 or more."""
        knee = float(self.knots[-1])
        if score > knee:
            n = max(1.0, self.episodes)
            return -log10(1.0 - KNEE) + n * log10(1.0 + (score - knee) / (n * self.excess))
        place = float(np.searchsorted(self.knots, score, side="left")) / (KNOTS - 1)
        return -log10(max(1.0 - KNEE, 1.0 - KNEE * min(1.0, place)))


def _episodes(times: NDArray[np.float64], above: BoolMap) -> float:
    """Count runs of what is `above` without a hole; `times` (n,) s step back where another recording begins."""
    steps = np.diff(times, prepend=times[0])
    footage = np.cumsum(np.where(steps < 0.0, 2 * EPISODE_S, steps))[above]
    return float(np.count_nonzero(np.diff(footage) > EPISODE_S) + 1) if len(footage) else 0.0
