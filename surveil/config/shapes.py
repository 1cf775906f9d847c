"""Zones, masks and lines in fractions of the frame, checked."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from surveil.geometry import area, self_intersection
from surveil.settings import Settings, Title

Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
"""0 is left or top, 1 is right or bottom."""
FilePoint = tuple[Fraction, Fraction]


def _at_least(count: int, what: str) -> BeforeValidator:
    def check(points: object) -> object:
        if isinstance(points, list | tuple) and len(points) < count:
            raise ValueError(f"{what} needs at least {count} points, this has {len(points)}")
        return points

    return BeforeValidator(check)


def _open(points: object) -> object:
    """Leave out points that repeat the one before: other programs close a ring by its first point."""
    if not isinstance(points, list | tuple):
        return points
    kept = [point for index, point in enumerate(points) if index == 0 or point != points[index - 1]]
    return kept[:-1] if len(kept) > 1 and kept[0] == kept[-1] else kept


def _simple(points: list[FilePoint]) -> list[FilePoint]:
    """Refuse a polygon whose edges cross: its inside would not be what was drawn."""
    if crossing := self_intersection(points):
        first, second = crossing
        raise ValueError(
            f"the polygon crosses itself: edge {first} meets edge {second}; give the points in their order around "
            f"the area"
        )
    if 2 * area(points) < 1e-9:
        raise ValueError("the polygon has no area: its points lie on one line")
    return points


def _distinct(points: list[FilePoint]) -> list[FilePoint]:
    """Refuse a line of no length."""
    if any(first == second for first, second in itertools.pairwise(points)):
        raise ValueError("two successive points of the line are the same")
    return points


FilePolygon = Annotated[
    list[FilePoint],
    _at_least(3, "a polygon"),
    BeforeValidator(_open),
    AfterValidator(_simple),
    Field(min_length=3, max_length=200),
]


class TitledZone(Settings):
    """A zone with a display name."""

    points: FilePolygon = Field(description="The area: points [x, y] in fractions of the frame.")
    title: Title = Field(default="", description="Display name in alerts and pictures; by default the name.")


class HiddenArea(Settings):
    """An area that is blanked."""

    points: FilePolygon = Field(description="Outline of the area: points [x, y] in fractions of the frame.")
    hide: Literal["detect", "store", "both"] = Field(
        default="both",
        description="Where the area is blanked. `detect`: for the detector; stored pictures show the area. `store`: "
        "in stored pictures; the detector sees the area, and there are no clips. `both`: for the detector "
        "and in stored pictures; there are no clips.",
    )


def _area(value: object) -> object:
    """Tell the two forms of a mask apart, so that mistakes in either are told of that form."""
    return "polygon" if isinstance(value, list | tuple) else "area"


Mask = Annotated[
    Annotated[FilePolygon, Tag("polygon")] | Annotated[HiddenArea, Tag("area")], Discriminator(_area)
]
FileZone = Annotated[
    Annotated[FilePolygon, Tag("polygon")] | Annotated[TitledZone, Tag("area")], Discriminator(_area)
]
_LinePoints = Annotated[
    list[FilePoint], _at_least(2, "a line"), AfterValidator(_distinct), Field(min_length=2, max_length=2)
]


class TitledLine(Settings):
    """A line with a display name."""

    points: _LinePoints = Field(description="The line: two points [x, y] in fractions of the frame.")
    title: Title = Field(default="", description="Display name in alerts and pictures; by default the name.")


FileLine = Annotated[
    Annotated[_LinePoints, Tag("polygon")] | Annotated[TitledLine, Tag("area")], Discriminator(_area)
]
