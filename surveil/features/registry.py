"""Every feature, and every rule there is: those of the core and those of features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from surveil.features.base import Feature
from surveil.features.classify.feature import CLASSIFY
from surveil.features.counting.feature import COUNTING
from surveil.features.health.feature import HEALTH
from surveil.features.normality.feature import NORMALITY
from surveil.features.perimeter.feature import PERIMETER
from surveil.features.things.feature import THINGS
from surveil.geometry import Line
from surveil.rules import CORE_RULES, RuleKind
from surveil.rules.base import Places, Rule
from surveil.types import Alert, Bytes, Findings, Polygon

if TYPE_CHECKING:
    from surveil.alerts.evidence import Hide
    from surveil.metrics import Metrics

FEATURES: dict[str, Feature] = {
    # In the order in which their analysers look at a frame: normality asks whether the picture is well.
    "health": HEALTH,
    "normality": NORMALITY,
    "things": THINGS,
    "perimeter": PERIMETER,
    "classify": CLASSIFY,
    "counting": COUNTING,
}
RULES: dict[str, RuleKind] = CORE_RULES | {
    name: kind for feature in FEATURES.values() for name, kind in feature.rules.items()
}


def build_rules(
    settings: Iterable[Any], zones: Mapping[str, Polygon], lines: Mapping[str, Line]
) -> tuple[Rule, ...]:
    """Return the rules that `settings` describe, for one camera's zones and lines."""
    places = Places(zones, lines)
    return tuple(RULES[one.type].make(one, places) for one in settings)


def add_metrics(metrics: Metrics) -> None:
    """Create the metrics of all features, so that they are there before a camera uses one."""
    for feature in FEATURES.values():
        if feature.metrics is not None:
            metrics.of(feature.metrics())


def illustrate(alert: Alert, picture: Bytes, findings: Findings, hide: Hide) -> Mapping[str, Bytes]:
    """Return the pictures that explain an alert, by kind; none for most."""
    for feature in FEATURES.values():
        if draw := feature.illustrators.get(alert.type):
            return draw(alert, picture, findings, hide)
    return {}
