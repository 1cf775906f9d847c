"""Learned normality: what is usual in front of a camera, and alerts on what is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import structlog

from surveil.features.base import CameraParts, Feature, ModelPlace, Section, Shared
from surveil.features.normality.result import NormalityResult
from surveil.features.normality.rule import Anomaly, AnomalySettings
from surveil.features.normality.settings import NormalitySettings
from surveil.rules import RuleKind
from surveil.types import Alert, Bytes, Findings

log = structlog.get_logger(__name__)
MIN_ROWS, MAX_ROWS = 360, 540
"""Text fits over two pictures of the first height, and two of the second on a screen beside each other."""

if TYPE_CHECKING:
    from surveil.alerts.evidence import Hide
    from surveil.metrics import MetricsPart
    from surveil.pipeline.work import Analyser
    from surveil.versions import Keeper


def _needs(camera: CameraParts) -> object:
    settings = camera.section(NormalitySettings)
    return (settings, camera.unstored, camera.detect.fps) if settings.enabled else None


def _analyser(camera: CameraParts, shared: Shared) -> Analyser:
    # Only where a camera wants it.
    from surveil.features.normality.analyser import NormalityAnalyser  # noqa: PLC0415
    from surveil.features.normality.scene import Scenes  # noqa: PLC0415

    scene = shared.get(Scenes).of(camera.name, camera.section(NormalitySettings))
    return NormalityAnalyser(scene, shared.metrics, camera.detect.fps, camera.unstored)


def _leave(camera: str, shared: Shared) -> None:
    from surveil.features.normality.scene import Scenes  # noqa: PLC0415 - loaded already

    shared.get(Scenes).drop(camera)


def _keeper(shared: Shared, models: ModelPlace) -> Keeper:
    # Only once a camera learns.
    from surveil.features.normality.keeper import NormalityKeeper  # noqa: PLC0415
    from surveil.features.normality.scene import Scenes  # noqa: PLC0415

    return NormalityKeeper(models.state_dir, shared.get(Scenes), _report, shared.clock)


def _report(camera: str, what: str) -> None:
    log.info("learned normality", camera=camera, what=what)


def why_unusual(_alert: Alert, picture: Bytes, findings: Findings, hide: Hide) -> Mapping[str, Bytes]:
    """Return `explained`: heat and box on the picture, the nearest usual example beside it."""
    from surveil.features.normality.draw import explained  # noqa: PLC0415 - only once there is an alert

    finding = findings.get(NormalityResult)
    if finding is None or finding.explanation is None:
        return {}
    rows, columns = picture.shape[:2]
    height = min(max(rows, MIN_ROWS), MAX_ROWS)
    return {"explained": explained(picture, (columns, rows), finding.explanation, height, hide)}


def _metrics() -> type[MetricsPart]:
    from surveil.features.normality.metrics import NormalityMetrics  # noqa: PLC0415 - only in the daemon

    return NormalityMetrics


NORMALITY = Feature(
    section=Section(
        name="normality",
        settings=NormalitySettings,
        about="Learned normal activity: what an `anomaly` rule alerts on.",
    ),
    rules={"anomaly": RuleKind(AnomalySettings, Anomaly)},
    needs=_needs,
    analyser=_analyser,
    leave=_leave,
    keeper=_keeper,
    metrics=_metrics,
    illustrators={Anomaly.type: why_unusual},
)
