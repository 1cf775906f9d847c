"""The rule `line_crossing`: each crossing of a line is one event.

Directions are named as they look in the picture: a line that is more upright than level is crossed to the
`left` or `right`, a more level one `up` or `down`. The order of its two points does not matter.

An object crosses when it has settled on the other side: its anchor is for a second further from the line than
a share of its own size. Who stands on the line, walks along it or turns on it has not crossed. The event is at the
moment at which it was first clearly on the other side.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from surveil.crossings import Crossings
from surveil.rules.base import ObjectRuleSettings, Places, anchor, size_of, wanted
from surveil.types import Scene, Signal, Track
from surveil.wording import say

_TO = {
    "left": say("to the left"),
    "right": say("to the right"),
    "up": say("upwards"),
    "down": say("downwards"),
}


class LineCrossingSettings(ObjectRuleSettings):
    """An object crosses a line."""

    type: Literal["line_crossing"] = Field(default="line_crossing", description="An object crosses a line.")
    line: str = Field(description="The line.")
    direction: Literal["any", "left", "right", "up", "down"] = Field(
        default="any", description="Restrict to crossings in this direction, as seen in the picture."
    )


class LineCrossing:
    """Signals `line/direction` once per crossing; its events are instant."""

    type = "line_crossing"
    after_s = 0.0

    def __init__(self, settings: LineCrossingSettings, places: Places) -> None:
        self.settings = settings
        self._crossings = Crossings(places.lines[settings.line])

    def signals(self, scene: Scene) -> Iterator[Signal]:
        """Yield one signal per object that has crossed since the scene before."""
        size = width, height = size_of(scene)
        points = []
        for track in wanted(self.settings, scene):
            x, y = anchor(track, self.settings.anchor, size)
            points.append((track, (x * width, y * height)))
        for track, direction in self._crossings.update(points, size, scene.t):
            if self.settings.direction in ("any", direction):
                yield self._signal(track, direction, self._crossings.since.get(track.id, scene.t))

    def reset(self) -> None:
        """Forget who was where."""
        self._crossings.clear()

    def resume(self, t: float) -> None:
        """Go on at `t`: who has changed sides during a time without pictures has crossed."""
        self._crossings.resume(t)

    def _signal(self, track: Track, direction: str, since: float) -> Signal:
        line = self.settings.line
        return Signal(
            rule=self.type,
            key=f"{line}/{direction}",
            score=track.score,
            label=track.label,
            line=line,
            direction=direction,
            track=track.id,
            box=track.box,
            text=say("{label} crossed {line} {to}", label=track.label, line=line, to=_TO[direction]),
            instant=True,
            since=since,
        )
