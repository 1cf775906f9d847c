"""The rule `left_object`: an object was put down and is unattended."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from surveil.features.things.finding import StaticObject
from surveil.features.things.things import Things, ThingSettings, distance, label_of
from surveil.rules.base import Places
from surveil.types import Scene, Signal, Track
from surveil.wording import Said, say

STROLL = 0.5
"""Who is faster than this, in heights of his box a second, walks past and attends nothing."""
ATTEND_S = 5.0
"""Who comes back to a thing attends it when he has been near it for this long."""


class LeftObjectSettings(ThingSettings):
    """An object was left behind unattended."""

    type: Literal["left_object"] = Field(
        default="left_object", description="An object was left behind unattended."
    )
    after_s: float = Field(
        default=30.0, gt=0, le=86_400, description="Time that the object must be unattended."
    )
    attended_radius: float = Field(
        default=1.0,
        ge=0,
        le=20,
        description="Distance within which a person attends the object, in heights of the person's box.",
    )
    attended_by: tuple[str, ...] = Field(
        default=("person",), description="Classes that can attend an object."
    )
    classes: tuple[str, ...] = Field(
        default=(), description="Restrict to objects detected as one of these classes. Default: all."
    )


@dataclass(slots=True)
class _Attendance:
    """Since when no person is near, and who was last."""

    near_since: float | None
    alone_since: float | None = None
    owner: int | None = None


class LeftObject:
    """Signals `zone/cell` while a thing has been alone for `after_s`, since it was left alone."""

    type = "left_object"
    after_s = 0.0
    """The rule itself waits, so that the time with its owner does not count."""

    def __init__(self, settings: LeftObjectSettings, places: Places) -> None:
        self.settings = settings
        self._things = Things("left", settings, places.zones[settings.zone] if settings.zone else None)
        self._attended: dict[int, _Attendance] = {}

    def signals(self, scene: Scene) -> Iterator[Signal]:
        """Yield one signal per unattended object."""
        things = list(self._things.seen(scene))
        for gone in self._attended.keys() - {thing.id for thing in things}:
            del self._attended[gone]
        for thing in things:
            state = self._attend(thing, scene)
            if state.alone_since is None or scene.t - state.alone_since < self.settings.after_s:
                continue
            label = label_of(thing, scene)
            if not self.settings.classes or label in self.settings.classes:
                yield self._signal(thing, label, state, state.alone_since, scene)

    def reset(self) -> None:
        """Forget who was near what."""
        self._things.reset()
        self._attended.clear()

    def _attend(self, thing: StaticObject, scene: Scene) -> _Attendance:
        """Note who is near the thing."""
        if thing.id not in self._attended:
            radius, classes = self.settings.attended_radius, self.settings.attended_by
            owner = self._things.nearest_lately(thing, radius, classes)
            self._attended[thing.id] = _Attendance(None, owner=owner)
        state = self._attended[thing.id]
        near = [track for track in scene.tracks if self._is_near(track, thing)]
        if not near:
            state.near_since = None
            state.alone_since = scene.t if state.alone_since is None else state.alone_since
            return state
        state.near_since = scene.t if state.near_since is None else state.near_since
        state.owner = state.owner or min(near, key=lambda track: distance(track, thing)).id
        if scene.t - state.near_since >= ATTEND_S:
            state.alone_since = None
        return state

    def _is_near(self, track: Track, thing: StaticObject) -> bool:
        if track.label not in self.settings.attended_by:
            return False
        height = max(1.0, track.box[3] - track.box[1])
        strolls = math.hypot(*track.velocity) <= STROLL * height
        return strolls and distance(track, thing) <= self.settings.attended_radius

    def _signal(
        self, thing: StaticObject, label: str, state: _Attendance, since: float, scene: Scene
    ) -> Signal:
        zone = self.settings.zone or ""
        alone = scene.t - since
        return Signal(
            rule=self.type, key=self._things.key(thing, scene), score=1.0, label=label, zone=zone, track=state.owner,
            box=thing.box, since=since, details={"alone_s": round(alone, 1), "owner": state.owner},
            text=_text(label, alone, zone),
        )  # fmt: skip


def _text(label: str, alone: float, zone: str) -> Said:
    if zone:
        return say("{label} left unattended for {alone:.0f} s in {zone}", label=label, alone=alone, zone=zone)
    return say("{label} left unattended for {alone:.0f} s", label=label, alone=alone)
