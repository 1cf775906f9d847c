"""Zones, masks and lines in fractions of the frame, checked."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from surveil.settings import Settings
from surveil.types import Point, Polygon

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
    if crossing := self_intersection(tuple(points)):
        first, second = crossing
        raise ValueError(
            f"the polygon crosses itself: edge {first} meets edge {second}; give the points in the order "
            "in which they stand around the area"
        )
    if abs(_twice_area(tuple(points))) < 1e-9:
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


class HiddenArea(Settings):
    """An area that is blanked."""

    points: FilePolygon = Field(description="Outline of the area: points [x, y] in fractions of the frame.")
    hide: Literal["detect", "store", "both"] = Field(
        default="both",
        description="Where the area is blank. `detect`: for the detector; stored pictures show it. `store`: in "
        "stored pictures; detection is unaffected and there are no clips. `both`: in both.",
    )


def _area(value: object) -> object:
    """Tell the two forms of a mask apart, so that mistakes in either are told of that form."""
    return "polygon" if isinstance(value, list | tuple) else "area"


Mask = Annotated[
    Annotated[FilePolygon, Tag("polygon")] | Annotated[HiddenArea, Tag("area")], Discriminator(_area)
]
FileLine = Annotated[
    list[FilePoint], _at_least(2, "a line"), AfterValidator(_distinct), Field(min_length=2, max_length=2)
]


def self_intersection(points: Polygon) -> tuple[int, int] | None:
    """Return the numbers (from 1) of two edges that meet where they should not, or None."""
    count = len(points)
    edges = [(points[i], points[(i + 1) % count]) for i in range(count)]
    for i in range(count):
        for j in range(i + 1, count):
            neighbours = j == i + 1 or (i == 0 and j == count - 1)
            if not neighbours and _meet(*edges[i], *edges[j]):
                return i + 1, j + 1
    return None


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Return whether the segments ab and cd share a point (orientation test, Cormen et al. 33.1)."""
    turns = (_turn(c, d, a), _turn(c, d, b), _turn(a, b, c), _turn(a, b, d))
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    touching = zip(turns, ((c, d, a), (c, d, b), (a, b, c), (a, b, d)), strict=True)
    return any(turn == 0 and _within(*points) for turn, points in touching)


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _within(a: Point, b: Point, c: Point) -> bool:
    """Return whether c, on the line through a and b, lies between them."""
    return min(a[0], b[0]) <= c[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= c[1] <= max(a[1], b[1])


def _twice_area(points: Polygon) -> float:
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, (*points[1:], points[0]), strict=True))
