"""Every rule there is, those of the features among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from surveil.features.classify.rule import Classified, ClassifiedSettings
from surveil.features.health.rule import PictureRule, PictureSettings
from surveil.features.normality.rule import Anomaly, AnomalySettings
from surveil.features.things.left_object import LeftObject, LeftObjectSettings
from surveil.features.things.removed_object import RemovedObject, RemovedObjectSettings
from surveil.geometry import Line
from surveil.rules import CORE_RULES, RuleKind
from surveil.rules.base import Places, Rule
from surveil.types import Polygon

RULES: dict[str, RuleKind] = CORE_RULES | {
    "left_object": RuleKind(LeftObjectSettings, LeftObject),
    "removed_object": RuleKind(RemovedObjectSettings, RemovedObject),
    "anomaly": RuleKind(AnomalySettings, Anomaly),
    "classified": RuleKind(ClassifiedSettings, Classified),
    "picture": RuleKind(PictureSettings, PictureRule),
}


def build_rules(
    settings: Iterable[Any], zones: Mapping[str, Polygon], lines: Mapping[str, Line]
) -> tuple[Rule, ...]:
    """Return the rules that `settings` describe, for one camera's zones and lines."""
    places = Places(zones, lines)
    return tuple(RULES[one.type].make(one, places) for one in settings)
