"""The rule `speed`: an object moves too fast or too slowly, in km/h on the ground (speeding, running, queues)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from surveil.geometry import homography, in_line, to_ground
from surveil.rules.base import ObjectRuleSettings, Places, anchor, by_class, size_of, within
from surveil.rules.moves import Moves
from surveil.settings import Settings
from surveil.types import Point, Scene, Signal, Track
from surveil.wording import say

KMH = 3.6
"""km/h in a m/s."""
FASTEST_KMH = 300.0
"""Faster is a broken id or a point at the horizon."""
Fraction = Annotated[float, Field(ge=-1, le=2)]


class ScaleSettings(Settings):
    """Where four points of the picture are on the ground."""

    points: tuple[tuple[Fraction, Fraction], ...] = Field(
        min_length=4,
        max_length=4,
        description="Four points on the ground, [x, y] in fractions of the frame; no three in one line.",
    )
    metres: tuple[tuple[float, float], ...] = Field(
        min_length=4, max_length=4, description="The same points on a map, [x, y] in metres."
    )

    @model_validator(mode="after")
    def _is_a_plane(self) -> Self:
        for name, points in (("points", self.points), ("metres", self.metres)):
            if any(in_line(three) for three in combinations(points, 3)):
                raise ValueError(
                    f"three of the four '{name}' lie on one line: take the corners of a rectangle"
                )
        return self


class SpeedSettings(ObjectRuleSettings):
    """An object moves faster or slower than it may."""

    type: Literal["speed"] = Field(default="speed", description="An object moves too fast or too slowly.")
    zone: str = Field(description="The zone.")
    scale: ScaleSettings = Field(description="Calibration to the ground.")
    min_kmh: float = Field(default=0.0, ge=0, le=300, description="Speed from which it is an event.")
    max_kmh: float = Field(default=300.0, gt=0, le=300, description="Speed up to which it is an event.")
    after_s: float = Field(default=0.5, ge=0, le=3600, description="Time for which the condition must last.")

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.min_kmh >= self.max_kmh:
            raise ValueError(f"'min_kmh' ({self.min_kmh:g}) must be less than 'max_kmh' ({self.max_kmh:g})")
        return self


class Speed:
    """Signals `zone/class` while an object in the zone moves at a speed in the range."""

    type = "speed"

    def __init__(self, settings: SpeedSettings, places: Places) -> None:
        self.settings = settings
        self.after_s = settings.after_s
        self._zone = places.zones[settings.zone]
        self._matrix = homography(settings.scale.points, settings.scale.metres)
        self._moves = Moves()

    def signals(self, scene: Scene) -> Iterator[Signal]:
        """Yield one signal per class with an object that is too fast or too slow."""
        there = within(self.settings, self._zone, scene)
        self._moves.update([(track, self._on_ground(track, scene)) for track in there], scene.t)
        speeds = {track.id: self._kmh(track) for track in there}
        found = [track for track in there if self._is_meant(speeds[track.id])]
        for label, track in by_class(found).items():
            kmh, zone = speeds[track.id] or 0.0, self.settings.zone
            yield Signal(
                rule=self.type,
                key=f"{zone}/{label}",
                score=track.score,
                label=label,
                zone=zone,
                track=track.id,
                box=track.box,
                text=say("{label} in {zone} at {kmh:.0f} km/h", label=label, zone=zone, kmh=kmh),
                details={"kmh": round(kmh, 1)},
            )

    def reset(self) -> None:
        """Forget who was where."""
        self._moves.clear()

    def _on_ground(self, track: Track, scene: Scene) -> Point:
        return to_ground(self._matrix, anchor(track, "foot", size_of(scene)))

    def _kmh(self, track: Track) -> float | None:
        velocity = self._moves.velocity(track.id)
        return None if velocity is None else KMH * math.hypot(*velocity)

    def _is_meant(self, kmh: float | None) -> bool:
        return kmh is not None and kmh < FASTEST_KMH and self.settings.min_kmh <= kmh <= self.settings.max_kmh
