"""Learned normality as an analyser of the prepare stage: planes in, a finding and metrics out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import structlog

from surveil.clock import Every
from surveil.features.normality.flow import STILL_S
from surveil.features.normality.learning import DAMAGED, LIGHT, LearningPause, PauseReason
from surveil.features.normality.metrics import NormalityMetrics
from surveil.features.normality.plane import plane_size
from surveil.features.normality.result import NormalityResult, NormalityState, NormalityStatus
from surveil.features.normality.rule import Anomaly
from surveil.features.normality.scene import SceneNormality
from surveil.metrics import Metrics
from surveil.types import GateDecision, Motion, Polygon
from surveil.view import FrameView

log = structlog.get_logger(__name__)
_ALERTING = (NormalityState.PROVISIONAL, NormalityState.READY)
SHOW_S = 1.0
"""What changes slowly is shown this often: a dozen gauges a frame cost as much as judging a still one."""


def is_still(motion: Motion | None) -> bool:
    """Return whether the gate watched and saw nothing move: scaling a picture costs as much as looking at it."""
    quiet = (GateDecision.CLOSED_STILL, GateDecision.IDLE)
    return motion is not None and motion.gate in quiet and not len(motion.boxes)


def why_pause(view: FrameView) -> LearningPause | None:
    """Say why not to learn from a frame: a damaged or faulty picture, the light, an open event of another rule.

    Its own alarms are the scene's affair: left out of the footage, each new threshold would be lower.
    """
    if view.frame.degraded:
        return DAMAGED
    if view.motion is not None and view.motion.gate is GateDecision.CLOSED_GLOBAL:
        return LIGHT
    if trouble := view.trouble:
        reason = PauseReason.MOVED if view.misfit else PauseReason.PICTURE
        return LearningPause(reason, trouble.text, blind=trouble.hides)
    for event in view.events:
        if event.type != Anomaly.type:
            return LearningPause(PauseReason.ALARM, f"an event of rule {event.rule} is open")
    return None


class NormalityAnalyser:
    """Judges the frames of one camera. Owned, with its scene, by the holder of the camera's slot.

    `fps`: the rate of analysis. `unstored`: areas (fractions of the frame) that must not be stored. What is usual is
    learned with pictures of it, and those are stored.
    """

    def __init__(
        self, scene: SceneNormality, metrics: Metrics, fps: float, unstored: Sequence[Polygon] = ()
    ) -> None:
        self.scene = scene
        self._interval_s = 1.0 / fps
        self._camera = scene.camera
        self._unstored = unstored
        own = metrics.of(NormalityMetrics)
        self._surprise = own.surprise.labels(scene.camera)
        self._threshold = own.threshold.labels(scene.camera)
        self._alerting = own.alerting.labels(scene.camera)
        self._drift = own.drift.labels(scene.camera)
        self._model = own.model.labels(scene.camera)
        self._shadowed = own.shadowed.labels(scene.camera)
        self._learned = own.learned.labels(scene.camera)
        self._progress = own.progress.labels(scene.camera)
        self._states = {s: own.state.labels(scene.camera, s.value) for s in NormalityState}
        self._held = {r: own.held.labels(scene.camera, r.value) for r in PauseReason}
        self._counted = 0
        self._shows = Every(SHOW_S)
        self._t: float | None = None
        self._told: tuple[NormalityState, str] | None = None
        self._scene_said: NormalityStatus | None = None

    @property
    def wants_all(self) -> bool:
        """Whether pictures far apart are not enough now, although nothing moves."""
        return self.scene.wants_all

    def observe(self, view: FrameView) -> NormalityResult | None:
        """Judge one frame; None for a damaged one, which would look like motion."""
        if view.asleep:
            self._pass_over(view)
        result = self._judge(view.hiding(self._unstored))
        if result is not None:
            self._show(result)
        self._count_held(view.frame.t)
        return result

    def _pass_over(self, view: FrameView) -> None:
        """Learn and judge what nobody decoded, because nothing moved: frames as still as the one before them."""
        frame = view.frame
        if self._t is None or frame.t - self._t > STILL_S:
            return
        size, hold = (frame.picture.width, frame.picture.height), why_pause(view)
        for t in np.arange(
            self._t + self._interval_s, frame.t - self._interval_s / 2, self._interval_s
        ).tolist():
            t_wall = frame.t_wall - (frame.t - t)
            self.scene.observe(None, t, t_wall, size, view.tracks, hold, still=True)
            self._count_held(t)

    def lost(self) -> None:
        """Note that the stream was interrupted."""
        self.scene.lost()
        self._t = None

    def _judge(self, view: FrameView) -> NormalityResult | None:
        frame = view.frame
        if frame.damaged and not frame.degraded:
            return None
        size = (frame.picture.width, frame.picture.height)
        still = is_still(view.motion)
        luma = None
        # One of the late frames is the first in which something moves: it takes the one before it to say how.
        if not still or frame.late or self.scene.wants(frame.t, size):
            plane = plane_size(*size)
            luma = view.luma(plane.width, plane.height)
        return self.scene.observe(
            luma, frame.t, frame.t_wall, size, view.tracks, why_pause(view), still=still
        )

    def _show(self, result: NormalityResult) -> None:
        self._surprise.set(result.sustained)
        if self._shows.due(result.t) or result.status != self._scene_said:
            self._scene_said = result.status
            self._show_state(result)

    def _show_state(self, result: NormalityResult) -> None:
        """Show what changes slowly."""
        scene = self.scene
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
        holding = self.scene.learning.holding
        if holding is not None and self._t is not None:
            self._held[holding.reason].inc(min(1.0, max(0.0, t - self._t)))
        self._t = t
