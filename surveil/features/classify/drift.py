"""Whether a running classifier still sees what it was trained for."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

_MEMORY = 0.02


@dataclass(slots=True)
class Drift:
    """How far the running scores are from those of the validation split: 0 alike, 1 elsewhere. One thread's."""

    quantiles: tuple[float, ...]
    _shares: list[float] = field(default_factory=list)

    def add(self, score: float) -> None:
        """Count one score, with an exponential memory of some 50."""
        place = int(np.searchsorted(self.quantiles[1:-1], score, side="right"))
        bins = len(self.quantiles) - 1
        if not self._shares:
            self._shares = [1 / bins] * bins
        self._shares = [s * (1 - _MEMORY) + _MEMORY * (k == place) for k, s in enumerate(self._shares)]

    @property
    def value(self) -> float:
        """Largest difference between the two cumulative distributions (Kolmogorov-Smirnov)."""
        if not self._shares:
            return 0.0
        expected = np.arange(1, len(self._shares) + 1) / len(self._shares)
        return float(np.abs(np.cumsum(self._shares) - expected).max())
