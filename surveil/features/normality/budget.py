"""From a budget of alarms a day to a threshold, and which budget the footage supports.

Two estimators, chosen by measurement (docs/adr/0010-budget-on-event-peaks.md): where held-out footage holds
enough alarms of its own, the threshold is an order statistic of the event peaks, which needs no
assumption but that tomorrow is like the days seen (the conformal argument: Vovk et al., 2005). Beyond
that a generalised Pareto tail is fitted to the highest peaks (Pickands, 1975) by probability-weighted
moments (Hosking & Wallis, 1987), its shape shrunk towards exponential because few peaks say little
about it. Neither goes below `COUNTED` alarms in the footage: a threshold that was extrapolated from minutes of footage
loses the events that the same scores would have found.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, log

import numpy as np
from numpy.typing import NDArray

from surveil import poisson
from surveil.clock import DAY_S
from surveil.features.normality.peaks import Ladder
from surveil.features.normality.words import duration_words

MIN_ALARMS = 20.0
"""Expected alarms in the held-out footage from which the footage supports a rate: ± 45 % at 95 %."""
REACH = 4.0
"""Alerting begins with a budget of one alarm in this many times the footage."""
COUNTED = 5.0
"""Expected alarms in the held-out footage below which no threshold is set (ADR 16). Until the footage holds as many
of the budget, alarms are more frequent than asked for, ever less so: `COUNTED` · ln(20) = 15 in all."""
PEAKS = 200
"""On simulated streams with 20 expected alarms, the rate is off by more than half in 2 % of runs with 200 or
400 peaks, in 6 % with 30 peaks or an order statistic."""
COUNT_FROM = 60.0
"""Expected alarms from which the order statistic is as good as the tail; it is taken as it assumes less."""
FEW_PEAKS = 100
"""Below this many the order statistic is taken, whatever is expected: in eleven minutes with three expected alarms it
has 1.03 of them on simulated streams (off by more than half in 21 % of runs), the tail of 26 peaks .64 (51 %)."""
SHRINK = 30.0
"""Peaks whose weight the belief in an exponential tail has."""
CONFIDENCE = 0.95
FLOOR = 1.0
"""No threshold below this surprise, whatever the budget. The sum of the attributes counts half of what is common: in
eleven minutes of a drawn walkway no normal moment reaches two decades, and a threshold there loses two events of
three."""

SHORT_S, SHORT_FLOOR = 600.0, 2.0
"""Held-out footage (s) below which the floor is higher: minutes have seen too little to call one decade rare."""


@dataclass(frozen=True, slots=True)
class GpdTail:
    """Generalised Pareto tail of event peaks."""

    base: float
    scale: float
    shape: float
    per_second: float
    """Events above the base per second."""
    peaks: int
    """That it was fitted to."""

    @classmethod
    def fit(cls, ladder: Ladder, n: int = PEAKS) -> GpdTail | None:
        """Fit to the `n` highest peaks; None with fewer than five."""
        base, peaks = ladder.events(min(n, max(10, len(ladder.values) // 5)))
        if len(peaks) < 5 or ladder.seconds <= 0:
            return None
        scale, shape = _moments(peaks - base)
        return cls(base, scale, shape, len(peaks) / ladder.seconds, len(peaks))

    def rate(self, threshold: float) -> float:
        """Return alarms per second at `threshold`, for thresholds above the base."""
        z = max(0.0, threshold - self.base) / self.scale
        if abs(self.shape) < 1e-6:
            return self.per_second * exp(-z)
        inner = 1.0 + self.shape * z
        return float(self.per_second * exp(-log(inner) / self.shape)) if inner > 0 else 0.0

    def threshold(self, per_second: float) -> float:
        """Return the threshold with this rate of alarms."""
        ratio = self.per_second / per_second
        if ratio <= 1.0:
            return self.base
        if abs(self.shape) < 1e-6:
            return self.base + self.scale * log(ratio)
        return float(self.base + self.scale / self.shape * (ratio**self.shape - 1.0))


def _moments(excess: NDArray[np.float64]) -> tuple[float, float]:
    """Return (scale, shape) by probability-weighted moments, shape shrunk to 0 and kept in −0.2 … 0.5."""
    x = np.sort(np.maximum(excess, 0.0))
    n = len(x)
    mean = max(float(x.mean()), 1e-6)
    second = float(np.mean(x * (n - np.arange(1, n + 1)) / max(1, n - 1)))
    raw = 2.0 - mean / (mean - 2.0 * second) if mean > 2.0 * second else 0.5
    shape = min(0.5, max(-0.2, raw * n / (n + SHRINK)))
    return mean * (1.0 - shape), shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """The threshold for a budget, and what can be said about it."""

    value: float
    """Surprise (decades) that must be sustained."""
    budget: float
    """Alarms a day that were asked for."""
    rate: float
    """Alarms a day expected at `value`: more than the budget when the footage is too short for it."""
    at_most: float
    """Alarms a day that the held-out footage rules out exceeding (95 % Poisson bound)."""
    held_out_s: float
    seen: int
    """Alarms in the held-out footage at `value`."""

    @property
    def provisional(self) -> bool:
        """Whether the footage does not hold enough expected alarms to support the budget."""
        return not self.budget > 0.0 or self.budget * self.held_out_s / DAY_S < MIN_ALARMS

    @property
    def supported(self) -> bool:
        """Whether the budget is within reach of the footage: alerting may start, provisionally if need be."""
        return self.held_out_s > 0.0 and (
            self.budget <= 0.0 or self.budget >= 0.9999 * least_budget(self.held_out_s)
        )

    @property
    def needed_s(self) -> float:
        """Held-out footage (s) after which it supports the budget; infinite for a budget of 0."""
        return MIN_ALARMS * DAY_S / self.budget if self.budget > 0 else inf

    def words(self) -> str:
        """Say what is known and what is not."""
        seen = f"{self.seen} alarms in {duration_words(max(1.0, self.held_out_s))} of held-out footage"
        needed = f"{self.needed_s / DAY_S:.3g} days"
        if self.budget <= 0:
            return f"budget 0: never alerts ({seen})"
        if self.held_out_s <= 0:
            return f"no held-out footage: no calibration for {self.budget:g} a day; {needed} are needed"
        if not self.provisional:
            return (
                f"calibrated: {self.budget:g} a day, threshold {self.value:.2f} ({seen}; "
                f"at most {self.at_most:.2g} a day, 95 %)"
            )
        least = MIN_ALARMS * DAY_S / self.held_out_s
        if not self.supported:
            return (
                f"too little footage for {self.budget:g} a day: {seen} reach {self.rate:.3g} a day at best "
                f"(threshold {self.value:.2f}) and support {least:.3g} a day; "
                f"{1 / (REACH * self.budget):.3g} days are needed to begin, {needed} to calibrate it"
            )
        return (
            f"provisional: set for {self.rate:.3g} a day, requested {self.budget:g}, threshold {self.value:.2f}; "
            f"{seen} support {least:.3g} a day and exclude more than {self.at_most:.3g} (95 %); {needed} are needed"
        )


def least_budget(footage_s: float) -> float:
    """Return the smallest budget (alarms a day) that `footage_s` seconds of held-out footage allow to alert at."""
    return DAY_S / (REACH * footage_s) if footage_s > 0 else inf


def set_threshold(ladder: Ladder, budget: float) -> Threshold:
    """Return the threshold that spends `budget` alarms a day, as far as the footage supports it."""
    if budget <= 0:
        return _threshold(inf, budget, 0.0, ladder)
    rate = budget / DAY_S
    if ladder.seconds > 0:
        rate = max(rate, COUNTED / ladder.seconds)
    floor = FLOOR if ladder.seconds >= SHORT_S else SHORT_FLOOR
    value = max(floor, _value(ladder, rate))
    return _threshold(value, budget, rate * DAY_S, ladder)


def _threshold(value: float, budget: float, rate: float, ladder: Ladder) -> Threshold:
    seen = ladder.count(value)
    at_most = inf
    if ladder.seconds > 0:
        at_most = poisson.upper(seen, CONFIDENCE) / ladder.seconds * DAY_S
    return Threshold(
        value=value, budget=budget, rate=rate, at_most=at_most, held_out_s=ladder.seconds, seen=seen
    )


def _value(ladder: Ladder, per_second: float) -> float:
    expected = per_second * ladder.seconds
    tail = GpdTail.fit(ladder)
    if tail is None or tail.peaks < FEW_PEAKS or expected >= COUNT_FROM:
        return empirical(ladder, expected)
    return tail.threshold(per_second)


def empirical(ladder: Ladder, expected: float) -> float:
    """Return the threshold between the last slot that keeps within `expected` alarms and the next."""
    within = int(np.searchsorted(ladder.alarms, expected, side="right"))
    if within >= len(ladder.values):
        return 0.0 if len(ladder.values) == 0 else float(ladder.values[-1])
    above = float(ladder.values[within - 1]) if within else float(ladder.values[0])
    return (above + float(ladder.values[within])) / 2


class Rarity:
    """How often normal footage reaches a value: counted where there is enough, from the tail beyond."""

    def __init__(self, ladder: Ladder) -> None:
        self._ladder = ladder
        self._tail = GpdTail.fit(ladder)

    def once_in(self, value: float) -> float:
        """Return seconds between events that reach `value`; infinite where the footage cannot say."""
        count = self._ladder.count(value)
        if count >= MIN_ALARMS:
            return self._ladder.seconds / count
        if self._tail is None:
            return self._ladder.seconds / count if count else inf
        rate = self._tail.rate(value)
        # A tail from so few peaks is not believed further than a hundred times the footage.
        return 1.0 / rate if rate * self._ladder.seconds > 0.01 else inf
