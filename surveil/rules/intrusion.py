"""The rule `intrusion`: one event per zone and class, from the first arrival to the last departure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from surveil.rules.base import ObjectRuleSettings, Places, by_class, within
from surveil.types import Scene, Signal
from surveil.wording import say


class IntrusionSettings(ObjectRuleSettings):
    """An object of a class is in a zone."""

    type: Literal["intrusion"] = Field(default="intrusion", description="An object is in a zone.")
    zone: str = Field(description="The zone.")
    after_s: float = Field(default=1.0, ge=0, le=3600, description="Time in the zone before an event opens.")


class Intrusion:
    """Signals `zone/class` while an object of the class has its anchor in the zone."""

    type = "intrusion"

    def __init__(self, settings: IntrusionSettings, places: Places) -> None:
        self.settings = settings
        self.after_s = settings.after_s
        self._zone = places.zones[settings.zone]

    def signals(self, scene: Scene) -> Iterator[Signal]:
        """Yield one signal per class that is in the zone."""
        for label, track in by_class(within(self.settings, self._zone, scene)).items():
            zone = self.settings.zone
            yield Signal(
                rule=self.type,
                key=f"{zone}/{label}",
                score=track.score,
                label=label,
                zone=zone,
                track=track.id,
                box=track.box,
                text=say("{label} in {zone}", label=label, zone=zone),
            )

    def reset(self) -> None:
        """It remembers nothing."""
