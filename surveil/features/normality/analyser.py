"""Learned normality as an analyser of the prepare stage: planes in, a finding in `Observation.extras`."""

from __future__ import annotations

from collections.abc import Callable

from surveil.features.normality.pause import DAMAGED, LIGHT, LearningPause
from surveil.features.normality.plane import plane_size
from surveil.features.normality.result import EXTRA, NormalityResult
from surveil.features.normality.scene import SceneNormality
from surveil.types import FrameView, GateDecision, Motion

Asked = Callable[[FrameView], LearningPause | None]
"""Says why not to learn from a frame: an open alarm, an ill picture; None: learn."""


def is_still(motion: Motion | None) -> bool:
    """Return whether the gate watched and saw nothing move: scaling a picture costs as much as looking at it."""
    return (
        motion is not None
        and motion.gate in (GateDecision.CLOSED_STILL, GateDecision.IDLE)
        and not len(motion.boxes)
    )


class NormalityAnalyser:
    """Owned, with its scene, by the holder of the camera's slot."""

    name = EXTRA

    def __init__(self, scene: SceneNormality, hold: Asked = lambda _view: None) -> None:
        self.scene = scene
        self._hold = hold

    def observe(self, view: FrameView) -> NormalityResult | None:
        """Judge one frame; None for a damaged one, which would look like motion."""
        frame = view.frame
        if frame.damaged and not frame.degraded:
            return None
        size = (frame.picture.width, frame.picture.height)
        still = is_still(view.motion)
        luma = None
        if not still or self.scene.wants(frame.t, size):
            plane = plane_size(*size)
            luma = view.luma(plane.width, plane.height)
        return self.scene.observe(
            luma, frame.t, frame.t_wall, size, view.tracks, self._why_not(view), still=still
        )

    def lost(self) -> None:
        """Note that the stream was interrupted."""
        self.scene.lost()

    def _why_not(self, view: FrameView) -> LearningPause | None:
        if view.frame.degraded:
            return DAMAGED
        if view.motion is not None and view.motion.gate is GateDecision.CLOSED_GLOBAL:
            return LIGHT
        return self._hold(view)
