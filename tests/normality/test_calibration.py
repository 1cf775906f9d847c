"""Budgets on simulated score streams whose tails, dependence and cycles are known."""

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import norm

from surveil.clock import DAY_S
from surveil.features.normality.budget import COUNTED, FLOOR, GpdTail, Rarity, Threshold, set_threshold
from surveil.features.normality.peaks import KEEP, SLOT_S, Ladder, Peaks
from surveil.features.normality.tails import Tail


def stream(kind: str, days: float, seed: int, memory_s: float = 20.0, cycle: bool = False) -> np.ndarray:
    """A score a second: a Gaussian AR(1) mapped to a light, exponential or heavy tail above 2."""
    n = int(days * DAY_S)
    a = np.exp(-1 / memory_s)
    x = lfilter([1], [1, -a], np.random.default_rng(seed).standard_normal(n) * np.sqrt(1 - a * a))
    log_p = norm.logsf(x)
    shapes = {
        "light": lambda: np.sqrt(-2 * log_p),
        "exponential": lambda: -log_p / np.log(10),
        "heavy": lambda: 2 * (np.exp(-log_p / 4) - 1),
    }
    s = shapes[kind]()
    if cycle:
        s = s * (1 + 0.3 * np.sin(2 * np.pi * np.arange(n) / DAY_S))
    return np.maximum(s, 0) + FLOOR


def ladder(s: np.ndarray) -> Ladder:
    """As `Peaks` would give it, vectorised."""
    k = int(SLOT_S)
    slots = s[: len(s) // k * k].reshape(-1, k).max(1)
    order = np.argsort(-slots, kind="stable")[:KEEP]
    return Ladder.climb(slots[order], order.astype(np.int64), float(len(s)))


def test_peaks_in_a_stream_are_the_vectorised_ladder():
    s = stream("exponential", 0.05, 1)
    peaks = Peaks()
    for value in s:
        peaks.add(float(value), 1.0)
    mine, reference = peaks.ladder(), ladder(s)
    assert np.array_equal(mine.alarms[:200], reference.alarms[:200])
    assert np.allclose(mine.values[:200], reference.values[:200])


@pytest.mark.parametrize("kind", ["light", "exponential", "heavy"])
@pytest.mark.parametrize("cycle", [False, True])
def test_with_20_expected_alarms_the_budget_is_kept_within_half(kind, cycle):
    """The mean over streams; a single stream is off by its own Poisson noise."""
    budget, days, rates = 10.0, 2.0, []
    judge = [ladder(stream(kind, 10, 1000 + i, cycle=cycle)) for i in range(3)]
    for seed in range(6):
        threshold = set_threshold(ladder(stream(kind, days, seed, cycle=cycle)), budget)
        assert not threshold.provisional
        rates.append(sum(j.count(threshold.value) for j in judge) / 30)
    assert 0.5 * budget < np.mean(rates) < 1.5 * budget


def test_too_little_footage_claims_nothing_and_says_what_it_vouches_for():
    threshold = set_threshold(ladder(stream("exponential", 0.1, 3)), 0.5)
    assert threshold.provisional
    assert not threshold.supported
    assert threshold.words().startswith("too little footage for 0.5 a day: ")
    assert "support 200 a day; 0.5 days are needed to begin, 40 days to calibrate" in threshold.words()
    assert threshold.at_most > threshold.budget


def test_no_held_out_footage_claims_nothing():
    threshold = set_threshold(ladder(np.empty(0)), 0.5)
    assert not threshold.supported
    assert threshold.words() == "no held-out footage: no calibration for 0.5 a day; 40 days are needed"


@pytest.mark.slow
def test_more_footage_moves_from_unsupported_to_provisional_to_vouched():
    s = stream("exponential", 50, 4)
    states, said = [], []
    for days in (0.1, 1.0, 45.0):
        t = set_threshold(ladder(s[: int(days * DAY_S)]), 0.5)
        states.append((t.supported, t.provisional))
        said.append(t.words().split(" ")[0])
    assert states == [(False, True), (True, True), (True, False)]
    assert said == ["too", "provisional:", "calibrated:"]


def test_a_budget_of_zero_never_alerts():
    threshold = set_threshold(ladder(stream("heavy", 1, 5)), 0.0)
    assert threshold.value == float("inf")
    assert "never alerts" in threshold.words()


def test_a_budget_of_ten_thousand_stops_at_the_floor():
    threshold = set_threshold(ladder(stream("exponential", 1, 6) * 0.3), 10_000.0)
    assert threshold.value == FLOOR
    assert not threshold.provisional


def test_a_smaller_budget_never_has_a_lower_threshold():
    steps = ladder(stream("exponential", 3, 7))
    values = [set_threshold(steps, b).value for b in (0.1, 0.5, 2, 10, 50, 500)]
    assert values == sorted(values, reverse=True)


def test_a_stream_in_which_nothing_ever_happens_has_a_threshold():
    peaks = Peaks()
    for _ in range(1000):
        peaks.add(0.0, 10.0)
    threshold = set_threshold(peaks.ladder(), 0.5)
    assert threshold.value == FLOOR
    assert threshold.seen == 0


def test_no_footage_supports_nothing():
    threshold = set_threshold(Peaks().ladder(), 0.5)
    assert not threshold.supported
    assert threshold.at_most == float("inf")


def test_neighbouring_slots_are_one_alarm():
    steps = Ladder.climb(np.array([5.0, 4.0, 3.0, 2.0]), np.array([10, 11, 20, 12]), 1000.0)
    assert list(steps.alarms) == [1, 1, 2, 2]
    assert steps.count(3.5) == 1
    assert steps.count(2.5) == 2
    assert steps.count(6) == 0


def test_a_gap_separates_alarms():
    peaks = Peaks()
    peaks.add(5.0, SLOT_S)
    peaks.gap()
    peaks.add(5.0, SLOT_S)
    assert peaks.ladder().count(4.0) == 2


def test_peaks_survive_packing_and_merging():
    a, b = Peaks(), Peaks()
    rng = np.random.default_rng(0)
    for value, other in rng.exponential(1.0, (2000, 2)):
        a.add(float(value), 1.0)
        b.add(float(other), 1.0)
    again = Peaks.unpack(a.pack())
    assert again.ladder().count(4.5) == a.ladder().count(4.5) > 5
    before = a.ladder().count(4.5) + b.ladder().count(4.5)
    a.merge(b)
    assert a.seconds == 4000
    assert a.ladder().count(4.5) == before


def test_peaks_are_bounded():
    peaks = Peaks()
    rng = np.random.default_rng(0)
    for value in rng.exponential(1, KEEP + 1000):
        peaks.add(float(value), SLOT_S)
    assert len(peaks.ladder().values) == KEEP


def test_the_tail_and_its_inverse_agree():
    tail = GpdTail.fit(ladder(stream("heavy", 2, 8)))
    assert tail is not None
    for per_day in (1, 10, 50):
        assert tail.rate(tail.threshold(per_day / DAY_S)) * DAY_S == pytest.approx(per_day)


def test_rarity_counts_where_it_can_and_does_not_claim_beyond():
    steps = ladder(stream("exponential", 2, 9))
    rarity = Rarity(steps)
    assert rarity.once_in(steps.values[300]) < rarity.once_in(steps.values[10])
    assert rarity.once_in(1e6) == float("inf")


def test_surprise_of_the_median_is_a_third_and_the_tail_is_exponential():
    scores = np.random.default_rng(0).exponential(1.0, 20_000)
    tail = Tail.fit(scores)
    assert tail.surprise(float(np.median(scores))) == pytest.approx(0.3, abs=0.03)
    for decades in (2.0, 3.0, 5.0):
        assert tail.surprise(decades * np.log(10)) == pytest.approx(decades, rel=0.06)


def test_too_few_or_constant_scores_have_an_unknown_tail():
    assert Tail.fit(np.ones(1000)).excess == Tail.unknown().excess
    assert Tail.fit(np.arange(5.0)).excess == Tail.unknown().excess


def test_a_threshold_knows_how_long_is_needed():
    assert Threshold(value=3, budget=0.5, rate=1, at_most=1, held_out_s=10, seen=0).needed_s == 40 * DAY_S


@pytest.mark.parametrize("budget", [0.5, 30.0, 200.0])
def test_the_threshold_of_a_few_minutes_is_not_extrapolated(budget):
    """Eleven minutes have the threshold of five alarms: whatever rarer is asked for, no threshold is higher."""
    steps = ladder(stream("exponential", 660 / DAY_S, 11))
    threshold = set_threshold(steps, budget)
    assert threshold.rate == pytest.approx(COUNTED * DAY_S / 660)
    assert threshold.value < steps.values[0]
    assert 3 <= threshold.seen <= COUNTED
    assert f"threshold {threshold.value:.2f}" in threshold.words()


@pytest.mark.parametrize(("budget", "alerts"), [(0.5, False), (32.0, False), (33.0, True), (400.0, True)])
def test_a_daemon_alerts_once_the_footage_is_a_quarter_of_the_time_between_alarms(budget, alerts):
    assert set_threshold(ladder(stream("exponential", 660 / DAY_S, 11)), budget).supported is alerts
