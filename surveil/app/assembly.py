"""Builds the parts of one camera and of the daemon from the configuration: the one place that knows them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import cv2
import numpy as np
import structlog

from surveil.alerts.writer import AlertWriter
from surveil.app.arming import Arming
from surveil.clock import Clock
from surveil.config import CameraConfig, Config
from surveil.detect.detector import Detector
from surveil.engine import CameraEngine, Step
from surveil.features.base import Shared
from surveil.features.counting.wiring import Counting
from surveil.features.health.settings import HealthSettings
from surveil.features.registry import FEATURES, add_metrics, build_rules
from surveil.logs import LogThrottle
from surveil.metrics import Metrics
from surveil.pipeline.analyse import Admit, AnalyseStage, Attend, StepObserver
from surveil.pipeline.commit import CommitStage, PictureOverlay
from surveil.pipeline.decisions import DecisionLog
from surveil.pipeline.detect import DetectStage
from surveil.pipeline.prepare import PrepareStage
from surveil.pipeline.work import Analyser, Work
from surveil.ring import FrameRing
from surveil.rules.base import WhyOff
from surveil.schedule import ScheduleSettings
from surveil.track.tracker import Tracker
from surveil.types import Alert, Bytes
from surveil.vision.motion import MotionGate
from surveil.vision.regions import RegionPlanner
from surveil.vision.unchanged import UnchangedPlaces

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class CameraFactory:
    """Makes what one camera has in the pipeline, of what all cameras share. Any thread may use it."""

    detector: Detector
    shared: Shared
    """What the features of all cameras share."""
    arming: Arming | None = None
    """None: rules alert at any time."""
    schedules: Mapping[str, ScheduleSettings] = field(default_factory=dict)
    look: Callable[[str], Analyser] | None = None
    """What takes a camera's pictures for the live view; None: there is none."""

    def work(self, camera: CameraConfig) -> Work:
        """Return the analysis state that travels with the camera's slot."""
        detect = camera.detect
        used = [feature for feature in FEATURES.values() if feature.needs(camera) is not None]
        return Work(
            camera=camera.name,
            analysers=(
                UnchangedPlaces(detect.min_object_px),
                *(feature.analyser(camera, self.shared) for feature in used if feature.analyser),
                *((self.look(camera.name),) if self.look else ()),
            ),
            gate=MotionGate(
                camera.motion, idle_interval_s=detect.idle_interval_s, masks=tuple(camera.masks.values())
            ),
            planner=RegionPlanner(
                input_px=self.detector.input.side,
                min_object_px=detect.min_object_px,
                max_crops=detect.max_crops,
                idle_interval_s=detect.idle_interval_s,
            ),
            cutters=tuple(feature.crops(camera, self.shared) for feature in used if feature.crops),
            min_object_px=detect.min_object_px,
            undetected=camera.undetected,
        )

    def engine(self, camera: CameraConfig) -> CameraEngine:
        """Return the camera's engine; an exception in a rule is counted and logged, the other rules go on."""
        return CameraEngine(
            camera.name,
            build_rules(camera.rules, camera.zones, camera.lines),
            _tracker(camera),
            labels=self.detector.labels,
            sinks=camera.sinks,
            masks=tuple(camera.masks.values()),
            off=self.off(camera),
            hold_moved=camera.section(HealthSettings).hold_moved,
            titles=camera.titles,
            on_rule_error=RuleErrors(camera.name, self.shared.metrics, self.shared.clock),
        )

    def tuning(self, old: CameraConfig, new: CameraConfig) -> Callable[[CameraEngine], Step]:
        """Return what makes the engine of `old` that of `new`, keeping what is open and need not end."""
        same_tracker = (old.track, old.detect.scores) == (new.track, new.detect.scores)
        return partial(
            CameraEngine.retune,
            rules=build_rules(new.rules, new.zones, new.lines),
            moved=_moved(old.zones, new.zones) | _moved(old.lines, new.lines),
            tracker=None if same_tracker else _tracker(new),
            sinks=new.sinks,
            masks=tuple(new.masks.values()),
            off=self.off(new),
            hold_moved=new.section(HealthSettings).hold_moved,
            titles=new.titles,
        )

    def leave(self, name: str, old: CameraConfig, new: CameraConfig | None = None) -> None:
        """Take a camera out of the features that it used and no longer does."""
        for feature in FEATURES.values():
            used = feature.needs(old) is not None
            if feature.leave and used and (new is None or feature.needs(new) is None):
                feature.leave(name, self.shared)

    def forget_metrics(self, camera: str) -> None:
        """Remove the series of a camera's analysers: others take their place, or none."""
        for feature in FEATURES.values():
            if feature.analyser and feature.metrics:
                self.shared.metrics.of(feature.metrics()).forget(camera=camera)

    def off(self, camera: CameraConfig) -> Mapping[str, WhyOff]:
        """Return, by rule of a camera, what says why it may not alert."""
        return self.arming.why_off(camera, self.schedules) if self.arming else {}


def work_needs(camera: CameraConfig) -> tuple[object, ...]:
    """Return everything that `CameraFactory.work` makes a camera's work of: equal needs, equal work."""
    detect = camera.detect.model_dump(exclude={"fps", "scores"})
    features = (feature.needs(camera) for feature in FEATURES.values())
    return (detect, camera.motion, camera.masks, camera.undetected, *features)


def _moved(old: Mapping[str, object], new: Mapping[str, object]) -> set[str]:
    """Name the places that are not where they were."""
    return {name for name, points in new.items() if name in old and old[name] != points}


def _tracker(camera: CameraConfig) -> Tracker:
    return Tracker(camera.track, camera.detect.scores)


class RuleErrors:
    """Counts exceptions in rules and logs them at most once a minute. Owned by the analyse thread."""

    def __init__(self, camera: str, metrics: Metrics, clock: Clock) -> None:
        self._camera = camera
        self._metrics = metrics
        self._window = LogThrottle(clock)

    def __call__(self, rule: str, error: Exception) -> None:
        """Note one exception."""
        self._metrics.rule_errors.labels(self._camera, rule).inc()
        if n := self._window.take():
            log.error(
                "bug in a rule, other rules continue", camera=self._camera, rule=rule, times=n, exc_info=error
            )


@dataclass(slots=True, kw_only=True)
class Pipeline:
    """The stages, wired to each other."""

    ring: FrameRing[Work]
    prepare: PrepareStage
    detect: DetectStage
    analyse: AnalyseStage
    commit: CommitStage
    counting: Counting

    def open(self, camera: CameraConfig, work: Work, engine: CameraEngine) -> None:
        """Let a camera in, whether the stages run or not."""
        # The engine first: no frame of the camera may come to the analysis before it.
        self.analyse.inbox.put(Admit(camera.name, engine, make_places(camera)))
        self.count(camera)
        self.ring.add(camera.name, work, camera.detect.fps)

    def count(self, camera: CameraConfig) -> None:
        """Count at a camera as its settings say from now on."""
        self.analyse.inbox.put(Attend(camera.name, self.counting.at(camera)))


class Audience(StepObserver, Protocol):
    """Who shows what happens while it does; must not wait."""

    def committed(self, alerts: Sequence[Alert]) -> None:
        """Told of alerts that are on the disk, by the commit thread."""


def make_stages(
    detector: Detector,
    writer: AlertWriter,
    shared: Shared,
    *,
    counting: Counting,
    lossless: bool = False,
    on_alerts: Callable[[Sequence[Alert]], None] = lambda _alerts: None,
    audience: Audience | None = None,
) -> Pipeline:
    """Return the stages without a camera; `on_alerts` and the `audience` are told of alerts that are on the disk."""
    # There is a prepare worker per core already; OpenCV's own threads would only wait for each other.
    cv2.setNumThreads(1)
    ring: FrameRing[Work] = FrameRing(lossless=lossless)
    metrics, clock = shared.metrics, shared.clock
    add_metrics(metrics)
    second = [partial(feature.second_stage, shared) for feature in FEATURES.values() if feature.second_stage]

    def committed(alerts: Sequence[Alert]) -> None:
        on_alerts(alerts)
        if audience:
            audience.committed(alerts)

    commit = CommitStage(writer, ring.give_back, metrics, clock, committed, counting)
    analyse = AnalyseStage(commit.offer, metrics, clock, counting, DecisionLog(detector.labels), audience)
    detect = DetectStage(detector, analyse.inbox.put, ring.give_up, metrics, clock, second)
    prepare = PrepareStage(ring, detector, detect.inbox.put, analyse.inbox.put, metrics, clock)
    return Pipeline(
        ring=ring, prepare=prepare, detect=detect, analyse=analyse, commit=commit, counting=counting
    )


def make_pipeline(
    config: Config,
    detector: Detector,
    writer: AlertWriter,
    shared: Shared,
    *,
    lossless: bool = False,
    arming: Arming | None = None,
    on_alerts: Callable[[Sequence[Alert]], None] = lambda _alerts: None,
) -> Pipeline:
    """Return the stages with a lane for every enabled camera. Without `arming` rules alert at any time."""
    cameras = [camera for camera in config.cameras.values() if camera.enabled]
    counting = Counting(config.state_dir, shared.metrics)
    stages = make_stages(detector, writer, shared, counting=counting, lossless=lossless, on_alerts=on_alerts)
    factory = CameraFactory(detector, shared, arming, config.schedules)
    for camera in cameras:
        stages.open(camera, factory.work(camera), factory.engine(camera))
    return stages


def make_places(camera: CameraConfig) -> PictureOverlay:
    """Return what is drawn into the camera's pictures, and hidden in them. Raises ConfigError."""
    hide = _hide(camera)
    # The hidden area of a moved picture is at an unknown place, so no part of the picture is stored.
    return PictureOverlay(
        zones=camera.zones,
        lines=camera.lines,
        sinks=camera.sinks,
        hide=hide,
        hide_moved=np.zeros_like if camera.unstored else hide,
    )


def _hide(camera: CameraConfig) -> Callable[[Bytes], Bytes] | None:
    """Return what hides parts of the camera's pictures; None where nothing is hidden."""
    blurs = camera.evidence.blur_faces or camera.evidence.blur_faces_model is not None
    if not camera.unstored and not blurs:
        return None
    from surveil.alerts.privacy import make_hide  # noqa: PLC0415 - most cameras hide nothing

    return make_hide(camera.unstored, camera.evidence)
