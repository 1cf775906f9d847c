"""The rule `perimeter`: something moves on its own path through a zone that must be empty."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from surveil.geometry import homography, inside, to_ground
from surveil.rules.base import Places, RuleSettings, size_of
from surveil.rules.movers import FIRST_ID, IGNORED, LABEL, is_ignored, is_one, movers_of
from surveil.rules.speed import ScaleSettings
from surveil.types import Point, Scene, Signal, Track
from surveil.wording import say

MEMORY_S = 30.0
"""A way that takes longer than this is none."""
FORGET_S = 5.0
Way = Sequence[tuple[float, float, float]]
"""(stream time, x, y) of the bottom centre, px."""

_UNITS = {"m": say("m"), "of its length": say("of its length")}


class PerimeterSettings(RuleSettings):
    """Alert on any motion in a zone that must be empty."""

    type: Literal["perimeter"] = Field(
        default="perimeter",
        description="Something moves on its own path through a zone, whatever the model takes it for.",
    )
    zone: str = Field(description="The zone, which must be empty.")
    distance: float = Field(
        default=2.0,
        ge=0.5,
        le=20,
        description="Minimum distance moved through the zone, in lengths of the moving region. Its length is the "
        "longer side of its box: about the height of a body, upright or lying.",
    )
    metres: float | None = Field(
        default=None,
        gt=0,
        le=100,
        description="Minimum distance moved through the zone in metres, instead of "
        "`distance`; needs `scale`.",
    )
    scale: ScaleSettings | None = Field(default=None, description="Calibration to the ground.")
    ignore: tuple[str, ...] = Field(
        default=IGNORED,
        description="Classes that are ignored if the model is sure of them. If empty, nothing is ignored: animals and "
        "vehicles are intrusions, too.",
    )

    @model_validator(mode="after")
    def _has_a_scale(self) -> Self:
        if (self.metres is None) != (self.scale is None):
            raise ValueError("'metres' and 'scale' belong together: give both or neither")
        return self


class Perimeter:
    """Signals the zone while something goes a way through it."""

    type = "perimeter"
    after_s = 0.0
    """A way takes its time."""

    def __init__(self, settings: PerimeterSettings, places: Places) -> None:
        self.settings = settings
        self._zone = places.zones[settings.zone]
        scale = settings.scale
        self._matrix = homography(scale.points, scale.metres) if scale else None
        self._ways: dict[int, deque[tuple[float, float, float]]] = {}
        """Track → where it was."""
        self._size = (1, 1)
        """Of the last frame, px."""
        self._doubts: dict[int, int] = {}
        """Mover → looks in which the model was sure that it is left out, less those in which it saw another class."""

    def signals(self, scene: Scene) -> Iterator[Signal]:
        """Yield one signal while something goes through the zone."""
        self._resize(size_of(scene))
        self._follow(scene)
        found = [*self._tracks(scene), *self._movers(scene)]
        if not found:
            return
        track, way = max(found, key=lambda one: one[1])
        zone, unit = self.settings.zone, "m" if self._matrix is not None else "of its length"
        yield Signal(
            rule=self.type,
            key=zone,
            score=track.score,
            label=track.label,
            zone=zone,
            track=track.id if track.id < FIRST_ID else None,
            box=track.box,
            text=say(
                "{label} moves through {zone}: {way:.1f} {unit}",
                label=track.label,
                zone=zone,
                way=way,
                unit=_UNITS[unit],
            ),
            details={"way": round(way, 2), "unit": unit, "objects": len(found)},
        )

    def reset(self) -> None:
        """Forget who was where."""
        self._ways.clear()
        self._doubts.clear()

    def _resize(self, size: tuple[int, int]) -> None:
        """Keep the ways where they are when the resolution changes in mid-stream."""
        if size != self._size:
            across, down = size[0] / self._size[0], size[1] / self._size[1]
            self._size = size
            for number, way in self._ways.items():
                self._ways[number] = deque((t, x * across, y * down) for t, x, y in way)

    def _follow(self, scene: Scene) -> None:
        """Note where the tracks are."""
        for track in scene.tracks:
            if not track.missed:
                way = self._ways.setdefault(track.id, deque())
                way.append((scene.t, *track.foot))
                while scene.t - way[0][0] > MEMORY_S:
                    way.popleft()
        for gone in [number for number, way in self._ways.items() if scene.t - way[-1][0] > FORGET_S]:
            del self._ways[gone]

    def _tracks(self, scene: Scene) -> Iterator[tuple[Track, float]]:
        """Yield the tracks that have gone through the zone, and how far."""
        for track in scene.tracks:
            if track.stationary or is_ignored(track, self.settings.ignore) or track.id not in self._ways:
                continue
            length = max(track.box[2] - track.box[0], track.box[3] - track.box[1])
            if way := self._through(self._ways[track.id], length, scene):
                yield track, way

    def _movers(self, scene: Scene) -> Iterator[tuple[Track, float]]:
        """Yield what else has, and is not known for something that is left out."""
        movers = movers_of(scene)
        self._doubts = {mover.id: self._doubts.get(mover.id, 0) for mover in movers}
        for mover in movers:
            same = [track for track in scene.tracks if is_one(track.box, mover.box)]
            for track in same:
                self._doubts[mover.id] += 1 if is_ignored(track, self.settings.ignore) else -1
            self._doubts[mover.id] = min(max(self._doubts[mover.id], -20), 20)
            if self._doubts[mover.id] <= 0 and (way := self._through(mover.path, mover.length, scene)):
                label = next((track.label for track in same), LABEL)
                yield (
                    Track(
                        id=FIRST_ID + mover.id,
                        label=label,
                        box=mover.box,
                        score=1.0,
                        t_first=mover.path[0][0],
                        t_last=scene.t,
                    ),
                    way,
                )

    def _through(self, way: Way, length: float, scene: Scene) -> float:
        """Return how far this way led through the zone to where it ends; 0: not far enough, or not in it."""
        width, height = size_of(scene)
        within = [(x, y) for _, x, y in way if inside((x / width, min(y / height, 1.0)), self._zone)]
        last = way[-1][1:]
        if len(within) < 2 or within[-1] != last:
            return 0.0
        gone = self._far(within, (width, height)) / (1.0 if self._matrix is not None else max(length, 1.0))
        return gone if gone >= (self.settings.metres or self.settings.distance) else 0.0

    def _far(self, points: Sequence[Point], size: tuple[int, int]) -> float:
        """Return the largest distance of a point from the last one, px or metres."""
        if self._matrix is not None:
            points = [to_ground(self._matrix, (x / size[0], y / size[1])) for x, y in points]
        far = np.hypot(*(np.array(points[:-1]) - np.array(points[-1])).T)
        return float(far[np.isfinite(far)].max(initial=0.0))
