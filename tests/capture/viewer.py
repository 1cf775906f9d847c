"""One camera that is decoded on demand, and an analysis that looks at motion only: on one thread, in virtual time."""

from __future__ import annotations

import av
import pytest
from prometheus_client import CollectorRegistry

from benchmarks.rehearsal import AsIfLive
from surveil.capture.backlog import EncodedBacklog
from surveil.capture.decoder import Coding, PacketDecoder
from surveil.capture.loop import CaptureLoop
from surveil.capture.pace import KeptPacket, Pace
from surveil.capture.settings import StreamSettings
from surveil.clock import ManualClock, Stop
from surveil.errors import Cause, SourceError
from surveil.lane import Lost
from surveil.metrics import Metrics
from surveil.pipeline.prepare import QUIET, pull
from surveil.pipeline.work import Work
from surveil.reasons import DecodeWhy
from surveil.ring import FrameRing
from surveil.types import Frame
from surveil.view import FrameView
from surveil.vision.motion import MotionGate
from surveil.vision.regions import RegionPlanner
from surveil.vision.settings import MotionSettings
from tests.rig.clips import background, make_clip

FPS, SIZE = 15, (320, 240)
SECONDS = 16.0


def scene(*visits):
    """Return a scene in which a square walks during each (first, end) of `visits`, s; else nothing moves."""

    def drawn(number, width, height):
        picture = background(width, height)
        for first, end in visits:
            if first <= number / FPS < end:
                left = round((number / FPS - first) * 60) % (width - 60)
                picture[90:150, left : left + 60] = (240, 230, 90)
        return picture

    return drawn


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Make clips, each once: (codec, GOP in pictures, visits, options)."""
    folder, made = tmp_path_factory.mktemp("clips"), {}

    def find(*visits, codec="h264", gop=15, **options):
        key = (codec, gop, visits, *sorted(options.items()))
        if key not in made:
            path = folder / f"{len(made)}.mp4"
            given = {name.replace("_", "-"): value for name, value in options.items()}
            made[key] = make_clip(
                path, codec, SIZE, seconds=SECONDS, gop=gop, scene=scene(*visits), options=given
            )
        return made[key]

    return find


class Cut(AsIfLive):
    """A camera whose connection breaks at a moment of the film, or whose machine is busy from one on for .5 s, once.

    `torn`: whether a packet (number, whether it is a key frame) is damaged; `sent`: what the camera sends in place of
    its data.
    """

    cut_s = busy_s = float("inf")
    torn = staticmethod(lambda _number, _key: False)
    sent = staticmethod(lambda _number, _key, data: data)

    def read(self):
        arrival = super().read()
        if arrival is not None and arrival.stamp is not None and arrival.stamp >= self.busy_s:
            self._clock.advance(0.5)
            self.busy_s = float("inf")
        if arrival is not None and arrival.stamp is not None and arrival.stamp >= self.cut_s:
            raise SourceError(Cause.RESET, "cut")
        if arrival is None or arrival.stamp is None:
            return arrival
        return arrival._replace(broken=self.torn(round(arrival.stamp * FPS), arrival.key))

    def _next_packet(self):
        packet = super()._next_packet()
        if packet is None or not packet.size:
            return packet
        data = bytes(packet)
        sent = self.sent(round(packet.dts * packet.time_base * FPS), packet.is_keyframe, data)
        return packet if sent is data else with_data(packet, sent)


def with_data(packet, data):
    """Return a packet with other data."""
    made = av.Packet(data)
    made.pts, made.dts, made.time_base, made.stream = packet.pts, packet.dts, packet.time_base, packet.stream
    made.is_keyframe = packet.is_keyframe
    return made


class Viewer:
    """One camera, its ring, and an analysis that looks at motion only: on one thread, in virtual time."""

    def __init__(
        self,
        path,
        *,
        fps=5.0,
        cut_s=float("inf"),
        busy_s=float("inf"),
        torn=Cut.torn,
        sent=Cut.sent,
        full=None,
        held=(0.0, 0.0),
        camera=Cut,
        cost_s=0.0,
        **settings,
    ):
        self.clock, self.ring = ManualClock(), FrameRing()
        self._cost_s, self._away, self._free = cost_s, None, 0.0
        self.held = [self.clock.monotonic() + moment for moment in held]
        gate = MotionGate(MotionSettings(), idle_interval_s=10.0)
        planner = RegionPlanner(input_px=320, min_object_px=40, max_crops=4, idle_interval_s=10.0)
        self.ring.add("gate", Work(camera="gate", gate=gate, planner=planner), fps)
        self.seen: list[Frame] = []
        self.moved: list[Frame] = []
        self.ages: list[float] = []
        self.lost: list[Lost] = []
        self.order: list[object] = []
        self.kept: list[float] = []
        self.registry = CollectorRegistry()
        metrics = Metrics(self.registry)
        metrics.add_camera("gate", ())
        stream = StreamSettings(url="rtsp://192.0.2.1/", **settings)
        source = camera(stream.model_copy(update={"url": str(path)}), self.clock, self.work)
        source.cut_s, source.busy_s, source.torn, source.sent = cut_s, busy_s, torn, sent
        self.loop = CaptureLoop(
            "gate", stream, self.ring.put, self.ring.lose, metrics, self.clock, Stop(),
            wants=self.ring.wants, taker=self.ring, full=full if callable(full) else lambda: full,
            make=lambda _: source,
        )  # fmt: skip
        try:
            self.loop.run_once()
        except SourceError as error:
            self.ring.lose(Lost(camera="gate", t=self.loop.t, t_wall=0.0, cause=error.cause.value))
        else:
            self.ring.lose(Lost(camera="gate", t=self.loop.t, t_wall=0.0, cause="ended", final=True))
        self.clock.advance(cost_s)
        self.work()

    def work(self):
        """Look at whatever there is, unless the analysis is held up."""
        self.kept.append(self.registry.get_sample_value("surveil_capture_kept_bytes", {"camera": "gate"}))
        if self.held[0] <= self.clock.monotonic() < self.held[1]:
            return
        while slot := self._take():
            if not isinstance(slot.item, Frame | Lost) and not pull(self.ring, slot, slot.item):
                self.ring.give_back(slot)
                continue
            self.order.append(slot.item)
            if isinstance(slot.item, Frame):
                self._look(slot.item, slot.state)
            else:
                self.lost.append(slot.item)
            self._away, self._free = slot, max(self.clock.monotonic(), self._free) + self._cost_s

    def _take(self):
        """Return what is next, once the analysis of the frame before is over."""
        if self._away is not None:
            if self.clock.monotonic() < self._free:
                return None
            self.ring.give_back(self._away)
            self._away = None
        return self.ring.poll()

    def _look(self, frame, work):
        size = (frame.picture.width, frame.picture.height)
        motion = work.gate.update(FrameView(frame, ()).luma(*work.plane(size)), frame.t, size)
        self.seen.append(frame)
        self.ages.append(self.clock.monotonic() - frame.arrived)
        if motion.gate not in QUIET or work.stirred is None:
            work.stirred = frame.t
        if motion.gate not in QUIET:
            self.moved.append(frame)

    @property
    def books(self):
        return self.ring.books()["gate"]

    def is_balanced(self):
        books = self.books
        return books.received == books.processed + books.waiting + sum(books.dropped.values())


def pictures(frames):
    """Number, time and picture of frames."""
    return [(f.seq, round(f.t, 6), f.picture.luma(64, 48).tobytes()) for f in frames]


def both(path, **settings):
    """Play a clip on demand and in full."""
    return Viewer(path, **settings), Viewer(path, full=DecodeWhy.SETTING, **settings)


def growing(path, *visits, **options):
    """Make a film of 24 s whose groups of 1 s become one of 8 s, from 8 s on, and are of 1 s again."""
    given = {name.replace("_", "-"): value for name, value in options.items()} | {"forced-idr": "1"}
    keys = [FPS * second for second in range(24) if second <= 8 or second >= 16]
    return make_clip(path, "h264", SIZE, seconds=24, gop=1000, scene=scene(*visits), options=given, keys=keys)


def kept(seq, *, gop=15, size=1000):
    return KeptPacket(seq, bytes(size), seq % gop == 0, seq / FPS, seq / FPS, seq / FPS, 0.0, broken=False)


def backlog_of(count, *, awake=True, **packet):
    decoder = PacketDecoder(Coding("h264", b"", None), StreamSettings(url="rtsp://192.0.2.1/"))
    made = EncodedBacklog("gate", decoder, Pace(gop_s=1.0, reaction_s=1.0, gop_bytes=2 << 20), 5.0)
    made.awake = awake
    for seq in range(count):
        made.append(kept(seq, **packet))
    return made
