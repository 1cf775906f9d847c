"""The finding about regions that move on their own path, whatever their class, for all rules.

`surveil.features.perimeter` finds it. Rules with `classes: [any]` take each mover for one more object.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from surveil.types import Box, Finding, Scene, Track

ANY = "any"
"""In `classes`: every class of the model, and what moves on its own path."""
LABEL = "object"
"""The class of what the model does not know."""
IGNORED = (
    "bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "car", "bus", "train",
    "truck", "boat", "airplane",
)  # fmt: skip
"""Animals and closed vehicles. A bicycle or a motorcycle carries somebody."""
SURE = 0.6
"""Least score at which the model is believed that it is an animal or a vehicle."""
COVERS = 0.5
"""A track and a mover that share this much of the smaller one are one object."""
FIRST_ID = 1_000_000_000
"""Ids of movers begin here: they are never those of tracks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mover:
    """Something that has gone a way of its own."""

    id: int
    box: Box
    """Where, px of the frame."""
    length: float
    """The longer side of its box as a rule, px: about the height of a body, upright or lying."""
    path: tuple[tuple[float, float, float], ...]
    """(stream time in s, x, y of the bottom centre in px), oldest first."""

    @property
    def track(self) -> Track:
        """The mover as an object like others."""
        return Track(
            id=FIRST_ID + self.id,
            label=LABEL,
            box=self.box,
            score=1.0,
            t_first=self.path[0][0],
            t_last=self.path[-1][0],
        )


@dataclass(frozen=True, slots=True)
class Movers(Finding):
    """Everything that has gone a way of its own and is still seen."""

    movers: tuple[Mover, ...]


def movers_of(scene: Scene) -> tuple[Mover, ...]:
    """Return what moves on its own path."""
    found = scene.observation.findings.get(Movers)
    return found.movers if found else ()


def is_one(a: Box, b: Box) -> bool:
    """Whether two boxes show the same object."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return width > 0 and height > 0 and width * height >= COVERS * smaller


def is_ignored(track: Track, ignore: Container[str]) -> bool:
    """Whether the model is sure that the track is of a class that is left out."""
    return track.score >= SURE and track.label in ignore


def unknown(scene: Scene, tracks: Sequence[Track]) -> Iterator[Track]:
    """Yield the movers that none of `tracks` shows."""
    for mover in movers_of(scene):
        if not any(is_one(mover.box, track.box) for track in tracks):
            yield mover.track
