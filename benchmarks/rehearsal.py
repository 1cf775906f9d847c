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
from surveil.lane import FrameCounters
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
INTERVAL_S = 0.2
"""Of analysed frames."""


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


def differences(demand: Played, full: Played) -> list[str]:
    """Name the alerts of one that the other has not, and those that are more than an analysed frame apart."""
    found = []
    rest = list(demand.alerts)
    for alert in full.alerts:
        same = [a for a in rest if (a.rule, a.phase, a.label) == (alert.rule, alert.phase, alert.label)]
        near = min(same, key=lambda a: abs(a.t - alert.t), default=None)
        if near is None or abs(near.t - alert.t) > 2.0:
            found.append(f"missing: {alert.phase} of {alert.rule} {alert.label} at {alert.t:.2f} s")
            continue
        rest.remove(near)
        if abs(near.t - alert.t) > INTERVAL_S + 0.01:
            found.append(f"{alert.phase} of {alert.rule} {alert.label} at {alert.t:.2f} s: at {near.t:.2f} s")
    return found + [f"added: {a.phase} of {a.rule} {a.label} at {a.t:.2f} s" for a in rest]


# Clips as cameras encode them.


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
    noise = np.random.default_rng(5)
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
            added = noise.normal(0, grain, picture.shape[:2])[..., None] if grain else 0.0
            noisy = np.clip(picture + added, 0, 255).astype(np.uint8)[: stream.height, : stream.width]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(noisy), format="bgr24")
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
