"""Crops: squares of a frame for the detector, not larger than lets small objects be found.

A detector squeezes what it is given into one small square. Given a whole 4K picture it sees nobody; given a
crop near native scale it sees a person of 40 px, and given one that is closer, surer ones. Crops cost, so places
are covered with as few squares as possible: a classical greedy cover, in which each square is grown from the
leftmost uncovered box.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from surveil.types import Crop, Floats

MIN_AT_INPUT_PX = 24.0
"""An object of `min_object_px` is at least this high at the model's input."""
SLACK = 1.1
"""Crops may be this much larger than the limit if that spares a second one."""
OVERLAP = 0.1
"""Overlap of neighbouring tiles, of the limit, where the smallest wanted object does not need more."""
EVEN = 2.0
"""Pieces begin at even px: so much of their overlap may be lost."""
MAGNIFIED = 2.5
"""What is followed is magnified up to so many times: people of 50 to 80 px who are found in .22 of the looks at native
scale are found in .60 of these (ADR 18)."""


@dataclass(frozen=True, slots=True)
class CropLimits:
    """Sides of crops in px of the frame for one model and one camera."""

    closest: float
    """Below this nothing is gained: what is in it is magnified enough."""
    native: float
    """What moves and may be a part of something is looked at with so much around it: the input at native scale."""
    limit: float
    """Above this an object of the smallest wanted size is less than 24 px at the model's input."""
    smallest: float = field(default=0.0, compare=False)
    """Height of the smallest wanted object: neighbouring tiles overlap by as much."""

    @classmethod
    def of(cls, input_px: int, min_object_px: float) -> CropLimits:
        """Return the limits for a model with an input of `input_px` a side."""
        limit = input_px * min_object_px / MIN_AT_INPUT_PX
        return cls(min(input_px / MAGNIFIED, limit), min(float(input_px), limit), limit, min_object_px)


def tiles_beside_whole(max_crops: int) -> int:
    """Return how many crops without a gate come beside the one of the whole picture."""
    return max(1, max_crops - 1)


def round_s(size: tuple[int, int], input_px: int, min_object_px: float, max_crops: int, fps: float) -> float:
    """Return the seconds after which every tile was looked at, without a gate, where nothing moves."""
    limits = CropLimits.of(input_px, min_object_px)
    count = len(tiles((0, 0, *size), limits.limit, size, limits.smallest))
    return math.ceil(count / tiles_beside_whole(max_crops)) / fps if count > 1 else 1 / fps


def cover(boxes: Floats, limits: CropLimits, size: tuple[int, int]) -> list[Crop]:
    """Return few crops which together contain all `boxes` (float32 (n, 4) px), none of them cut.

    Crops are squares between `limits.closest` and `limits.limit` px a side (a tenth more where that spares a
    crop), moved inwards at the border of the frame; a box that is larger gets a crop of its own size.
    """
    side = limits.limit * SLACK
    large = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) > side
    unions = [tuple(box) for box in boxes[large].tolist()]
    rest = boxes[~large]
    for whole in boxes[large]:
        rest = rest[~_inside(rest, whole)]
    while len(rest):
        inside = _best_window(rest, side)
        group = rest[inside]
        unions.append((*group[:, :2].min(axis=0).tolist(), *group[:, 2:].max(axis=0).tolist()))
        rest = rest[~inside]
    return [square(union, limits.closest, size) for union in unions]


def _best_window(boxes: Floats, side: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which boxes lie in the square of `side` px that holds the leftmost box and most others."""
    first = boxes[boxes[:, 0].argmin()]
    near = (
        (boxes[:, 2] <= first[0] + side) & (boxes[:, 3] > first[3] - side) & (boxes[:, 1] < first[1] + side)
    )
    tops = boxes[near, 1]
    tops = tops[(tops <= first[1]) & (tops + side >= first[3])]
    fits = near & (boxes[:, 1] >= tops[:, None]) & (boxes[:, 3] <= tops[:, None] + side)
    return np.asarray(fits[fits.sum(axis=1).argmax()])


def _inside(boxes: Floats, outer: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which boxes lie in `outer`."""
    return np.asarray((boxes[:, :2] >= outer[:2]).all(axis=1) & (boxes[:, 2:] <= outer[2:]).all(axis=1))


def square(union: Sequence[float], smallest: float, size: tuple[int, int]) -> Crop:
    """Return a square of at least `smallest` px around `union`, moved and cut to fit into the frame."""
    x1, y1, x2, y2 = union
    side = max(x2 - x1, y2 - y1, smallest)
    left, width = _span(x1, x2, side, size[0])
    top, height = _span(y1, y2, side, size[1])
    return (left, top, left + width, top + height)


def _span(low: float, high: float, side: float, edge: int) -> tuple[int, int]:
    """Return start and length of `side` px around the middle of low..high, within 0..edge; even numbers.

    Chroma has half the resolution: an odd start would shift colours by half a pixel.
    """
    length = min(edge, math.ceil(side / 2) * 2)
    start = min(max(0.0, (low + high - length) / 2), edge - length)
    begin = int(start) // 2 * 2
    return begin, length if begin + length >= min(high, edge) else min(length + 2, edge - begin)


def tiles(area: Crop, limit: float, size: tuple[int, int], smallest: float = 0.0) -> list[Crop]:
    """Return squares of at most `limit` px a side (a tenth more at need) that cover `area`, row by row.

    Neighbours overlap, so that an object of `smallest` px a side lies whole in one of them.
    """
    x1, y1, x2, y2 = area
    overlap = min(max(OVERLAP * limit, smallest + EVEN), limit / 2)
    spans_x = _spans(x1, x2, limit, overlap, size[0])
    spans_y = _spans(y1, y2, limit, overlap, size[1])
    return [(x, y, x + w, y + h) for y, h in spans_y for x, w in spans_x]


def _spans(low: int, high: int, limit: float, overlap: float, edge: int) -> list[tuple[int, int]]:
    """Return starts and lengths of pieces that cover low..high, each at least `overlap` over the next."""
    length = high - low
    count = max(1, math.ceil((length - overlap) / (limit * SLACK - overlap)))
    piece = min(float(length), max(limit, (length + (count - 1) * overlap) / count))
    step = (length - piece) / max(1, count - 1)
    return [_span(low + i * step, low + i * step + piece, piece, edge) for i in range(count)]
