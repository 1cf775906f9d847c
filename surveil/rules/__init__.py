"""Rules: each is one file with its settings and behaviour, and one line in `CORE_RULES`.

A rule looks at one scene and *signals* what is true in it; `surveil.events` turns signals into events. The rules
of features are named by `surveil.features.registry`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from surveil.rules.base import Places, Rule, RuleSettings
from surveil.rules.crowding import Crowding, CrowdingSettings
from surveil.rules.intrusion import Intrusion, IntrusionSettings
from surveil.rules.line_crossing import LineCrossing, LineCrossingSettings
from surveil.rules.loitering import Loitering, LoiteringSettings
from surveil.rules.presence import Presence, PresenceSettings
from surveil.rules.speed import Speed, SpeedSettings
from surveil.rules.wrong_way import WrongWay, WrongWaySettings


@dataclass(frozen=True, slots=True)
class RuleKind:
    """A kind of rule: the settings it takes and what makes it of them."""

    settings: type[RuleSettings]
    make: Callable[[Any, Places], Rule]


CORE_RULES: dict[str, RuleKind] = {
    "intrusion": RuleKind(IntrusionSettings, Intrusion),
    "line_crossing": RuleKind(LineCrossingSettings, LineCrossing),
    "loitering": RuleKind(LoiteringSettings, Loitering),
    "crowding": RuleKind(CrowdingSettings, Crowding),
    "presence": RuleKind(PresenceSettings, Presence),
    "speed": RuleKind(SpeedSettings, Speed),
    "wrong_way": RuleKind(WrongWaySettings, WrongWay),
}
