"""Something that belongs to the scene is gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from surveil.rules.base import Places
from surveil.rules.things import Things, ThingSettings
from surveil.types import Scene, Signal


class RemovedObjectSettings(ThingSettings):
    """A thing that was always there is gone."""

    type: Literal["removed_object"] = Field(
        default="removed_object", description="A thing that was always there is gone."
    )
    after_s: float = Field(default=20.0, gt=0, le=86_400, description="Seconds for which it must be gone.")


class RemovedObject:
    """Signals `zone/cell` while a thing has been gone for `after_s`, since it was first missed."""

    type = "removed_object"
    after_s = 0.0

    def __init__(self, settings: RemovedObjectSettings, places: Places) -> None:
        self.settings = settings
        self._things = Things("removed", settings, places.zones[settings.zone] if settings.zone else None)

    def signals(self, scene: Scene) -> Iterator[Signal]:
        """Yield one signal per thing that is gone."""
        zone = self.settings.zone or ""
        for thing in self._things.seen(scene):
            gone = scene.t - thing.since
            if gone < self.settings.after_s:
                continue
            yield Signal(
                self.type, self._things.key(thing, scene), 1.0, "object", zone=zone, box=thing.box,
                since=thing.since, details={"gone_s": round(gone, 1)},
                text="something is gone" + (f" from {zone}" if zone else ""),
            )  # fmt: skip

    def reset(self) -> None:
        """Forget what was where."""
        self._things.reset()
