"""Somebody stays in a zone for longer than he should."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from surveil.rules.base import ObjectRuleSettings, Places, by_class, within
from surveil.types import Scene, Signal

FORGET_S = 5.0
"""Whoever leaves the zone for less than this has not left it."""


class LoiteringSettings(ObjectRuleSettings):
    """One object stays in a zone."""

    type: Literal["loitering"] = Field(default="loitering", description="An object stays in a zone.")
    zone: str = Field(description="The zone.")
    after_s: float = Field(default=30.0, gt=0, le=86_400, description="Seconds one object may stay.")


class Loitering:
    """Signals `zone/class` while one object has been in the zone for `after_s`: dwell is counted per track."""

    type = "loitering"
    after_s = 0.0

    def __init__(self, settings: LoiteringSettings, places: Places) -> None:
        self.settings = settings
        self._zone = places.zones[settings.zone]
        self._since: dict[int, float] = {}
        self._last: dict[int, float] = {}

    def signals(self, scene: Scene) -> Iterator[Signal]:
        """Yield one signal per class that has somebody who stays."""
        there = within(self.settings, self._zone, scene)
        self._note({track.id for track in there}, scene.t)
        stays = [track for track in there if self._dwell(track.id, scene.t) >= self.settings.after_s]
        for label, track in by_class(stays).items():
            zone, dwell = self.settings.zone, self._dwell(track.id, scene.t)
            yield Signal(
                self.type, f"{zone}/{label}", track.score, label, zone=zone, track=track.id, box=track.box,
                text=f"{label} has been in {zone} for {dwell:.0f} s", details={"dwell_s": round(dwell, 1)},
            )  # fmt: skip

    def reset(self) -> None:
        """Forget who was there."""
        self._since.clear()
        self._last.clear()

    def _note(self, there: set[int], t: float) -> None:
        for track in there:
            self._since.setdefault(track, t)
            self._last[track] = t
        for track in [k for k, last in self._last.items() if t - last > FORGET_S]:
            del self._since[track], self._last[track]

    def _dwell(self, track: int, t: float) -> float:
        return t - self._since[track]
