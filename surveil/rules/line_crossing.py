"""Somebody crosses a line: each crossing is one event.

Directions are named as they look in the picture: a line that is more upright than level is crossed to the
`left` or `right`, a more level one `up` or `down`. The order of its two points does not matter.

An object crosses when it has settled on the other side, that is, when its anchor is further from the line
than a share of its own size: whoever stands on the line, walks along it or turns on it has not crossed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from surveil.geometry import Line, meet, signed_distance
from surveil.rules.base import ObjectRuleSettings, Places, anchor, size_of, wanted
from surveil.types import Point, Scene, Signal, Track

SETTLED = 0.1
"""Distance from the line at which an object has settled, in heights of its box."""
FORGET_S = 10.0
"""A track that has not been seen for so long does not come back."""


class LineCrossingSettings(ObjectRuleSettings):
    """An object crosses a line."""

    type: Literal["line_crossing"] = Field(default="line_crossing", description="An object crosses a line.")
    line: str = Field(description="The line.")
    direction: Literal["any", "left", "right", "up", "down"] = Field(
        default="any", description="Only crossings in this direction, as it looks in the picture."
    )


@dataclass(slots=True)
class _Settled:
    """Where an object was when it was last clearly on one side."""

    side: bool
    at: Point
    t: float


class LineCrossing:
    """Signals `line/direction` once per crossing; its events are instant."""

    type = "line_crossing"
    after_s = 0.0

    def __init__(self, settings: LineCrossingSettings, places: Places) -> None:
        self.settings = settings
        self._line = places.lines[settings.line]
        self._settled: dict[int, _Settled] = {}

    def signals(self, scene: Scene) -> Iterator[Signal]:
        """Yield one signal per object that has crossed since the scene before."""
        width, height = size_of(scene)
        line: Line = tuple((x * width, y * height) for x, y in self._line)  # type: ignore[assignment]
        for track in wanted(self.settings, scene):
            direction = self._follow(track, line, scene)
            if direction and self.settings.direction in ("any", direction):
                yield self._signal(track, direction)
        for gone in [k for k, s in self._settled.items() if scene.t - s.t > FORGET_S]:
            del self._settled[gone]

    def reset(self) -> None:
        """Forget who was where."""
        self._settled.clear()

    def _follow(self, track: Track, line: Line, scene: Scene) -> str:
        """Note where the track is; return the direction in which it has crossed just now, or nothing."""
        width, height = size_of(scene)
        x, y = anchor(track, self.settings.anchor, (width, height))
        here = (x * width, y * height)
        away = signed_distance(line, here)
        before = self._settled.get(track.id)
        if abs(away) < SETTLED * (track.box[3] - track.box[1]):
            if before:
                before.t = scene.t
            return ""
        self._settled[track.id] = _Settled(away > 0, here, scene.t)
        if before is None or before.side == (away > 0) or not meet((before.at, here), line):
            return ""
        return _direction(line, before.at, here)

    def _signal(self, track: Track, direction: str) -> Signal:
        line = self.settings.line
        return Signal(
            self.type, f"{line}/{direction}", track.score, track.label, line=line, direction=direction,
            track=track.id, box=track.box, text=f"{track.label} crossed {line} {_TO[direction]}", instant=True,
        )  # fmt: skip


_TO = {"left": "to the left", "right": "to the right", "up": "upwards", "down": "downwards"}


def _direction(line: Line, start: Point, end: Point) -> str:
    """Name the way from one side of the line to the other, perpendicular to it, as it looks in the picture."""
    (x1, y1), (x2, y2) = line
    upright = abs(y2 - y1) >= abs(x2 - x1)
    normal = (y2 - y1, x1 - x2)
    if upright:
        normal = normal if normal[0] > 0 else (-normal[0], -normal[1])
    else:
        normal = normal if normal[1] > 0 else (-normal[0], -normal[1])
    along = (end[0] - start[0]) * normal[0] + (end[1] - start[1]) * normal[1]
    if upright:
        return "right" if along > 0 else "left"
    return "down" if along > 0 else "up"
