"""Runs a recording through the same stages as the daemon, one after another, as fast as the machine allows.

Time is the recording's own, so the same file, configuration and model give byte-identical alerts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

import structlog
from prometheus_client import CollectorRegistry

from surveil.alerts.outbox import Outbox
from surveil.alerts.payload import to_json
from surveil.alerts.storm import StormSettings
from surveil.app.arming import Arming
from surveil.app.assembly import Pipeline, make_pipeline
from surveil.app.evidence_store import EvidenceStore
from surveil.capture.loop import CaptureLoop
from surveil.capture.settings import StreamSettings
from surveil.clock import ManualClock, Stop, SystemClock
from surveil.config import CameraConfig, Config
from surveil.detect.detector import Detector
from surveil.errors import SourceError
from surveil.features.base import ModelPlace, Shared
from surveil.features.classify.finding import Classification, Classifications
from surveil.features.normality.settings import NormalitySettings
from surveil.features.registry import FEATURES
from surveil.lane import Lost
from surveil.metrics import Metrics
from surveil.pipeline.work import CameraSlot
from surveil.types import Alert, Detections, Frame, Track

log = structlog.get_logger(__name__)
START_WALL = 1_704_067_200.0
"""2024-01-01T00:00:00Z: the wall time of the first frame unless `--start` gives another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysedFrame:
    """One analysed frame, for those who watch a replay."""

    frame: Frame
    tracks: tuple[Track, ...]
    detections: Detections | None
    alerts: tuple[Alert, ...]
    looks: tuple[Classification, ...] = ()
    """What classifiers said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayResult:
    """What a replay gave."""

    alerts: tuple[Alert, ...]
    frames: int
    """Analysed."""
    decoded: int
    seconds: float
    """Of the recording."""
    failures: tuple[SourceError, ...] = ()
    """Of recordings that could not be played to their end; each names its file."""

    def checked(self) -> ReplayResult:
        """Return it; raise the first failure if there is one."""
        if self.failures:
            raise self.failures[0]
        return self


class Replay:
    """One camera of the configuration, fed from recordings. State goes into a private folder.

    `scheduled`: rules alert in their schedules only, by the recording's wall time; else at any time. The
    operator's switches are about now and do not count. `live`: it is for `watch`, where a frame that comes too
    soon replaces the one that waits.
    """

    def __init__(
        self,
        config: Config,
        camera: str,
        detector: Detector,
        state_dir: Path,
        *,
        scheduled: bool = False,
        live: bool = False,
    ) -> None:
        # No sink of the configuration hears of it.
        cameras = {camera: replace(config.cameras[camera], enabled=True)}
        # Nor is anything withheld: the cap spares people's attention, and a replay is there to show everything.
        self._config = replace(
            config, cameras=cameras, sinks={}, state_dir=state_dir, storm=StormSettings(max_per_hour=0)
        )
        self._camera = camera
        self._clock = ManualClock(wall=START_WALL)
        self.metrics = Metrics(CollectorRegistry())
        self._alerts: list[Alert] = []
        self._on_alerts: Callable[[Sequence[Alert]], None] = lambda _alerts: None
        self.ending = False
        """Set it (a signal handler may) to end early: what is open ends, as at the end of a recording."""
        self._outbox = Outbox.open(state_dir / "surveil.db", [], self._clock, config.outbox)
        evidence = EvidenceStore(
            state_dir, self._outbox, self._config.storm, self.metrics, self._clock, clips=False
        )
        evidence.keep(cameras[camera])
        shared = Shared(self.metrics, self._clock)
        _offer_learned(config, cameras[camera], shared)
        self._pipeline: Pipeline = make_pipeline(
            self._config,
            detector,
            evidence.writer,
            shared,
            lossless=not live,
            arming=Arming() if scheduled else None,
            on_alerts=self._note,
        )
        _load_classifiers(config, cameras[camera], shared)

    def run(
        self,
        videos: Sequence[Path],
        start_wall: float = START_WALL,
        on_seen: Callable[[AnalysedFrame], None] = lambda _seen: None,
        on_decoded: Callable[[float], None] = lambda _t: None,
        on_alerts: Callable[[Sequence[Alert]], None] = lambda _alerts: None,
    ) -> ReplayResult:
        """Play the videos one after the other; those that cannot be played are in the result."""
        frames, seconds, wall = 0, 0.0, start_wall
        failures: list[SourceError] = []
        self._on_alerts = on_alerts
        try:
            for video in videos:
                stream = self._stream.model_copy(
                    update={"url": str(video), "realtime": False, "repeat": False}
                )
                t_end: float | None = None
                try:
                    for seen in self._play(stream, wall, on_decoded):
                        frames, t_end = frames + 1, seen.frame.t
                        on_seen(seen)
                except SourceError as error:
                    failures.append(error)
                if t_end is not None:
                    seconds, wall = seconds + t_end, wall + t_end + 1.0
                if self.ending:
                    break
        finally:
            self._close()
        decoded = self._pipeline.ring.books()[self._camera].received
        return ReplayResult(
            alerts=tuple(self._alerts),
            frames=frames,
            decoded=decoded,
            seconds=seconds,
            failures=tuple(failures),
        )

    def _note(self, alerts: Sequence[Alert]) -> None:
        self._alerts.extend(alerts)
        self._on_alerts(alerts)

    def _close(self) -> None:
        self._pipeline.commit.close()
        self._outbox.close()

    def watch(self) -> Generator[AnalysedFrame, None, None]:
        """Yield the frames of the camera itself as they come, until the caller wants no more.

        Raises SourceError when it cannot be opened, or is lost.
        """
        try:
            yield from self._play(self._stream, None, lambda _t: None)
        finally:
            self._close()

    @property
    def _stream(self) -> StreamSettings:
        return self._config.cameras[self._camera].stream

    def _play(
        self, stream: StreamSettings, wall: float | None, on_decoded: Callable[[float], None]
    ) -> Iterator[AnalysedFrame]:
        ring, stop = self._pipeline.ring, Stop()
        failures: list[BaseException] = []

        def put(frame: Frame) -> None:
            ring.put(frame)
            on_decoded(frame.t)

        def feed() -> None:
            loop = CaptureLoop(
                self._camera, stream, put, ring.lose, self.metrics, SystemClock(), stop, start_wall=wall
            )
            try:
                loop.run_once()
            except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits for frames
                failures.append(error)
            finally:  # whatever happened, or that thread would wait for ever
                ring.lose(
                    Lost(
                        camera=self._camera,
                        t=loop.t,
                        t_wall=(wall or 0.0) + loop.t,
                        cause="ended",
                        final=True,
                    )
                )

        feeder = threading.Thread(target=feed, name=f"replay-{self._camera}")
        feeder.start()
        try:
            for seen in self._frames():
                yield seen
                if self.ending:
                    stop.set()
        except BaseException:
            # Its slot does not come home: the capture would wait for room for ever.
            ring.close()
            raise
        finally:
            stop.set()
            ring.poll()
            feeder.join()
        if failures:
            raise failures[0]

    def _frames(self) -> Iterator[AnalysedFrame]:
        """Take every slot through the stages on this thread until the recording ends."""
        never = Stop()
        while slot := self._pipeline.ring.take(never):
            item, before = slot.item, len(self._alerts)
            self._through(slot)
            if not isinstance(item, Frame):
                self._settle()
                if isinstance(item, Lost) and not item.final:
                    continue
                return
            work = slot.state
            detections, tracks = work.detections, work.tracks
            classified = work.findings.get(Classifications)
            looks = classified.looks if classified else ()
            self._settle()
            yield AnalysedFrame(
                frame=item,
                tracks=tracks,
                detections=detections,
                alerts=tuple(self._alerts[before:]),
                looks=looks,
            )

    def _through(self, slot: CameraSlot) -> None:
        stages = self._pipeline
        stages.prepare.process(slot)
        if len(stages.detect.inbox):
            stages.detect.process(stages.detect.inbox.take(1))
        for item in stages.analyse.inbox.take(64):
            stages.analyse.process(item)

    def _settle(self) -> None:
        """Commit what waits."""
        while len(self._pipeline.commit.inbox):
            self._pipeline.commit.process(self._pipeline.commit.inbox.take(1))


def _offer_learned(config: Config, camera: CameraConfig, shared: Shared) -> None:
    """Let the camera judge by the model that it has learned, if there is one."""
    settings = camera.section(NormalitySettings)
    if not settings.enabled:
        return
    # Only where a camera learns.
    from surveil.features.normality.scene import Scenes  # noqa: PLC0415
    from surveil.features.normality.store import NormalityStore  # noqa: PLC0415

    if loaded := NormalityStore(config.state_dir, camera.name).load():
        shared.get(Scenes).of(camera.name, settings).offer(loaded)


def _load_classifiers(config: Config, camera: CameraConfig, shared: Shared) -> None:
    """Load the classifiers that the camera's rules name."""
    classify = FEATURES["classify"]
    if classify.keeper and classify.needs(camera) is not None:
        classify.keeper(shared, ModelPlace(config.state_dir, config.model)).run_once()


def write_lines(alerts: Sequence[Alert], file: TextIO) -> None:
    """Write alerts as JSON Lines."""
    file.writelines(f"{to_json(alert)}\n" for alert in alerts)
