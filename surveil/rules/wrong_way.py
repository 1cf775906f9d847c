"""The rule `wrong_way`: an object moves against the allowed direction."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from surveil.geometry import scaled
from surveil.rules.base import ObjectRuleSettings, Places, by_class, size_of, within
from surveil.rules.moves import Moves
from surveil.types import Scene, Signal, Track
from surveil.wording import say

SLOWEST = 0.15
"""Who is slower than this, in heights of his box a second, goes nowhere in particular."""
Fraction = Annotated[float, Field(ge=0, le=1)]


class WrongWaySettings(ObjectRuleSettings):
    """An object moves against the allowed direction."""

    type: Literal["wrong_way"] = Field(
        default="wrong_way", description="An object moves against the allowed direction."
    )
    zone: str = Field(description="The zone.")
    way: tuple[tuple[Fraction, Fraction], tuple[Fraction, Fraction]] = Field(
        description="Allowed direction: an arrow from [x, y] to [x, y], in fractions of the frame."
    )
    tolerance_deg: float = Field(
        default=120.0,
        ge=30,
        le=175,
        description="Deviation from the direction beyond which movement is wrong.",
    )
    after_s: float = Field(default=1.0, ge=0, le=3600, description="Time for which the condition must last.")

    @model_validator(mode="after")
    def _is_an_arrow(self) -> Self:
        if self.way[0] == self.way[1]:
            raise ValueError("the two points of 'way' are the same: it is an arrow from one to the other")
        return self


class WrongWay:
    """Signals `zone/class` while an object in the zone moves the wrong way."""

    type = "wrong_way"

    def __init__(self, settings: WrongWaySettings, places: Places) -> None:
        self.settings = settings
        self.after_s = settings.after_s
        self._zone = places.zones[settings.zone]
        self._moves = Moves()

    def signals(self, scene: Scene) -> Iterator[Signal]:
        """Yield one signal per class with an object that goes the wrong way."""
        there = within(self.settings, self._zone, scene)
        size = width, height = size_of(scene)
        # In fractions of the frame: the resolution can change in mid-stream.
        feet = [(track, scaled(track.foot, 1 / width, 1 / height)) for track in there]
        self._moves.update(feet, scene.t)
        wrong = [track for track in there if self._is_wrong(track, size)]
        for label, track in by_class(wrong).items():
            zone = self.settings.zone
            yield Signal(
                rule=self.type,
                key=f"{zone}/{label}",
                score=track.score,
                label=label,
                zone=zone,
                track=track.id,
                box=track.box,
                text=say("{label} in {zone} goes the wrong way", label=label, zone=zone),
            )

    def reset(self) -> None:
        """Forget who was where."""
        self._moves.clear()

    def _is_wrong(self, track: Track, size: tuple[int, int]) -> bool:
        (x1, y1), (x2, y2) = (scaled(point, *size) for point in self.settings.way)
        dx, dy = scaled(self._moves.velocity(track.id) or (0.0, 0.0), *size)
        speed, length = math.hypot(dx, dy), math.hypot(x2 - x1, y2 - y1)
        if speed <= SLOWEST * (track.box[3] - track.box[1]):
            return False
        along = (dx * (x2 - x1) + dy * (y2 - y1)) / (speed * length)
        return along < math.cos(math.radians(self.settings.tolerance_deg))
