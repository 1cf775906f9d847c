"""Learned normality in the daemon: when a camera may learn, and what is shown of it."""

from __future__ import annotations

from math import inf

import structlog

from surveil.config import CameraConfig
from surveil.features.health.analyser import HealthAnalyser
from surveil.features.health.picture_health import HealthReport
from surveil.features.health.picture_health import PictureFault as PictureState
from surveil.features.normality.analyser import NormalityAnalyser
from surveil.features.normality.pause import LearningPause, Reason
from surveil.features.normality.result import NormalityResult
from surveil.features.normality.rule import Anomaly
from surveil.features.normality.scene import SceneNormality
from surveil.features.normality.validity import NormalityState, NormalityStatus
from surveil.metrics import Metrics
from surveil.pipeline.work import PreparedFrame
from surveil.types import FrameView as AnyView

log = structlog.get_logger(__name__)
_ALERTING = (NormalityState.PROVISIONAL, NormalityState.READY)
SHOW_S = 1.0
"""What changes slowly is shown this often: a dozen gauges a frame cost as much as judging a still one."""
_UNFIT = frozenset({PictureState.MOVED, PictureState.COVERED, PictureState.BLURRED})
"""Pictures that no longer show what a model knows."""


def why_hold(view: AnyView) -> LearningPause | None:
    """Say why not to learn from a frame: an ill picture, an open event of another rule.

    Its own alarms are the scene's affair: left out of the footage, each new threshold would be lower.
    """
    assert isinstance(view, PreparedFrame)
    report = view.extras.get(HealthAnalyser.name)
    if isinstance(report, HealthReport) and report.states:
        reason = Reason.MOVED if PictureState.MOVED in report.states else Reason.PICTURE
        return LearningPause(
            reason, f"the picture is {', '.join(report.states)}", blind=not _UNFIT.isdisjoint(report.states)
        )
    for event in view.events:
        if event.type != Anomaly.type:
            return LearningPause(Reason.ALARM, f"an event of rule {event.rule} is open")
    return None


class MeteredNormality:
    """Learned normality, shown as metrics; changes of its state are logged. Owned by the slot's holder."""

    name = NormalityAnalyser.name

    def __init__(self, camera: CameraConfig, scene: SceneNormality, metrics: Metrics) -> None:
        self._scene = scene
        self._camera = camera.name
        self._unstored = camera.unstored
        self._analyser = NormalityAnalyser(scene, why_hold)
        self._surprise = metrics.surprise.labels(camera.name)
        self._threshold = metrics.normality_threshold.labels(camera.name)
        self._alerting = metrics.normality_valid.labels(camera.name)
        self._drift = metrics.normality_drift.labels(camera.name)
        self._model = metrics.normality_model.labels(camera.name)
        self._shadowed = metrics.normality_shadowed.labels(camera.name)
        self._learned = metrics.normality_learned.labels(camera.name)
        self._progress = metrics.normality_progress.labels(camera.name)
        self._states = {s: metrics.normality_state.labels(camera.name, s.value) for s in NormalityState}
        self._held = {r: metrics.normality_held.labels(camera.name, r.value) for r in Reason}
        self._counted = 0
        self._due = -inf
        self._t: float | None = None
        self._told: tuple[NormalityState, str] | None = None
        self._scene_said: NormalityStatus | None = None

    def observe(self, view: PreparedFrame) -> NormalityResult | None:
        """Judge one frame."""
        # What is usual is learned with pictures of it, and those are stored.
        result = self._analyser.observe(view.hiding(self._unstored))
        if result is not None:
            self._show(result)
        self._count_held(view.frame.t)
        return result

    def lost(self) -> None:
        """Note that the stream was interrupted."""
        self._analyser.lost()
        self._t = None

    def _show(self, result: NormalityResult) -> None:
        self._surprise.set(result.sustained)
        if result.status != self._scene_said or not self._due - 2 * SHOW_S < result.t < self._due:
            self._due = result.t + SHOW_S
            self._scene_said = result.status
            self._show_state(result)

    def _show_state(self, result: NormalityResult) -> None:
        """Show what changes slowly."""
        scene = self._scene
        self._threshold.set(result.threshold)
        self._drift.set(scene.drift.ratio)
        self._model.set(scene.learned_until)
        self._shadowed.inc(scene.shadowed - self._counted)
        self._counted = scene.shadowed
        self._learned.set(scene.learning.seconds)
        self._progress.set(scene.learning.share)
        for state, gauge in self._states.items():
            gauge.set(state is result.status.state)
        self._alerting.set(result.status.state in _ALERTING)
        self._tell(result)

    def _tell(self, result: NormalityResult) -> None:
        """Log a new state once, and why."""
        status = result.status
        reason = status.reason.partition(":")[0] if status.state is NormalityState.INVALID else ""
        if (status.state, reason) != self._told:
            log.info("normality", camera=self._camera, state=status.state.value, reason=status.reason)
            self._told = (status.state, reason)

    def _count_held(self, t: float) -> None:
        """Add the time since the frame before to the reason of now; a hole in the stream counts a second."""
        holding = self._scene.learning.holding
        if holding is not None and self._t is not None:
            self._held[holding.reason].inc(min(1.0, max(0.0, t - self._t)))
        self._t = t
