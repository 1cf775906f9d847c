"""Plane geometry on plain tuples and float arrays: zones, lines, overlaps, ground planes.

Zones and lines come in fractions of the frame (0..1), so they fit any resolution. Whether a point
lies in a polygon or beside a line does not change under the scaling from fractions to pixels;
lengths do, and are always taken in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from surveil.types import Box, Doubles, Point

Line = tuple[Point, Point]
Real = TypeVar("Real", np.float32, np.float64)


def inside(point: Point, polygon: Sequence[Point]) -> bool:
    """Whether `point` lies in `polygon` (even-odd rule; points on the border belong to it)."""
    x, y = point
    odd = False
    for (x1, y1), (x2, y2) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if on_segment(point, ((x1, y1), (x2, y2))):
            return True
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            odd = not odd
    return odd


def on_segment(point: Point, line: Line, tolerance: float = 1e-12) -> bool:
    """Whether `point` lies on the segment."""
    (x1, y1), (x2, y2) = line
    if abs(cross(line, point)) > tolerance:
        return False
    return min(x1, x2) <= point[0] <= max(x1, x2) and min(y1, y2) <= point[1] <= max(y1, y2)


def cross(line: Line, point: Point) -> float:
    """Twice the signed area of the triangle line, point: its sign says on which side the point is."""
    (x1, y1), (x2, y2) = line
    return (x2 - x1) * (point[1] - y1) - (y2 - y1) * (point[0] - x1)


def signed_distance(line: Line, point: Point) -> float:
    """Distance of `point` from the straight line through `line`, signed by its side; 0 without a line."""
    (x1, y1), (x2, y2) = line
    length = math.hypot(x2 - x1, y2 - y1)
    return cross(line, point) / length if length > 0 else 0.0


def meet(path: Line, line: Line) -> bool:
    """Whether the segment `path` touches or crosses the segment `line`."""
    a, b = cross(line, path[0]), cross(line, path[1])
    c, d = cross(path, line[0]), cross(path, line[1])
    if a * b < 0 and c * d < 0:
        return True
    ends = ((path[0], line), (path[1], line), (line[0], path), (line[1], path))
    return any(on_segment(point, segment) for point, segment in ends)


def scaled(point: Point, width: float, height: float) -> Point:
    """A point in fractions of the frame as pixels."""
    return (point[0] * width, point[1] * height)


def scaled_line(line: Line, width: float, height: float) -> Line:
    """The line in px, from fractions of a picture of this size."""
    return (scaled(line[0], width, height), scaled(line[1], width, height))


def scaled_box(box: Box, x: float, y: float) -> Box:
    """The box in a picture that is `x` times as wide and `y` times as high."""
    return (*scaled(box[:2], x, y), *scaled(box[2:], x, y))


def area(polygon: Sequence[Point]) -> float:
    """Area of a polygon (shoelace formula), never negative."""
    total = 0.0
    for (x1, y1), (x2, y2) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        total += x1 * y2 - x2 * y1
    return abs(total) / 2


def self_intersection(polygon: Sequence[Point]) -> tuple[int, int] | None:
    """Return the numbers (from 1) of two edges that meet where they should not, as in a bow-tie; else None."""
    edges = list(zip(polygon, (*polygon[1:], polygon[0]), strict=True))
    for (i, first), (j, second) in combinations(enumerate(edges, 1), 2):
        neighbours = j == i + 1 or (i, j) == (1, len(edges))
        if not neighbours and meet(first, second):
            return i, j
    return None


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0..1."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common
    return common / both if both > 0 else 0.0


def feet_apart(a: Box, b: Box) -> float:
    """Distance of the feet of two boxes, in heights of the taller one."""
    across = (a[0] + a[2] - b[0] - b[2]) / 2
    return math.hypot(across, a[3] - b[3]) / max(a[3] - a[1], b[3] - b[1], 1.0)


def iou_matrix(a: NDArray[Real], b: NDArray[Real]) -> NDArray[Real]:
    """Intersection over union of every box of `a` (…, 4) with every box of `b`, by broadcasting."""
    common = intersection(a, b)
    both = areas(a) + areas(b)
    both -= common
    share: NDArray[Real] = np.divide(common, both, out=np.zeros_like(common), where=both > 0)
    return share


def intersection(a: NDArray[Real], b: NDArray[Real]) -> NDArray[Real]:
    """Area that boxes `a` and `b` share, by broadcasting over all but the last axis.

    Axis by axis: one array of pairs is six times slower for the hundreds of boxes that a detector finds.
    """
    width = np.minimum(a[..., 2], b[..., 2])
    width -= np.maximum(a[..., 0], b[..., 0])
    height = np.minimum(a[..., 3], b[..., 3])
    height -= np.maximum(a[..., 1], b[..., 1])
    shared: NDArray[Real] = np.maximum(width, 0, out=width) * np.maximum(height, 0, out=height)
    return shared


def areas(boxes: NDArray[Real]) -> NDArray[Real]:
    """Area of each box of (…, 4); a box turned inside out has none."""
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    result: NDArray[Real] = sides[..., 0] * sides[..., 1]
    return result


def shares_in(boxes: NDArray[Real], outer: NDArray[Real]) -> NDArray[Real]:
    """Return which share of each of `boxes` (n, 4) lies in each of `outer` (m, 4): (n, m)."""
    inside_of = intersection(boxes[:, None], outer[None])
    return np.asarray(inside_of / np.maximum(areas(boxes), 1e-9)[:, None], boxes.dtype)


def homography(image: Sequence[Point], ground: Sequence[Point]) -> Doubles:
    """The 3x3 matrix that maps four points of the picture to four points of the ground plane.

    Solved as the linear system of Hartley and Zisserman, Multiple View Geometry, 4.1. Raises ValueError
    unless there are four of each and no three of them lie on one line.
    """
    if len(image) != 4 or len(ground) != 4:
        raise ValueError("a scale needs four points of the picture and four of the ground")
    rows: list[list[float]] = []
    for (x, y), (u, v) in zip(image, ground, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    for points in (image, ground):
        if any(in_line(three) for three in combinations(points, 3)):
            raise ValueError("three of the four points lie on one line")
    solution = np.linalg.solve(np.array(rows), np.array(ground, float).ravel())
    return np.append(solution, 1.0).reshape(3, 3)


def in_line(three: Sequence[Point]) -> bool:
    """Whether three points lie on one line, as far as one can measure."""
    a, b, c = three
    longest = max(math.dist(a, b), math.dist(b, c), math.dist(a, c))
    return abs(cross((a, b), c)) <= 1e-3 * longest**2


def to_ground(matrix: Doubles, point: Point) -> Point:
    """Where a point of the picture lies on the ground; (inf, inf) on the horizon."""
    u, v, w = (float(value) for value in matrix @ np.array([point[0], point[1], 1.0]))
    return (u / w, v / w) if abs(w) > 1e-12 else (math.inf, math.inf)


def is_upright(line: Line) -> bool:
    """Whether the line is more upright than level."""
    (x1, y1), (x2, y2) = line
    return abs(y2 - y1) >= abs(x2 - x1)


def direction_over(line: Line, start: Point, end: Point) -> str:
    """Name the way from one side of the line to the other, perpendicular to it, as it looks in the picture."""
    (x1, y1), (x2, y2) = line
    upright = is_upright(line)
    normal = (y2 - y1, x1 - x2)
    if (normal[0] if upright else normal[1]) < 0:
        normal = (-normal[0], -normal[1])
    along = (end[0] - start[0]) * normal[0] + (end[1] - start[1]) * normal[1]
    if upright:
        return "right" if along > 0 else "left"
    return "down" if along > 0 else "up"
