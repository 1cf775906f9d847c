"""One connection: which packets are decoded, which pictures can be trusted, when it is given up."""

from __future__ import annotations

import pytest

from surveil.capture.connection import Connection
from surveil.capture.settings import StreamSettings
from surveil.capture.source import Arrival, Decoded, Shot
from surveil.errors import Cause, SourceError

GOP = 10
FPS = 10


class Scripted:
    """A source whose decoder gives one picture for every arrival, or what was written down for its number."""

    def __init__(self, *, live=True, decoded=None, kept=()):
        self.live, self._decoded, self._kept, self.asked = live, decoded or {}, kept, []

    def decode(self, arrival):
        number = round(arrival.stamp * FPS)
        self.asked.append(number)
        return self._decoded.get(number, Decoded((Shot(None, arrival.stamp, arrival.key),)))

    def drain(self):
        return Decoded(self._kept)


class Witness:
    """Remembers what a connection told."""

    def __init__(self):
        self.packets, self.shots, self.states, self.damage = 0, [], [], 0

    def on_packet(self, arrival, now):
        self.packets += 1

    def on_shot(self, shot, health):
        self.shots.append((round(shot.stamp * FPS), health.damaged, health.degraded))

    def on_damage(self):
        self.damage += 1

    def on_state(self, state):
        self.states.append(state)


def play(numbers, source=None, *, late_s=None, broken=(), keys_only=False, **settings):
    """Feed the arrivals of these numbers as they come; `late_s`: number to seconds that it comes later."""
    source, witness = source or Scripted(), Witness()
    stream = StreamSettings(url="rtsp://192.0.2.1/", **settings)
    connection = Connection(source, stream, 0.0, witness, keys_only=keys_only)
    for number in numbers:
        now = number / FPS + (late_s or {}).get(number, 0.0)
        arrival = Arrival(100, number % GOP == 0, number / FPS, number in broken)
        connection.take(arrival, now - 0.001 if late_s else now - 0.1, now)
    return witness, source, connection


def numbers_of(witness):
    return [number for number, _, _ in witness.shots]


def damaged_in(witness):
    return [number for number, damaged, _ in witness.shots if damaged]


def test_a_hole_before_a_key_frame_damages_nothing():
    witness, _, _ = play([*range(15), *range(20, 30)])
    assert damaged_in(witness) == []
    assert witness.damage == 0
    assert numbers_of(witness) == [*range(15), *range(20, 30)]


@pytest.mark.parametrize("live", [True, False])
def test_a_pause_in_stamps_and_arrival_is_a_slower_camera_and_no_damage(live):
    """What is missing, the source tells: H.264 numbers its pictures, and H.265 decoders complain."""
    witness, _, _ = play([*range(12), *range(17, 30)], Scripted(live=live))
    assert damaged_in(witness) == []
    assert witness.damage == 0


@pytest.mark.parametrize("keys_only", [True, False])
def test_where_only_key_frames_are_decoded_the_rest_is_no_hole(keys_only):
    witness, source, _ = play(range(45), keys_only=keys_only)
    assert source.asked == ([0, 10, 20, 30, 40] if keys_only else [*range(45)])
    assert damaged_in(witness) == []


def test_nothing_before_the_first_key_frame_is_decoded():
    witness, source, _ = play(range(7, 13))
    assert source.asked == [10, 11, 12]
    assert witness.packets == 6


def test_a_lost_packet_damages_what_comes_up_to_the_next_whole_key_frame():
    witness, _, _ = play(range(35), broken=(4, 20))
    assert damaged_in(witness) == [*range(4, 10), *range(20, 30)]
    assert witness.damage == 2


def test_a_packet_that_was_lost_where_nothing_is_decoded_damages_the_next_picture():
    witness, _, _ = play(range(8, 32), broken=(8,))
    assert damaged_in(witness) == [*range(10, 20)]


def test_a_decoder_that_complains_damages_its_pictures():
    complaint = Decoded((Shot(None, 0.3, False),), broken=True)
    witness, _, _ = play(range(12), Scripted(decoded={3: complaint}))
    assert damaged_in(witness) == [*range(3, 10)]


def test_long_damage_is_degraded_until_a_whole_key_frame():
    witness, _, connection = play(range(90), broken=(0, 10, 20, 30, 40, 50, 60), degraded_after_s=5.0)
    assert [number for number, _, degraded in witness.shots if degraded] == [*range(51, 70)]
    assert witness.states == ["streaming", "degraded", "streaming"]
    assert (connection.damaged, connection.degraded, connection.pictures) == (False, False, 90)


def test_what_lags_decodes_key_frames_only_until_it_has_caught_up():
    late = dict.fromkeys(range(12, 35), 1.5)
    witness, source, connection = play(range(60), late_s=late, catch_up_lag_s=1.0)
    assert source.asked == [*range(12), 20, 30, *range(40, 60)]
    assert witness.states == ["streaming", "catching_up", "streaming"]
    assert connection.lag_s == pytest.approx(0.0)


def test_what_lags_too_far_is_given_up():
    late = dict.fromkeys(range(12, 60), 5.5)
    with pytest.raises(SourceError) as error:
        play(range(60), late_s=late, max_lag_s=5.0)
    assert error.value.cause is Cause.BEHIND
    assert "5.5 s behind real time" in str(error.value)


def test_a_recording_cannot_lag():
    late = dict.fromkeys(range(12, 60), 50.0)
    witness, _, connection = play(range(60), Scripted(live=False), late_s=late)
    assert (len(witness.shots), connection.lag_s) == (60, 0.0)


def test_a_decoder_that_keeps_a_lone_key_frame_back_is_emptied():
    kept = (Shot(None, 1.0, True),)
    source = Scripted(decoded={10: Decoded()}, kept=kept)
    witness, _, _ = play(range(10, 19), source, keys_only=True)
    assert numbers_of(witness) == [10]


def test_what_cannot_be_decoded_for_long_is_given_up():
    source = Scripted(decoded={number: Decoded(broken=True) for number in range(5, 100)})
    with pytest.raises(SourceError) as error:
        play(range(100), source, undecodable_s=3.0)
    assert error.value.cause is Cause.DAMAGED
    assert "no received frame can be decoded" in str(error.value)
    # The last good one came at 0.4 s; 3.0 s later it is one more packet.
    assert source.asked[-1] == 35


def test_a_stream_without_a_key_frame_is_given_up():
    source = Scripted()
    with pytest.raises(SourceError) as error:
        play([number for number in range(100) if number % GOP], source, keyframe_timeout_s=5.0)
    assert error.value.cause is Cause.DAMAGED
    assert "no key frame came" in str(error.value)
    assert source.asked == []


def test_a_stream_that_is_only_recorded_is_never_decoded():
    witness, source, connection = play(range(30), roles=("record",))
    connection.finish()
    assert (source.asked, witness.packets, witness.states[-1]) == ([], 30, "streaming")


def test_the_end_of_a_recording_gives_what_the_decoder_still_holds():
    source = Scripted(live=False, kept=(Shot(None, 0.5, False),))
    witness, _, connection = play(range(5), source)
    connection.finish()
    assert numbers_of(witness) == [0, 1, 2, 3, 4, 5]


def test_a_recording_without_a_picture_is_an_error():
    _, _, connection = play([], Scripted(live=False))
    with pytest.raises(SourceError) as error:
        connection.finish()
    assert error.value.cause is Cause.NO_VIDEO
