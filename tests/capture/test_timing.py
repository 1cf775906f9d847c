"""Time: `t` never steps, lag is measured, recordings are the same on every run."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveil.capture.backoff import Backoff
from surveil.capture.decoder import Damage
from surveil.capture.timing import Continuous, FileClock, Lag, ReadQueue, StreamClock


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
    assert max(b - a for a, b in pairwise(ts)) < 0.11
    assert ts[-1] == pytest.approx(9.9, abs=0.01)


@pytest.mark.parametrize("rate", [0.0, 1 / 90, 0.4, 0.84, 0.95, 0.97, 1.0, 1.03, 2.0])
def test_t_runs_as_fast_as_arrival_whatever_the_stamps_do(rate: float) -> None:
    arrivals = [i / 10 for i in range(6000)]
    ts = run_clock([a * rate for a in arrivals], arrivals)
    assert all(-0.5 <= t - a <= 1.01 for t, a in zip(ts, arrivals, strict=True))
    # Analysis at a fixed rate of `t` has as many frames as that of an honest camera.
    assert sum(int(b) > int(a) for a, b in pairwise(ts)) >= 0.99 * 599


@pytest.mark.parametrize("fps", [0.5, 1, 2])
def test_slow_pictures_with_a_constant_stamp_are_paced_by_arrival(fps: float) -> None:
    arrivals = [i / fps for i in range(200)]
    ts = run_clock([7.0] * 200, arrivals)
    assert ts[-1] - ts[20] == pytest.approx(arrivals[-1] - arrivals[20], abs=0.5)


def test_a_stall_and_the_burst_after_it_do_not_bend_time() -> None:
    """The network holds two seconds of pictures up: objects do not jump in them."""
    stamps = [i / 10 for i in range(200)]
    arrivals = [7.0 if 5.0 < s <= 7.0 else s for s in stamps]
    assert run_clock(stamps, arrivals) == pytest.approx(stamps, abs=1e-6)


@pytest.mark.parametrize("stray", [-9800.0, 37_600.0, -0.5, 0.7])
def test_one_picture_stamped_elsewhere_now_and_then_does_not_bend_time(stray: float) -> None:
    arrivals = [i / 10 for i in range(600)]
    stamps = [a + (stray if i % 20 == 13 else 0.0) for i, a in enumerate(arrivals)]
    assert run_clock(stamps, arrivals) == pytest.approx(arrivals, abs=0.11 if stray != 0.7 else 1.0)


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


@pytest.mark.parametrize("rate", [0.0, 1 / 90, 0.4, 0.84, 0.94, 0.97])
def test_stamps_that_run_slow_are_no_lag_while_reads_have_to_wait(rate: float) -> None:
    arrivals = [i / 15 for i in range(15 * 600)]
    assert max(lag_of([a * rate for a in arrivals], arrivals, [True] * len(arrivals))) < 0.01


def test_a_fresh_connection_has_no_lag() -> None:
    assert Lag().update(0.0, 1e6, waited=False) == 0.0


def waits(intervals, read_s):
    """Return what a queue says of reads that take `read_s` of each interval."""
    queue, now, found = ReadQueue(), 0.0, []
    for interval, read in zip(intervals, read_s, strict=True):
        now += interval
        found.append(queue.update(now - read, now))
    return found


def test_reads_that_block_have_nothing_queued_in_front_of_them() -> None:
    assert all(waits([0.1] * 50, [0.06] * 50)[5:])
    # Ten pictures at once, then a pause.
    assert waits([1.0, *[0.001] * 9] * 5, [0.99, *[0.0005] * 9] * 5)[::10] == [True] * 5


def test_a_read_that_a_busy_machine_holds_up_proves_nothing() -> None:
    """A decoder that is too slow: 130 ms a picture, and reads that return at once but for some of 20 ms."""
    reads = [0.02 if i % 5 == 0 else 0.0005 for i in range(100)]
    assert not any(waits([0.13] * 100, reads)[20:])


def test_a_backlog_is_not_forgotten() -> None:
    """It stays as long as reads do not have to wait."""
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


@pytest.mark.parametrize("stray", [-9800.0, 37_600.0, -5.0, 5.0, -0.5])
def test_a_picture_of_a_recording_stamped_elsewhere_now_and_then_does_not_stretch_it(stray: float) -> None:
    clock = FileClock(1 / 10)
    stamps = [i / 10 + (stray if i % 100 == 53 else 0.0) for i in range(600)]
    ts = [clock.update(s) for s in stamps]
    assert all(b > a for a, b in pairwise(ts))
    assert ts[-1] == pytest.approx(59.9, abs=0.2 if stray != 5.0 else 0.6)  # five seconds take fifty frames


def test_a_recording_that_begins_again_in_the_middle_goes_on() -> None:
    clock = FileClock(1 / 10)
    ts = [clock.update(s) for s in [*(i / 10 for i in range(50)), *(i / 10 for i in range(50))]]
    assert ts == pytest.approx([i / 10 for i in range(100)])


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


def test_back_off_grows_to_thirty_seconds_with_jitter_and_starts_anew_after_health() -> None:
    backoff = Backoff(random.Random(4))
    waits = [backoff.delay_s(0.0) for _ in range(12)]
    for n, wait in enumerate(waits):
        full = min(30.0, 0.5 * 2**n)
        assert full / 2 <= wait <= full
    assert backoff.delay_s(60.0) <= 0.5
    assert len({round(w, 6) for w in waits[7:]}) == 5
