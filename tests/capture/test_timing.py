"""Time: `t` never steps, lag is measured, recordings are the same on every run."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveil.capture.backoff import Backoff
from surveil.capture.damage import Damage, Holes
from surveil.capture.timing import Continuous, FileClock, Lag, StreamClock


def run_clock(stamps, arrivals):
    clock = StreamClock()
    return [clock.update(s, a, 0.0) for s, a in zip(stamps, arrivals, strict=True)]


def test_t_runs_with_the_stamps_not_with_the_jitter_of_arrival() -> None:
    stamps = [i / 15 for i in range(60)]
    dice = random.Random(1)
    arrivals = [1000 + s + dice.uniform(0, 0.05) for s in stamps]
    ts = run_clock(stamps, arrivals)
    assert ts == pytest.approx(stamps, abs=1e-9)


@pytest.mark.parametrize("jump", [100.0, -100.0, 5.0, -0.5])
def test_a_jump_of_the_camera_s_clock_is_one_ordinary_interval(jump: float) -> None:
    arrivals = [1000 + i / 10 for i in range(100)]
    stamps = [i / 10 + (jump if i >= 50 else 0) for i in range(100)]
    ts = run_clock(stamps, arrivals)
    assert max(b - a for a, b in itertools.pairwise(ts)) < 0.11
    assert ts[-1] == pytest.approx(9.9, abs=0.01)


@pytest.mark.parametrize("rate", [0.5, 0.97, 1.0, 1.03, 2.0])
def test_t_is_held_to_arrival_within_five_percent(rate: float) -> None:
    arrivals = [i / 10 for i in range(6000)]
    ts = run_clock([a * rate for a in arrivals], arrivals)
    assert 0.95 * arrivals[-1] - 6.01 <= ts[-1] <= 1.05 * arrivals[-1] + 1.01
    if 0.95 < rate < 1.05:
        assert ts[-1] == pytest.approx(rate * arrivals[-1], rel=1e-6)


def test_t_goes_on_over_a_reconnect_by_the_time_that_passed() -> None:
    clock = StreamClock()
    for i in range(10):
        clock.update(i / 10, 1000 + i / 10, 0.0)
    assert clock.at(1005.9) == pytest.approx(5.9)
    clock.restart()
    assert clock.update(77.0, 1010.9, 0.0) == pytest.approx(10.9)
    assert clock.update(77.1, 1011.0, 0.0) == pytest.approx(11.0)


def test_frames_without_stamps_are_timed_by_arrival() -> None:
    assert run_clock([None] * 4, [5.0, 5.2, 5.3, 5.7]) == pytest.approx([0.0, 0.2, 0.3, 0.7])


@given(
    st.lists(st.tuples(st.one_of(st.none(), st.floats(-1e6, 1e6)), st.floats(0, 5)), min_size=2, max_size=60)
)
def test_t_only_ever_grows(frames) -> None:
    clock, arrived, last = StreamClock(), 0.0, None
    for stamp, pause in frames:
        arrived += pause
        t = clock.update(stamp, arrived, 0.0)
        assert last is None or t > last
        last = t


def lag_of(stamps, arrivals, waited):
    lag = Lag()
    return [lag.update(s, a, waited=w) for s, a, w in zip(stamps, arrivals, waited, strict=True)]


def test_a_decoder_that_is_too_slow_shows_as_lag() -> None:
    """15 fps come, 10 are decoded: 9.7 s behind after 25 s of stream, unless something is done."""
    arrivals = [i / 10 for i in range(300)]
    lags = lag_of([i / 15 for i in range(300)], arrivals, [False] * 300)
    assert lags[-1] == pytest.approx(299 / 10 - 299 / 15)


def test_a_constant_delay_and_jitter_are_no_lag() -> None:
    dice = random.Random(2)
    stamps = [i / 15 for i in range(3000)]
    lags = lag_of(stamps, [s + 0.5 + dice.uniform(0, 0.1) for s in stamps], [True] * 3000)
    assert max(lags) <= 0.1


def test_a_camera_clock_that_runs_slow_is_no_lag_while_reads_have_to_wait() -> None:
    arrivals = [i / 15 for i in range(15 * 600)]
    lags = lag_of([a * 0.97 for a in arrivals], arrivals, [True] * len(arrivals))
    assert max(lags) < 0.01


def test_a_backlog_is_not_forgotten() -> None:
    """The least difference stands still as long as data lies in front of us."""
    lag = Lag()
    lag.update(0.0, 0.0, waited=True)
    for i in range(1, 9000):
        lag.update(i / 15, 2.0 + i / 15, waited=False)
    assert lag.seconds == pytest.approx(2.0)


def test_a_jump_of_the_clock_is_no_lag() -> None:
    arrivals = [i / 10 for i in range(100)]
    stamps = [a + (100 if a > 5 else 0) for a in arrivals]
    assert max(lag_of(stamps, arrivals, [True] * 100)) < 0.01


def test_the_first_stamp_counts_nothing() -> None:
    stream = Continuous()
    assert stream.update(12345.0, 10.0, 0.0) == 0.0
    assert stream.update(12345.5, 10.5, 0.0) == 0.5


def test_a_recording_is_timed_by_its_stamps_alone() -> None:
    clock = FileClock(1 / 10)
    stamps = [5.0, 5.1, 5.2, None, 5.4, 105.0, 105.1, 3.0]
    expected = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert [clock.update(s) for s in stamps] == pytest.approx(expected)


def test_a_repeated_recording_goes_on() -> None:
    clock = FileClock()
    for stamp in (0.0, 0.5, 1.0):
        clock.update(stamp)
    clock.restart()
    assert clock.update(0.0) == pytest.approx(1.5)


def test_damage_lasts_until_the_next_whole_key_frame() -> None:
    damage = Damage(5.0)
    feed = [
        (True, False),
        (False, False),
        (False, True),
        (False, False),
        (True, True),
        (False, False),
        (True, False),
    ]
    seen = []
    for i, (key, broken) in enumerate(feed):
        damage.update(i / 10, key=key, broken=broken)
        seen.append(damage.damaged)
    assert seen == [False, False, True, True, True, True, False]


def test_nothing_but_damage_for_five_seconds_is_degraded() -> None:
    damage = Damage(5.0)
    begins = [damage.update(i / 10, key=i % 10 == 0, broken=i % 10 == 0) for i in range(100)]
    assert (begins[0], sum(begins)) == (True, 1)
    assert damage.degraded
    damage.update(10.0, key=True, broken=False)
    assert (damage.damaged, damage.degraded) == (False, False)


def test_a_hole_is_a_sudden_gap_in_the_stamps() -> None:
    holes = Holes()
    stamps = [i / 15 for i in range(30)] + [i / 15 for i in range(36, 60)]
    assert [i for i, s in enumerate(stamps) if holes.update(s)] == [30]


def test_a_camera_that_slows_down_in_the_dark_has_no_holes() -> None:
    holes, stamp, found = Holes(), 0.0, 0
    for i in range(300):
        stamp += 1 / 25 if i < 100 else 1 / 12.5
        found += holes.update(stamp)
    assert found == 0


def test_back_off_grows_to_thirty_seconds_with_jitter_and_starts_anew_after_health() -> None:
    backoff = Backoff(random.Random(4))
    waits = [backoff.delay_s(0.0) for _ in range(12)]
    for n, wait in enumerate(waits):
        full = min(30.0, 0.5 * 2**n)
        assert full / 2 <= wait <= full
    assert backoff.delay_s(60.0) <= 0.5
    assert len({round(w, 6) for w in waits[7:]}) == 5
