"""Learned normality in the daemon: what it finds is shown as metrics."""

from __future__ import annotations

import structlog

from surveil.config import CameraConfig
from surveil.metrics import Metrics
from surveil.normality.analyser import NormalityAnalyser
from surveil.normality.result import NormalityResult
from surveil.normality.scene import SceneNormality
from surveil.pipeline.work import View
from surveil.vision.health import HealthReport
from surveil.vision.watch import HealthAnalyser

log = structlog.get_logger(__name__)


class MeteredNormality:
    """Learned normality, shown as metrics; changes of its state are logged. Owned by the slot's holder."""

    name = NormalityAnalyser.name

    def __init__(self, camera: CameraConfig, scene: SceneNormality, metrics: Metrics) -> None:
        self._scene = scene
        self._camera = camera.name
        self._unstored = camera.unstored
        self._analyser = NormalityAnalyser(scene, _why_not_to_learn)
        self._surprise = metrics.surprise.labels(camera.name)
        self._alerting = metrics.normality_valid.labels(camera.name)
        self._drift = metrics.normality_drift.labels(camera.name)
        self._model = metrics.normality_model.labels(camera.name)
        self._shadowed = metrics.normality_shadowed.labels(camera.name)
        self._counted = 0
        self._state = ""

    def observe(self, view: View) -> NormalityResult | None:
        """Judge one frame."""
        # What is usual is learned with pictures of it, and those are stored.
        result = self._analyser.observe(view.hiding(self._unstored))
        if result is not None:
            self._surprise.set(result.sustained)
            self._drift.set(self._scene.drift.ratio)
            self._model.set(self._scene.learned_until)
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
