"""The rule `loitering`: an object stays in a zone for longer than allowed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from surveil.movement import Visits
from surveil.rules.base import ObjectRuleSettings, Places, by_class, wanted, within
from surveil.types import Scene, Signal
from surveil.wording import say

FORGET_S = 5.0
"""An object that leaves the zone for less than this has not left it."""


class LoiteringSettings(ObjectRuleSettings):
    """One object stays in a zone."""

    type: Literal["loitering"] = Field(default="loitering", description="An object stays in a zone.")
    zone: str = Field(description="The zone.")
    after_s: float = Field(default=30.0, gt=0, le=86_400, description="Time that an object may stay.")


class Loitering:
    """Signals `zone/class` while one object has been in the zone for `after_s`, since it came."""

    type = "loitering"
    after_s = 0.0

    def __init__(self, settings: LoiteringSettings, places: Places) -> None:
        self.settings = settings
        self._zone = places.zones[settings.zone]
        self._visits = Visits(FORGET_S)

    def signals(self, scene: Scene) -> Iterator[Signal]:
        """Yield one signal per class with an object that stays."""
        there = within(self.settings, self._zone, scene)
        self._visits.update(there, scene.t, list(wanted(self.settings, scene)))
        stays = [t for t in there if self._visits.of(t.id).dwell_s >= self.settings.after_s]
        for label, track in by_class(stays).items():
            zone, visit = self.settings.zone, self._visits.of(track.id)
            yield Signal(
                rule=self.type,
                key=f"{zone}/{label}",
                score=track.score,
                label=label,
                zone=zone,
                track=track.id,
                box=track.box,
                text=say(
                    "{label} has been in {zone} for {dwell_s:.0f} s",
                    label=label,
                    zone=zone,
                    dwell_s=visit.dwell_s,
                ),
                since=visit.since,
                details={"dwell_s": round(visit.dwell_s, 1)},
            )

    def reset(self) -> None:
        """Forget who was there."""
        self._visits.clear()

    def resume(self, t: float) -> None:
        """Go on at `t`: a time without pictures ends no stay."""
        self._visits.resume(t)
