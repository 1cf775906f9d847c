"""Picture health: frozen, dark, bright, blurred, covered, moved, noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surveil.features.base import CameraParts, Feature, Section, Shared
from surveil.features.health.rule import PictureRule, PictureSettings
from surveil.features.health.settings import HealthSettings
from surveil.rules import RuleKind

if TYPE_CHECKING:
    from surveil.metrics import MetricsPart
    from surveil.pipeline.work import Analyser


def _needs(camera: CameraParts) -> HealthSettings | None:
    settings = camera.section(HealthSettings)
    return settings if settings.enabled else None


def _analyser(camera: CameraParts, shared: Shared) -> Analyser:
    # Only where a camera wants it.
    from surveil.features.health.analyser import HealthAnalyser  # noqa: PLC0415
    from surveil.features.health.channel import Views  # noqa: PLC0415

    return HealthAnalyser(camera.name, camera.section(HealthSettings), shared.metrics, shared.get(Views))


def _metrics() -> type[MetricsPart]:
    from surveil.features.health.metrics import HealthMetrics  # noqa: PLC0415 - only in the daemon

    return HealthMetrics


HEALTH = Feature(
    section=Section(
        name="health",
        settings=HealthSettings,
        about="Detection of camera faults: what a `picture` rule alerts on.",
    ),
    rules={"picture": RuleKind(PictureSettings, PictureRule)},
    needs=_needs,
    analyser=_analyser,
    metrics=_metrics,
)
