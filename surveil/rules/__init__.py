"""What is an event. A rule is one file, settings and behaviour together, and one line in `RULES`.

A rule looks at one scene and *signals* what is true in it; `surveil.events` makes episodes of signals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from surveil.geometry import Line
from surveil.rules.anomaly import Anomaly, AnomalySettings
from surveil.rules.base import Places, Rule, RuleSettings
from surveil.rules.classified import Classified, ClassifiedSettings
from surveil.rules.crowding import Crowding, CrowdingSettings
from surveil.rules.intrusion import Intrusion, IntrusionSettings
from surveil.rules.left_object import LeftObject, LeftObjectSettings
from surveil.rules.line_crossing import LineCrossing, LineCrossingSettings
from surveil.rules.loitering import Loitering, LoiteringSettings
from surveil.rules.picture import PictureRule, PictureSettings
from surveil.rules.presence import Presence, PresenceSettings
from surveil.rules.removed_object import RemovedObject, RemovedObjectSettings
from surveil.rules.speed import Speed, SpeedSettings
from surveil.rules.wrong_way import WrongWay, WrongWaySettings
from surveil.types import Polygon


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of rule: the settings it takes and what makes it of them."""

    settings: type[RuleSettings]
    make: Callable[[Any, Places], Rule]


RULES: dict[str, Kind] = {
    "intrusion": Kind(IntrusionSettings, Intrusion),
    "line_crossing": Kind(LineCrossingSettings, LineCrossing),
    "loitering": Kind(LoiteringSettings, Loitering),
    "crowding": Kind(CrowdingSettings, Crowding),
    "presence": Kind(PresenceSettings, Presence),
    "left_object": Kind(LeftObjectSettings, LeftObject),
    "removed_object": Kind(RemovedObjectSettings, RemovedObject),
    "speed": Kind(SpeedSettings, Speed),
    "wrong_way": Kind(WrongWaySettings, WrongWay),
    "anomaly": Kind(AnomalySettings, Anomaly),
    "classified": Kind(ClassifiedSettings, Classified),
    "picture": Kind(PictureSettings, PictureRule),
}


def build_rules(
    settings: Iterable[Any], zones: Mapping[str, Polygon], lines: Mapping[str, Line]
) -> tuple[Rule, ...]:
    """Return the rules that `settings` describe, for one camera's zones and lines."""
    places = Places(zones, lines)
    return tuple(RULES[one.type].make(one, places) for one in settings)
