"""The feature `perimeter`: its rule, and the analyser for all rules with `classes: [any]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surveil.features.base import CameraParts, Feature, Shared
from surveil.features.perimeter.rule import Perimeter, PerimeterSettings
from surveil.rules import RuleKind
from surveil.rules.base import ObjectRuleSettings
from surveil.rules.movers import ANY

if TYPE_CHECKING:
    from surveil.pipeline.work import Analyser


def _needs(camera: CameraParts) -> object:
    wanted = any(
        isinstance(rule, PerimeterSettings) or (isinstance(rule, ObjectRuleSettings) and ANY in rule.classes)
        for rule in camera.rules
    )
    return (camera.detect.min_object_px, tuple(camera.masks.values())) if wanted else None


def _analyser(camera: CameraParts, _shared: Shared) -> Analyser:
    from surveil.features.perimeter.analyser import MoverAnalyser  # noqa: PLC0415 - only where it is wanted

    return MoverAnalyser(camera.detect.min_object_px, tuple(camera.masks.values()))


PERIMETER = Feature(
    rules={"perimeter": RuleKind(PerimeterSettings, Perimeter)}, needs=_needs, analyser=_analyser
)
