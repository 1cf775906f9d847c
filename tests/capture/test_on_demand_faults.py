"""Decoding on demand where the stream, the network or the analysis does not keep to what was learned."""

from __future__ import annotations

import pytest

from surveil.capture.avsource import AvSource
from surveil.capture.pace import Pace
from surveil.lane import Drop
from surveil.reasons import DecodeWhy
from tests.capture.viewer import Cut, Viewer, both, pictures


@pytest.mark.parametrize(("gop", "reaction_s"), [(15, 4.0), (5, 2.0)])
def test_a_wake_goes_back_to_the_look_before_however_long_ago_that_was(clip, gop, reaction_s):
    """Before, what had waited for longer than a group and 1.5 s was given up, though the analysis was never late."""
    demand, full = both(clip((10.4, 14.5), gop=gop), idle_reaction_s=reaction_s)
    assert full.moved
    assert pictures(demand.moved) == pictures(full.moved)
    assert (demand.books.dropped[Drop.BEHIND], demand.loop.status.decode) == (0, DecodeWhy.PROVEN)
    assert demand.is_balanced()


class Stalled(Cut):
    """A camera whose network holds the packets of 2.5 s up, and then brings them at once."""

    def read(self):
        self._work()
        arrival = AvSource.read(self)
        if arrival is not None and arrival.stamp is not None:
            moment = 12.8 if 10.3 <= arrival.stamp < 12.8 else arrival.stamp
            self._clock.advance(max(0.0, self._began + moment - self._clock.monotonic()))
        return arrival


def test_who_came_while_the_network_was_stalled_is_seen_from_the_first_frame_on(clip):
    """Before, the burst counted as an analysis that is late: 2 s of a visit were given up."""
    demand = Viewer(clip((10.4, 14.5)), camera=Stalled)
    moved = [frame.t for frame in demand.moved if frame.t > 6]
    assert moved[0] == pytest.approx(10.4, abs=0.01)
    assert demand.books.dropped[Drop.BEHIND] == 0
    assert demand.is_balanced()


@pytest.mark.parametrize(
    ("size", "fps", "gop", "reaction_s"),
    [(200_000, 25, 1, 1.0), (60_000, 25, 25, 4.0), (170_000, 25, 5, 1.15)],
)
def test_what_comes_between_two_looks_has_room_however_short_groups_are(size, fps, gop, reaction_s):
    """Before, room was for three groups: a camera of 12 Mbit/s at looks 4 s apart was decoded in full ever after."""
    pace = Pace(gop_s=gop / fps, reaction_s=reaction_s, gop_bytes=size * gop)
    between_looks = size * fps * 1.15 * reaction_s
    assert 2 * between_looks < pace.most_bytes <= 32 << 20


def test_room_for_short_groups_has_an_end_and_that_for_one_long_group_stays():
    def room(gop_s, gop_bytes):
        return Pace(gop_s=gop_s, reaction_s=4.0, gop_bytes=gop_bytes).most_bytes

    assert room(0.04, 2 << 20) == 32 << 20
    assert room(30.0, 20 << 20) == 60 << 20
    assert room(0.0, 0) == 4 << 20
