"""What stands still is overlooked now and then; what has gone goes, and nobody gets its id."""

from random import Random

import numpy as np
import pytest

from surveil.track.settings import TrackSettings
from surveil.track.tracker import OVERLOOKED_S, Tracker
from surveil.track.tracklet import MissModel
from tests.track.test_tracker import LABELS, seen, walker

PLACE = walker(100)


class Watch:
    """A tracker that is fed at 5 fps."""

    def __init__(self, seed=0):
        self.tracker, self.random, self.t, self.tracks = Tracker(TrackSettings()), Random(seed), 0.0, ()

    def see(self, *boxes, unchanged=()):
        self.tracks = self.tracker.update(seen(*boxes), self.t, LABELS, unchanged=frozenset(unchanged))
        self.t = round(self.t + 0.2, 6)
        return [track.id for track in self.tracks]

    def now_and_then(self, seconds, share, unchanged=()):
        """Something in `PLACE` is found in `share` of the looks; return the ids that were seen."""
        return {
            number
            for _ in range(round(seconds * 5))
            for number in self.see(*[PLACE] * (self.random.random() < share), unchanged=unchanged)
        }

    def seconds_until_gone(self):
        began = self.t
        while self.see():
            assert self.t - began < 2 * OVERLOOKED_S
        return self.t - 0.2 - began


def parked(share, seconds=60.0, seed=0):
    """A watch of somebody who has stood in `PLACE` for `seconds`."""
    watch = Watch(seed)
    watch.now_and_then(10.0, 1.0)
    assert watch.now_and_then(seconds, share) == {1}
    return watch


@pytest.mark.parametrize("share", [0.35, 0.5, 0.8])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_found_now_and_then_is_there_all_the_time(share, seed):
    assert parked(share, seed=seed).see() == [1]


@pytest.mark.parametrize(("share", "at_most_s"), [(1.0, 2.7), (0.8, 2.7), (0.5, 8.0), (0.3, 20.0)])
def test_what_has_gone_goes_the_sooner_the_surer_it_was_found(share, at_most_s):
    assert parked(share, seed=1).seconds_until_gone() <= at_most_s


def test_an_object_is_settled_again_as_soon_as_it_is_found():
    watch = parked(0.5)
    watch.see()
    assert [(track.missed, track.is_settled) for track in watch.tracks] == [(True, False)]
    watch.see(PLACE)
    assert [(track.missed, track.is_settled) for track in watch.tracks] == [(False, True)]


def test_in_an_unchanged_place_no_number_of_misses_means_that_it_has_gone():
    watch = parked(1.0)
    assert watch.now_and_then(120.0, 0.0, unchanged=[1]) == {1}
    assert watch.tracks[0].is_settled
    assert watch.seconds_until_gone() < 20.0


@pytest.mark.slow
def test_what_nobody_has_found_for_ten_minutes_goes_even_from_an_unchanged_place():
    watch = parked(1.0)
    watch.now_and_then(OVERLOOKED_S - 1, 0.0, unchanged=[1])
    assert watch.see(unchanged=[1]) == [1]
    watch.now_and_then(4.0, 0.0, unchanged=[1])
    assert watch.see(unchanged=[1]) == []


@pytest.mark.parametrize("after_s", [0.4, 2.0, 3.0, 5.0])
def test_who_passes_the_place_that_somebody_has_left_does_not_get_his_id(after_s):
    watch = parked(0.4)
    watch.now_and_then(after_s, 0.0)
    boxes = {}
    for i in range(60):
        x = -100 + 10 * i
        watch.see(walker(x))
        boxes |= {track.id: x for track in watch.tracks if abs(track.box[0] - x) < 8}
    assert boxes == {2: 490}


def test_who_stops_where_somebody_has_stood_before_is_somebody_else():
    watch = parked(0.5)
    watch.now_and_then(12.0, 0.0)
    assert watch.see() == []
    for i in range(20):
        watch.see(walker(-90 + 10 * i if i < 19 else 100))
    assert watch.now_and_then(10.0, 0.5) == {2}


def test_who_walks_on_after_he_was_overlooked_keeps_his_id():
    watch = parked(0.5)
    watch.now_and_then(1.0, 0.0)
    seen_as = [watch.see(walker(100 + 8 * i)) for i in range(30)]
    assert {number for numbers in seen_as for number in numbers} == {1}


def test_misses_in_a_row_are_the_less_likely_the_surer_an_object_is_found():
    def after(history, misses):
        finds = MissModel()
        for found in history:
            finds.found() if found else finds.missed()
        for _ in range(misses):
            finds.missed()
        return finds.chance

    always, half = [True] * 60, [True, False] * 30
    assert after(always, 2) < 1e-4 < after(half, 10)
    assert after(always, 0) == 1.0
    # What was long ago is forgotten, and few looks leave much doubt.
    assert after(always + half * 3, 2) == pytest.approx(after(half * 4, 2), rel=0.2)
    assert after([True] * 3, 2) > 10 * after(always, 2)
    assert np.all(np.diff([after(half, n) for n in range(20)]) < 0)
