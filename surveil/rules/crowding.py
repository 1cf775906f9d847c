"""The rule `crowding`: too many objects in one place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from surveil.rules.base import ObjectRuleSettings, Places, within
from surveil.types import Scene, Signal
from surveil.wording import Said, say


class CrowdingSettings(ObjectRuleSettings):
    """Many objects are in a zone at once."""

    type: Literal["crowding"] = Field(default="crowding", description="Many objects are in a zone at once.")
    zone: str | None = Field(default=None, description="Zone. Default: the whole picture.")
    count: int = Field(default=5, ge=2, le=1000, description="Number of objects that count as a crowd.")
    after_s: float = Field(default=5.0, ge=0, le=3600, description="Time that the count must last.")


class Crowding:
    """Signals `zone/crowd` while at least `count` objects are in the zone."""

    type = "crowding"

    def __init__(self, settings: CrowdingSettings, places: Places) -> None:
        self.settings = settings
        self.after_s = settings.after_s
        self._zone = places.zones[settings.zone] if settings.zone else None

    def signals(self, scene: Scene) -> Iterator[Signal]:
        """Yield a signal while there is a crowd; its box goes around it."""
        there = within(self.settings, self._zone, scene)
        if len(there) < self.settings.count:
            return
        boxes = list(zip(*(track.box for track in there), strict=True))
        around = (min(boxes[0]), min(boxes[1]), max(boxes[2]), max(boxes[3]))
        zone = self.settings.zone or ""
        yield Signal(
            rule=self.type,
            key=f"{zone or 'picture'}/crowd",
            score=min(t.score for t in there),
            label=there[0].label,
            zone=zone,
            box=around,
            text=_text(len(there), zone),
            details={"count": len(there)},
        )

    def reset(self) -> None:
        """It remembers nothing."""


def _text(count: int, zone: str) -> Said:
    if zone:
        return say("{count} at once in {zone}", count=count, zone=zone)
    return say("{count} at once", count=count)
