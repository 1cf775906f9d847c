"""A camera with the whole pipeline behind it, in virtual time: for what must not hang on how busy the machine is.

A clip is played as a live stream; before each packet everybody works off what there is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import yaml
from prometheus_client import CollectorRegistry

from surveil.alerts.outbox import Outbox
from surveil.app.assembly import make_pipeline
from surveil.app.camera_runtime import why_full
from surveil.app.evidence_store import EvidenceStore
from surveil.capture.avsource import AvSource
from surveil.capture.loop import CaptureLoop
from surveil.capture.settings import StreamSettings
from surveil.capture.source import Arrival
from surveil.clock import ManualClock, Stop
from surveil.config import Config, load
from surveil.detect.detector import Detector
from surveil.features.base import Shared
from surveil.lane import Drop, FrameCounters
from surveil.metrics import Metrics
from surveil.types import Alert, Bytes

FPS = 15
YARD = [[0.05, 0.3], [0.95, 0.3], [0.95, 1.0], [0.05, 1.0]]
OBJECTS = ["person", "car"]
RULES = [
    {"type": "intrusion", "zone": "yard", "classes": OBJECTS, "after_s": 0.5},
    {"type": "presence", "classes": OBJECTS},
    {"type": "line_crossing", "line": "middle", "classes": OBJECTS},
    {"type": "left_object", "after_s": 8.0},
    {"type": "picture"},
]
CODINGS = {
    "crf": {"crf": "23"},
    "vbr": {"crf": "23", "maxrate": "2500k", "bufsize": "2000k"},
    "cbr": {"b": "2000k", "maxrate": "2000k", "bufsize": "2000k"},
}
ROOM = 64
"""Pixels by which grain is shifted at most."""
INTERVAL_S = 0.2
"""Of analysed frames."""
APART_S = 2.0
"""Alerts further apart are not of the same event."""


@dataclass(frozen=True, slots=True)
class Told:
    """An alert, and by how much it came after the frame that shows it."""

    alert: Alert
    late_s: float

    @property
    def t(self) -> float:
        """Stream time of the frame, s."""
        return self.alert.t

    def is_like(self, other: Told) -> bool:
        """Whether both are the same but for their times."""
        (a, b) = (self.alert, other.alert)
        return (a.rule, a.phase, a.label) == (b.rule, b.phase, b.label)

    def __str__(self) -> str:
        """Say what is told, and of when."""
        return f"{self.alert.phase} of {self.alert.rule} {self.alert.label} at {self.t:.2f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What one way of decoding gave."""

    alerts: tuple[Alert, ...]
    late_s: tuple[float, ...]
    """By how much each alert came after the frame that shows it."""
    books: FrameCounters
    modes: tuple[str, ...]
    damages: int
    """How often pictures were taken for damaged."""
    connections: int

    @property
    def told(self) -> list[Told]:
        """The alerts with their delays."""
        return [Told(*one) for one in zip(self.alerts, self.late_s, strict=True)]

    @property
    def idle(self) -> float:
        """Share of the pictures that nobody decoded."""
        return self.books.dropped[Drop.IDLE] / max(1, self.books.received)


class AsIfLive(AvSource):
    """A file as a camera sends it, in virtual time: before each packet everybody works off what there is."""

    def __init__(self, settings: StreamSettings, clock: ManualClock, work: Callable[[], None]) -> None:
        super().__init__(settings)
        self._clock, self._work = clock, work
        self._began = clock.monotonic()

    def read(self) -> Arrival | None:
        """Return the next packet at its moment."""
        self._work()
        arrival = super().read()
        if arrival is not None and arrival.stamp is not None:
            self._clock.advance(max(0.0, self._began + arrival.stamp - self._clock.monotonic()))
        return arrival

    def _ended(self) -> None:
        """The film is over."""


class Rehearsal:
    """One camera with the whole pipeline behind it, on one thread and in virtual time."""

    def __init__(
        self,
        config: Config,
        detector: Detector,
        folder: Path,
        source: Callable[[StreamSettings, ManualClock, Callable[[], None]], AsIfLive] = AsIfLive,
    ) -> None:
        self._source = source
        self._clock, self._metrics = ManualClock(), Metrics(CollectorRegistry())
        (self._name,) = config.cameras
        self._camera = config.cameras[self._name]
        self._outbox = Outbox.open(folder / "surveil.db", [], self._clock, config.outbox)
        evidence = EvidenceStore(folder, self._outbox, config.storm, self._metrics, self._clock, clips=False)
        evidence.keep(self._camera)
        self.shared = Shared(self._metrics, self._clock)
        self._alerts: list[Alert] = []
        self._late: list[float] = []
        self.stages = make_pipeline(config, detector, evidence.writer, self.shared, on_alerts=self._note)
        self._modes: list[str] = []

    def play(self, clip: Path) -> Played:
        """Play a clip to its end."""
        ring, settings = self.stages.ring, self._camera.stream.model_copy(update={"url": "rtsp://192.0.2.1/"})
        source = self._source(settings.model_copy(update={"url": str(clip)}), self._clock, self.work)
        loop = CaptureLoop(
            self._name, settings, ring.put, ring.lose, self._metrics, self._clock, Stop(),
            wants=ring.wants, taker=ring, full=lambda: why_full(self._camera, {}, 0.0), make=lambda _: source,
        )  # fmt: skip
        loop.run()
        self.work()
        self.stages.commit.close()
        books = ring.books()[self._name]
        self._outbox.close()
        mode = loop.status.decode
        return Played(
            alerts=tuple(self._alerts),
            late_s=tuple(self._late),
            books=books,
            modes=(mode.mode, mode.value) if mode else (),
            damages=self._count("capture_damage"),
            connections=self._count("camera_connects"),
        )

    def _count(self, what: str) -> int:
        found = self._metrics.registry.get_sample_value(f"surveil_{what}_total", {"camera": self._name})
        return int(found or 0)

    def work(self) -> None:
        """Take everything there is through the stages."""
        stages = self.stages
        while slot := stages.ring.poll():
            stages.prepare.process(slot)
            if len(stages.detect.inbox):
                stages.detect.process(stages.detect.inbox.take(1))
            self._analyse()
        self._analyse()

    def _analyse(self) -> None:
        stages = self.stages
        while len(stages.analyse.inbox):
            for item in stages.analyse.inbox.take(1):
                stages.analyse.process(item)
        while len(stages.commit.inbox):
            stages.commit.process(stages.commit.inbox.take(1))

    def _note(self, alerts: Sequence[Alert]) -> None:
        self._alerts += alerts
        self._late += [self._clock.wall() - alert.t_wall for alert in alerts]


def configuration(folder: Path, **camera: object) -> Config:
    """Write and load the configuration of one camera."""
    whole = {
        "url": "rtsp://192.0.2.1/",
        "zones": {"yard": YARD},
        "lines": {"middle": [[0.5, 0.0], [0.5, 1.0]]},
        "rules": RULES,
        **camera,
    }
    path = folder / "config.yaml"
    path.write_text(
        yaml.safe_dump({"version": 1, "cameras": {"yard": whole}, "state_dir": str(folder / "state")})
    )
    return load(path)


def play_both(
    clip: Path, detector: Detector, ready: Callable[[Rehearsal], None] = lambda _: None, **camera: object
) -> tuple[Played, Played]:
    """Play a clip decoded on demand and in full; `ready` is called with either before it begins."""
    played = []
    for decode in ("auto", "full"):
        with tempfile.TemporaryDirectory() as folder:
            config = configuration(Path(folder), decode=decode, **camera)
            rehearsal = Rehearsal(config, detector, Path(folder))
            ready(rehearsal)
            played.append(rehearsal.play(clip))
    return played[0], played[1]


def pairs(demand: Played, full: Played) -> tuple[list[tuple[Told, Told | None]], list[Told]]:
    """Return every alert in full with the nearest like it on demand, and what else there is on demand."""
    found, rest = [], demand.told
    for told in full.told:
        near = min(filter(told.is_like, rest), key=lambda other: abs(other.t - told.t), default=None)
        if near is not None and abs(near.t - told.t) > APART_S:
            near = None
        if near is not None:
            rest.remove(near)
        found.append((told, near))
    return found, rest


def differences(demand: Played, full: Played) -> list[str]:
    """Name the alerts of one that the other has not, and those that are more than an analysed frame apart."""
    found, rest = pairs(demand, full)
    missing = [f"missing: {told}" for told, near in found if near is None]
    apart = [
        f"{told}: at {near.t:.2f} s"
        for told, near in found
        if near and abs(near.t - told.t) > INTERVAL_S + 0.01
    ]
    return missing + apart + [f"added: {told}" for told in rest]


def delay_s(demand: Played, full: Played) -> float:
    """Return by how much the alert that is the latest comes later than in full."""
    return max((near.late_s - told.late_s for told, near in pairs(demand, full)[0] if near), default=0.0)


# Clips as cameras encode them.


class Grain:
    """The noise of a sensor: any other part of one large field for every picture, as drawing takes long."""

    def __init__(self, strength: float) -> None:
        self._dice, self._strength = np.random.default_rng(5), strength
        self._field = np.zeros((0, 0, 3), np.int16)

    def on(self, picture: Bytes) -> Bytes:
        """Return a BGR picture with noise in it."""
        rows, columns = picture.shape[:2]
        if self._field.shape[0] < rows or self._field.shape[1] < columns:
            grey = self._dice.normal(0, self._strength, (rows + ROOM, columns + ROOM, 1)).round()
            self._field = np.repeat(grey.astype(np.int16), 3, axis=2)
        y, x = (int(v) for v in self._dice.integers(0, ROOM, 2))
        part = self._field[y : y + rows, x : x + columns]
        return np.asarray(cv2.add(picture, part, dtype=cv2.CV_8U), np.uint8)


def encode(
    pictures: Iterable[Bytes],
    path: Path,
    *,
    codec: str,
    coding: str,
    gop_s: float,
    grain: int,
    fps: int = FPS,
) -> None:
    """Encode BGR pictures without B frames."""
    grains = Grain(grain) if grain else None
    keyint = round(gop_s * fps)
    with av.open(str(path), "w") as out:
        name = {"h264": "libx264", "hevc": "libx265"}[codec]
        stream = out.add_stream(name, rate=fps)
        own = {"x264-params": f"keyint={keyint}:min-keyint={keyint}:scenecut=0:bframes=0:ref=1:weightp=0"}
        if codec == "hevc":
            own = {"x265-params": f"keyint={keyint}:min-keyint={keyint}:scenecut=0:bframes=0:log-level=none"}
        stream.options = {"preset": "veryfast", **CODINGS[coding], **own}
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(pictures):
            if not number:
                stream.height, stream.width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
            noisy = grains.on(picture) if grains else picture
            even = np.ascontiguousarray(noisy[: stream.height, : stream.width])
            frame = av.VideoFrame.from_ndarray(even, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def film(path: Path, seconds: float) -> Iterator[Bytes]:
    """Yield the pictures of a recording at 15 fps, from its beginning."""
    shown = -1
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        rate = float(stream.average_rate or 25)
        for number, frame in enumerate(container.decode(stream)):
            picture = frame.to_ndarray(format="bgr24")
            while shown < number / rate * FPS and shown < seconds * FPS:
                shown += 1
                yield picture
            if shown >= seconds * FPS:
                return
