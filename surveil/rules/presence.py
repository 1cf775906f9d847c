"""The rule `presence`: an object of a class that should not be here, or not now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from surveil.rules.base import ObjectRuleSettings, Places, by_class, within
from surveil.types import Scene, Signal
from surveil.wording import Said, say


class PresenceSettings(ObjectRuleSettings):
    """An object of a class is in the picture."""

    type: Literal["presence"] = Field(
        default="presence", description="An object is in the picture or a zone."
    )
    zone: str | None = Field(default=None, description="Restrict to this zone. Default: the whole picture.")
    after_s: float = Field(default=0.5, ge=0, le=3600, description="Time before an event opens.")


class Presence:
    """Signals `zone/class` (`picture/class` without a zone) while an object of the class is there."""

    type = "presence"

    def __init__(self, settings: PresenceSettings, places: Places) -> None:
        self.settings = settings
        self.after_s = settings.after_s
        self._zone = places.zones[settings.zone] if settings.zone else None

    def signals(self, scene: Scene) -> Iterator[Signal]:
        """Yield one signal per class that is present."""
        zone = self.settings.zone or ""
        for label, track in by_class(within(self.settings, self._zone, scene)).items():
            yield Signal(
                rule=self.type,
                key=f"{zone or 'picture'}/{label}",
                score=track.score,
                label=label,
                zone=zone,
                track=track.id,
                box=track.box,
                text=_text(label, zone),
            )

    def reset(self) -> None:
        """It remembers nothing."""


def _text(label: str, zone: str) -> Said:
    if zone:
        return say("{label} present in {zone}", label=label, zone=zone)
    return say("{label} present", label=label)
