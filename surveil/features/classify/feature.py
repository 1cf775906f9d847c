"""Your own classifiers: rules about what they see in a picture, a zone or a tracked object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surveil.features.base import CameraParts, Feature, ModelPlace, Shared
from surveil.features.classify.rule import Classified, ClassifiedSettings
from surveil.rules import RuleKind

if TYPE_CHECKING:
    from surveil.metrics import MetricsPart
    from surveil.pipeline.detect import SecondStage
    from surveil.pipeline.work import CropSource
    from surveil.versions import Keeper


def _needs(camera: CameraParts) -> object:
    rules = [rule for rule in camera.rules if isinstance(rule, ClassifiedSettings)]
    return (rules, camera.zones) if rules else None


def _crops(camera: CameraParts, shared: Shared) -> CropSource:
    from surveil.features.classify.crops import make_cutter  # noqa: PLC0415 - loads the model runtime
    from surveil.features.classify.registry import ClassifierRegistry  # noqa: PLC0415

    return make_cutter(camera, shared.get(ClassifierRegistry))


def _leave(camera: str, shared: Shared) -> None:
    from surveil.features.classify.registry import ClassifierRegistry  # noqa: PLC0415 - loaded already

    shared.get(ClassifierRegistry).want(camera, ())


def _keeper(shared: Shared, models: ModelPlace) -> Keeper:
    from surveil.features.classify.registry import ClassifierRegistry, make_keeper  # noqa: PLC0415 - loads the model runtime

    return make_keeper(models.state_dir, shared.get(ClassifierRegistry), models.settings, shared.metrics)


def _second_stage(shared: Shared) -> SecondStage:
    from surveil.features.classify.runner import ClassifierRunner  # noqa: PLC0415 - loads the model runtime

    return ClassifierRunner(shared.metrics, shared.clock)


def _metrics() -> type[MetricsPart]:
    from surveil.features.classify.metrics import ClassifierMetrics  # noqa: PLC0415 - only in the daemon

    return ClassifierMetrics


CLASSIFY = Feature(
    rules={"classified": RuleKind(ClassifiedSettings, Classified)},
    needs=_needs,
    crops=_crops,
    leave=_leave,
    keeper=_keeper,
    second_stage=_second_stage,
    metrics=_metrics,
)
