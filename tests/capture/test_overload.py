"""What a capture does when it cannot keep up, or need not: a scripted camera in virtual time."""

from itertools import pairwise

import pytest
from prometheus_client import CollectorRegistry

from surveil.capture.loop import CaptureLoop
from surveil.capture.picture import ArrayPicture
from surveil.capture.settings import StreamSettings
from surveil.capture.source import Arrival, Decoded, Shot, StreamInfo
from surveil.clock import ManualClock, Stop
from surveil.errors import Cause, SourceError
from surveil.metrics import Metrics
from tests.rig.clips import background

FPS = 15
PICTURE = ArrayPicture(background(32, 24))


class ScriptedCamera:
    """Sends a picture every 1/15 s with a key frame every `gop`; decoding takes `cost_s` of virtual time."""

    live = True

    def __init__(
        self,
        clock,
        stop,
        *,
        gop=30,
        cost_s=0.0,
        seconds=60.0,
        broken=(),
        keys=True,
        first_key=0,
        stamp=lambda number: number / FPS,
        refresh=False,
    ):
        self.clock, self.stop = clock, stop
        self.gop, self.cost_s, self.broken = gop, cost_s, broken
        self.last = round(seconds * FPS)
        self.keys, self.first_key, self.stamp = keys, first_key, stamp
        self.began = clock.monotonic()
        self.decoded = []
        self.connects = 0
        self.refresh, self.whole, self.row = refresh, False, 0

    def open(self):
        self.connects += 1
        # What was sent while nobody was connected is gone.
        self.next = round((self.clock.monotonic() - self.began) * FPS)
        return StreamInfo(codec="h264", decoder="software", transport="tcp")

    def read(self):
        number, self.next = self.next, self.next + 1
        ready = self.began + number / FPS
        self.clock.advance(max(0.0, ready - self.clock.monotonic()))
        if number >= self.last:
            self.stop.set()
        key = self.keys and number >= self.first_key and number % self.gop == 0
        return Arrival(1000, key, self.stamp(number), False, number)

    def decode(self, arrival):
        if self.cost_s:
            self.clock.advance(self.cost_s)
        self.decoded.append(arrival.packet)
        if arrival.packet in self.broken:
            return Decoded(broken=True)
        if self.refresh and not self._heals(arrival):
            return Decoded()
        return Decoded([Shot(PICTURE, arrival.stamp, arrival.key)])

    def _heals(self, arrival):
        """Intra refresh: a key packet and the rest of its group together make the first picture."""
        number = arrival.packet
        if number == 0 or (arrival.key and not self.whole):
            self.whole, self.row = number == 0, number
        follows = number == self.row or (len(self.decoded) > 1 and self.decoded[-2] == number - 1)
        self.row = self.row if follows else number + self.last
        self.whole |= number - self.row >= self.gop - 1
        return self.whole

    def camera_clock(self, arrival):
        return None

    def drain(self):
        self.whole, self.row = False, self.last
        return Decoded()

    def close(self):
        pass


def capture(camera_options=None, **settings):
    clock, stop = ManualClock(), Stop()
    camera = ScriptedCamera(clock, stop, **(camera_options or {}))
    frames, losses = [], []
    metrics = Metrics(CollectorRegistry())
    metrics.add_camera("cam", ())
    loop = CaptureLoop(
        "cam",
        StreamSettings(url="rtsp://192.0.2.1/cam", **settings),
        frames.append,
        losses.append,
        metrics,
        clock,
        stop,
        make=lambda _: camera,
    )
    return loop, camera, frames, losses


def ages(camera, frames):
    """How old each frame was when it left the decoder, by the moment it was sent."""
    return [f.arrived - camera.began - n / FPS for f, n in zip(frames, camera.decoded, strict=True)]


def test_half_the_decoding_speed_keeps_frames_young_for_ever() -> None:
    """The bar: age at most 1 s and one group of pictures (2 s), without a single reconnect."""
    loop, camera, frames, losses = capture({"cost_s": 2 / FPS, "seconds": 1800.0})
    loop.run()
    found = ages(camera, frames)
    assert max(found) <= 1.0 + 2.0
    assert max(found[-100:]) <= 1.0 + 2.0
    assert losses == []
    assert len(frames) > 1800 * FPS / 4
    assert max(abs(f.lag_s - age) for f, age in zip(frames, found, strict=True)) < 0.4


STAMPS = {
    "declares 25, sends 15": lambda n: n / 25,
    "0.84 of real time": lambda n: 0.84 * n / FPS,
    "0.94 of real time": lambda n: 0.94 * n / FPS,
    "constant": lambda _n: 7.0,
    "milliseconds": lambda n: n / FPS / 90,
    "one in twenty in the past": lambda n: n / FPS - (9800 if n % 20 == 13 else 0),
    "one in twenty in the future": lambda n: n / FPS + (37_600 if n % 20 == 13 else 0),
    "none": lambda _n: None,
}


@pytest.mark.parametrize("stamp", STAMPS.values(), ids=STAMPS)
def test_whatever_the_stamps_say_every_picture_is_taken_as_from_an_honest_camera(stamp) -> None:
    found = {}
    for name, options in {"honest": {}, "odd": {"stamp": stamp}}.items():
        loop, camera, frames, losses = capture({"seconds": 300.0, "cost_s": 0.02, "gop": 60, **options})
        loop.run()
        assert (losses, camera.connects) == ([], 1)
        assert not any(f.damaged for f in frames)
        assert max(f.lag_s for f in frames) < 0.1
        found[name] = sum(int(5 * b.t) > int(5 * a.t) for a, b in pairwise(frames))
        assert len(frames) == 300 * FPS + 1
    assert found["odd"] >= 0.97 * found["honest"]


@pytest.mark.parametrize("stamp", [STAMPS["0.84 of real time"], STAMPS["constant"]])
def test_a_backlog_is_noticed_whatever_the_stamps_say(stamp) -> None:
    loop, camera, frames, losses = capture({"cost_s": 2 / FPS, "seconds": 600.0, "stamp": stamp})
    loop.run()
    assert max(ages(camera, frames)) <= 1.0 + 2.0
    assert losses == []
    assert len(frames) > 600 * FPS / 5


def test_intra_refresh_does_not_go_blind_while_catching_up() -> None:
    loop, _, frames, losses = capture({"cost_s": 2 / FPS, "seconds": 600.0, "refresh": True})
    loop.run()
    assert losses == []
    pauses = [b.arrived - a.arrived for a, b in pairwise(frames)]
    assert max(pauses) <= 12.0
    assert len(frames) > 600 / 12
    assert max(f.lag_s for f in frames) <= 1.0 + 2.0


def test_a_camera_that_lowers_its_rate_is_not_damaged() -> None:
    times = [*(n / FPS for n in range(300)), *(20 + n / 2 for n in range(200))]
    loop, _, frames, losses = capture({"seconds": 30.0, "gop": 100, "stamp": lambda n: times[n]})
    loop.run()
    assert (losses, [f.seq for f in frames if f.damaged]) == ([], [])


def test_a_decoder_without_hope_reconnects_instead_of_showing_the_past() -> None:
    """Even key frames alone take too long."""
    loop, camera, frames, losses = capture({"cost_s": 3.0, "gop": 15, "seconds": 300.0})
    loop.run()
    assert {lost.cause for lost in losses} == {"behind"}
    assert max(ages(camera, frames)) <= 5.0 + 3.0 + 3.0
    assert camera.connects > 3


def test_nothing_before_the_first_key_frame_is_given_to_the_decoder() -> None:
    loop, camera, frames, losses = capture({"first_key": 40, "seconds": 6.0})
    loop.run()
    assert camera.decoded == list(range(60, 91))
    assert (frames[0].t, losses) == (0.0, [])


def test_a_stream_without_key_frames_is_opened_anew() -> None:
    loop, _, frames, _ = capture({"keys": False, "seconds": 100.0}, keyframe_timeout_s=30.0)
    with pytest.raises(SourceError, match="no key frame") as error:
        loop.run_once()
    assert (error.value.cause, frames) == (Cause.DAMAGED, [])


def test_nothing_but_errors_for_three_seconds_is_opened_anew() -> None:
    loop, _, frames, _ = capture({"broken": range(30, 1000), "seconds": 60.0}, undecodable_s=3.0)
    with pytest.raises(SourceError, match="can be decoded") as error:
        loop.run_once()
    assert error.value.cause is Cause.DAMAGED
    assert len(frames) == 30


def test_a_picture_that_fails_damages_the_rest_of_its_group() -> None:
    loop, _, frames, _ = capture({"broken": (40,), "seconds": 6.0})
    loop.run()
    assert [f.seq for f in frames if f.damaged] == list(range(40, 59))
    assert loop.status.state == "ended"


def test_a_camera_that_is_never_there_is_tried_for_ever_with_growing_pauses() -> None:
    clock, stop, tries = ManualClock(), Stop(), []
    losses = []

    def make(_):
        tries.append(clock.monotonic())
        if len(tries) == 41:  # of which nothing is told
            stop.set()
        raise SourceError(Cause.REFUSED, "nobody listens")

    metrics = Metrics(CollectorRegistry())
    metrics.add_camera("cam", ())
    url = "rtsp://192.0.2.1/cam"
    loop = CaptureLoop(
        "cam", StreamSettings(url=url), [].append, losses.append, metrics, clock, stop, make=make
    )
    loop.run()
    pauses = [b - a for a, b in pairwise(tries)]
    assert all(0.25 <= p <= 30.0 for p in pauses)
    assert sum(pauses[10:]) / 30 == pytest.approx(22.5, abs=4.0)
    assert pauses[0] <= 0.5
    assert len(losses) == 40
    assert metrics.registry.get_sample_value(
        "surveil_camera_disconnects_total", {"camera": "cam", "cause": "refused"}
    ) == pytest.approx(40)
