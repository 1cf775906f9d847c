"""The rule `removed_object`: an object that belongs to the scene is gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from surveil.features.things.things import Things, ThingSettings
from surveil.rules.base import Places
from surveil.types import Scene, Signal
from surveil.wording import say

REACH = 1.0
"""Who was this near when it went, in heights of his box, may have taken it."""


class RemovedObjectSettings(ThingSettings):
    """An object that was always there was removed."""

    type: Literal["removed_object"] = Field(
        default="removed_object", description="An object that was always there was removed."
    )
    after_s: float = Field(default=20.0, gt=0, le=86_400, description="Time that the object must be gone.")


class RemovedObject:
    """Signals `zone/cell` while a thing has been gone for `after_s`, since it was first missed."""

    type = "removed_object"
    after_s = 0.0

    def __init__(self, settings: RemovedObjectSettings, places: Places) -> None:
        self.settings = settings
        self._things = Things("removed", settings, places.zones[settings.zone] if settings.zone else None)
        self._takers: dict[int, int | None] = {}

    def signals(self, scene: Scene) -> Iterator[Signal]:
        """Yield one signal per thing that is gone."""
        zone = self.settings.zone or ""
        things = list(self._things.seen(scene))
        for back in self._takers.keys() - {thing.id for thing in things}:
            del self._takers[back]
        for thing in things:
            if thing.id not in self._takers:
                self._takers[thing.id] = self._things.nearest_lately(thing, REACH)
            taker = self._takers[thing.id]
            gone = scene.t - thing.since
            if gone < self.settings.after_s:
                continue
            yield Signal(
                rule=self.type,
                key=self._things.key(thing, scene),
                score=1.0,
                label="object",
                zone=zone,
                track=taker,
                box=thing.box,
                since=thing.since,
                details={"gone_s": round(gone, 1), "taken_by": taker},
                text=say("something is gone from {zone}", zone=zone) if zone else say("something is gone"),
            )

    def reset(self) -> None:
        """Forget what was where."""
        self._things.reset()
        self._takers.clear()
