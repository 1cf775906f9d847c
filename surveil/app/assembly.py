"""Builds the parts of one camera and of the daemon from the configuration: the one place that knows them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import structlog

from surveil.alerts.clips import Clips, Hold
from surveil.alerts.courier import Courier
from surveil.alerts.delivery import Context, Status
from surveil.alerts.evidence import Evidence, Scenery
from surveil.alerts.outbox import Outbox
from surveil.alerts.retention import Retention
from surveil.alerts.sinks import make_sink
from surveil.alerts.sinks.base import SinkSettings
from surveil.alerts.writer import AlertWriter
from surveil.app.arming import Arming
from surveil.app.classifying import make_cutter
from surveil.app.counting import make_desk
from surveil.capture.packets import PacketRing, mux
from surveil.capture.webcam import device_number
from surveil.clock import Clock, Stop
from surveil.config import CameraConfig, Config
from surveil.detect.detector import Detector
from surveil.engine import CameraEngine
from surveil.metrics import Metrics
from surveil.normality.analyser import NormalityAnalyser
from surveil.normality.result import NormalityResult
from surveil.normality.scene import SceneNormality
from surveil.pipeline.analyse import AnalyseStage
from surveil.pipeline.commit import CommitStage, Places
from surveil.pipeline.detect import DetectStage
from surveil.pipeline.prepare import PrepareStage
from surveil.pipeline.work import Analyser, View, Work
from surveil.ring import FrameRing
from surveil.rules import build_rules
from surveil.rules.base import WhyOff
from surveil.track.tracker import Tracker
from surveil.train.shelf import Shelf
from surveil.types import Alert
from surveil.vision.health import HealthReport, State
from surveil.vision.motion import MotionGate
from surveil.vision.regions import RegionPlanner
from surveil.vision.static_objects import StaticObjects
from surveil.vision.watch import HealthAnalyser

log = structlog.get_logger(__name__)
_LONG_GOP_S = 12.0


class MeteredHealth:
    """Picture health, shown as a metric. Owned by the holder of the camera's slot."""

    name = HealthAnalyser.name

    def __init__(self, camera: CameraConfig, metrics: Metrics) -> None:
        self._analyser = HealthAnalyser(camera.health)
        self._states = {
            state.value: metrics.picture_state.labels(camera.name, state.value) for state in State
        }

    def observe(self, view: View) -> HealthReport:
        """Judge one frame."""
        report = self._analyser.observe(view)
        for name, gauge in self._states.items():
            gauge.set(name in report.states)
        return report


class MeteredNormality:
    """Learned normality, shown as metrics; changes of its state are logged. Owned by the slot's holder."""

    name = NormalityAnalyser.name

    def __init__(self, camera: CameraConfig, scene: SceneNormality, metrics: Metrics) -> None:
        self._scene = scene
        self._camera = camera.name
        self._analyser = NormalityAnalyser(scene, _why_not_to_learn)
        self._surprise = metrics.surprise.labels(camera.name)
        self._alerting = metrics.normality_valid.labels(camera.name)
        self._drift = metrics.normality_drift.labels(camera.name)
        self._shadowed = metrics.normality_shadowed.labels(camera.name)
        self._counted = 0
        self._state = ""

    def observe(self, view: View) -> NormalityResult | None:
        """Judge one frame."""
        result = self._analyser.observe(view)
        if result is not None:
            self._surprise.set(result.sustained)
            self._drift.set(self._scene.drift.ratio)
            self._shadowed.inc(self._scene.shadowed - self._counted)
            self._counted = self._scene.shadowed
            self._tell(result)
        return result

    def _tell(self, result: NormalityResult) -> None:
        state = result.status.state.value
        if state != self._state:
            self._alerting.set(state in {"provisional", "ready"})
            log.info("normality", camera=self._camera, state=state, reason=result.status.reason)
            self._state = state


def _why_not_to_learn(view: object) -> str:
    """Name the ill health of the picture, or nothing: the health analyser has looked before."""
    report = getattr(view, "extras", {}).get(HealthAnalyser.name)
    return ", ".join(report.states) if isinstance(report, HealthReport) and report.states else ""


def make_scenes(config: Config) -> dict[str, SceneNormality]:
    """Return what learns, for every camera that wants it."""
    wanted = {n: c for n, c in config.cameras.items() if c.enabled and c.normality.enabled}
    return {name: SceneNormality(name, camera.normality) for name, camera in wanted.items()}


def make_work(
    camera: CameraConfig,
    detector: Detector,
    metrics: Metrics,
    scene: SceneNormality | None,
    shelf: Shelf,
) -> Work:
    """Return the analysis state that travels with the camera's slot."""
    detect = camera.detect
    analysers: list[Analyser] = [MeteredHealth(camera, metrics)] if camera.health.enabled else []
    if scene is not None:
        analysers.append(MeteredNormality(camera, scene, metrics))
    if any(rule.type in ("left_object", "removed_object") for rule in camera.rules):
        analysers.append(StaticObjects())
    return Work(
        camera=camera.name,
        analysers=tuple(analysers),
        gate=MotionGate(
            camera.motion, idle_interval_s=detect.idle_interval_s, masks=tuple(camera.masks.values())
        ),
        planner=RegionPlanner(
            input_px=detector.input.side,
            min_object_px=detect.min_object_px,
            max_crops=detect.max_crops,
            idle_interval_s=detect.idle_interval_s,
        ),
        cutter=make_cutter(camera, shelf),
        min_object_px=detect.min_object_px,
    )


def make_engine(
    camera: CameraConfig,
    detector: Detector,
    metrics: Metrics,
    clock: Clock,
    off: Mapping[str, WhyOff] | None = None,
) -> CameraEngine:
    """Return the camera's engine; an exception in a rule is counted and logged, the other rules go on."""
    return CameraEngine(
        camera.name,
        build_rules(camera.rules, camera.zones, camera.lines),
        Tracker(camera.track, camera.detect.scores),
        labels=detector.labels,
        sinks=camera.sinks,
        masks=tuple(camera.masks.values()),
        off=off,
        on_rule_error=RuleErrors(camera.name, metrics, clock),
    )


class RuleErrors:
    """Counts exceptions in rules and logs them at most once a minute. Owned by the analyse thread."""

    def __init__(self, camera: str, metrics: Metrics, clock: Clock) -> None:
        self._camera = camera
        self._metrics = metrics
        self._clock = clock
        self._logged_at = float("-inf")

    def __call__(self, rule: str, error: Exception) -> None:
        """Note one exception."""
        self._metrics.rule_errors.labels(self._camera, rule).inc()
        if self._clock.monotonic() - self._logged_at >= 60.0:
            self._logged_at = self._clock.monotonic()
            log.error("bug in a rule, the others go on", camera=self._camera, rule=rule, exc_info=error)


class CameraEvidence:
    """Evidence by camera: each has settings of its own. Used by the commit thread alone."""

    def __init__(self, by_camera: Mapping[str, Evidence]) -> None:
        self.by_camera = dict(by_camera)

    def attach(self, alerts: Sequence[Alert], scenery: Scenery) -> list[Alert]:
        """Store what belongs to the alerts of one camera's frame; return them naming it."""
        return self.by_camera[scenery.frame.camera].attach(alerts, scenery)


@dataclass(slots=True)
class Pipeline:
    """The stages, wired to each other."""

    ring: FrameRing[Work]
    prepare: PrepareStage
    detect: DetectStage
    analyse: AnalyseStage
    commit: CommitStage


def make_pipeline(
    config: Config,
    detector: Detector,
    writer: AlertWriter,
    metrics: Metrics,
    clock: Clock,
    *,
    lossless: bool = False,
    scenes: Mapping[str, SceneNormality] | None = None,
    shelf: Shelf | None = None,
    arming: Arming | None = None,
    on_alerts: Callable[[Sequence[Alert]], None] = lambda _alerts: None,
) -> Pipeline:
    """Return the stages with a lane for every enabled camera. Without `arming` rules alert at any time."""
    # There is a prepare worker per core already; OpenCV's own threads would only wait for each other.
    cv2.setNumThreads(1)
    ring: FrameRing[Work] = FrameRing(lossless=lossless)
    cameras = {name: camera for name, camera in config.cameras.items() if camera.enabled}
    desk = make_desk(config, metrics)
    commit = CommitStage(
        writer,
        {name: make_places(camera) for name, camera in cameras.items()},
        ring.give_back,
        metrics,
        clock,
        on_alerts,
        desk,
    )
    off = {n: arming.why_off(c, config.schedules) for n, c in cameras.items()} if arming else {}
    engines = {n: make_engine(c, detector, metrics, clock, off.get(n)) for n, c in cameras.items()}
    analyse = AnalyseStage(engines, commit.offer, metrics, clock, desk)
    detect = DetectStage(detector, analyse.inbox.put, metrics, clock)
    prepare = PrepareStage(ring, detector, detect.inbox.put, analyse.inbox.put, metrics, clock)
    shelf = shelf or Shelf()
    for name, camera in cameras.items():
        work = make_work(camera, detector, metrics, (scenes or {}).get(name), shelf)
        ring.add(name, work, camera.detect.fps)
    return Pipeline(ring, prepare, detect, analyse, commit)


def make_places(camera: CameraConfig) -> Places:
    """Return what is drawn into the camera's pictures."""
    return Places(camera.zones, camera.lines, camera.sinks)


def make_couriers(
    config: Config, outbox: Outbox, metrics: Metrics, clock: Clock, stop: Stop, status: Callable[[], Status]
) -> list[Courier]:
    """Return one courier for each sink."""
    couriers = []
    for name, settings in config.sinks.items():
        context = Context(name=name, state_dir=config.state_dir, clock=clock, stop=stop)
        sink = make_sink(cast("SinkSettings", settings), context)
        couriers.append(Courier(name, sink, outbox, clock, config.outbox, metrics=metrics, status=status))
    return couriers


class CameraRecorder:
    """A camera's packet ring as clips want it."""

    def __init__(self, seconds: float) -> None:
        self.packets = PacketRing(seconds)

    def secure(self, since: float) -> Hold:
        """Keep what arrived from `since` on."""
        return self.packets.secure(since)

    def mux(self, path: Path, since: float, until: float) -> float:
        """Write the packets of the span; return the duration, s. Raises SourceError or OSError."""
        return mux(self.packets.clip(since, until), path)


def make_recorders(config: Config) -> dict[str, CameraRecorder]:
    """Return what keeps packets, for every camera that makes clips of streams that have packets."""
    found = {}
    for name, camera in config.cameras.items():
        evidence = camera.evidence
        is_webcam = device_number((camera.record or camera.stream).url) is not None
        if camera.enabled and evidence.clip and not is_webcam:
            # The longest wait before an event opens, and a long GOP, come before the pre-roll.
            waits = max((getattr(rule, "after_s", 0.0) for rule in camera.rules), default=0.0)
            found[name] = CameraRecorder(evidence.pre_s + evidence.post_s + min(waits, 60.0) + _LONG_GOP_S)
    return found


def make_writer(
    config: Config,
    outbox: Outbox,
    metrics: Metrics,
    wake: Callable[[], None],
    state_dir: Path,
    clock: Clock,
    recorders: Mapping[str, CameraRecorder] | None = None,
) -> AlertWriter:
    """Return what puts evidence and alerts on the disk."""
    settings = {name: camera.evidence for name, camera in config.cameras.items()}
    retention = Retention(state_dir, settings, outbox)
    retention.adopt()
    evidence = CameraEvidence(
        {name: Evidence(state_dir, one, retention.make_room, metrics) for name, one in settings.items()}
    )
    clips = None if recorders is None else Clips(state_dir, settings, recorders, retention.make_room)
    return AlertWriter(
        outbox,
        evidence,
        wake,
        metrics,
        state_dir=state_dir,
        storm=config.storm,
        retention=retention,
        clips=clips,
        clock=clock,
    )
