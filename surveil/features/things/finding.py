"""The finding: left and removed objects in a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from surveil.types import Box, Finding


@dataclass(frozen=True, slots=True)
class StaticObject:
    """One thing that was put down (`left`) or taken away (`removed`)."""

    id: int
    kind: Literal["left", "removed"]
    box: Box
    """Where, px of the frame."""
    since: float
    """Stream time at which it was first seen to be so, s."""


@dataclass(frozen=True, slots=True)
class StaticThings(Finding):
    """The things that are in the picture, and the places of those that are gone."""

    things: tuple[StaticObject, ...]
