"""Learned normality as an analyser of the prepare stage: planes in, a finding in `Observation.extras`."""

from __future__ import annotations

from collections.abc import Callable

from surveil.normality.hold import DAMAGED, LIGHT, Hold
from surveil.normality.plane import plane_size
from surveil.normality.result import EXTRA, NormalityResult
from surveil.normality.scene import SceneNormality
from surveil.types import Gate, Motion, View

Asked = Callable[[View], Hold | None]
"""Says why not to learn from a frame: an open alarm, an ill picture; None: learn."""


def is_still(motion: Motion | None) -> bool:
    """Return whether the gate watched and saw nothing move: scaling a picture costs as much as looking at it."""
    return motion is not None and motion.gate in (Gate.CLOSED_STILL, Gate.IDLE) and not len(motion.boxes)


class NormalityAnalyser:
    """Owned, with its scene, by the holder of the camera's slot."""

    name = EXTRA

    def __init__(self, scene: SceneNormality, hold: Asked = lambda _view: None) -> None:
        self.scene = scene
        self._hold = hold

    def observe(self, view: View) -> NormalityResult | None:
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

    def _why_not(self, view: View) -> Hold | None:
        if view.frame.degraded:
            return DAMAGED
        if view.motion is not None and view.motion.gate is Gate.CLOSED_GLOBAL:
            return LIGHT
        return self._hold(view)
