"""Which parts of a frame the detector looks at.

A detector squeezes what it is given into one small square. Given a whole 4K picture it sees nobody; given a
crop near native scale it sees a person of 40 px, and given one that is closer, surer ones. Crops cost, so the
moving things are covered with as few squares as possible: a classical greedy cover, in which each square is
grown from the leftmost uncovered box.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress

import numpy as np

from surveil.detect.labels import LIVING, needs_close_look
from surveil.geometry import areas, intersection
from surveil.types import BoolMap, Crop, Floats, GateDecision, Motion, Track

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
OWN_SHARE = 0.7
"""A movement belongs to somebody who is followed when this share of it lies in his place."""
MARGIN = 0.3
"""Margin around a box, of its longer side: motion often shows legs only."""
LARGE_AGAIN_S = 1.0
"""An area too large for one crop is seen whole every time, and in tiles this often."""
LONG_AGO = -1e9
SEEN = (32, 18)
"""Columns and rows of the map that remembers when a place was looked at."""


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


class RegionPlanner:
    """Chooses the crops of one camera. Mutable; owned by whoever holds the camera's slot.

    It remembers when each place was looked at: when there are more crops than `max_crops`, those that have
    waited longest come first, and an idle look takes the tile that has waited longest.
    """

    def __init__(
        self, *, input_px: int, min_object_px: float, max_crops: int, idle_interval_s: float
    ) -> None:
        self._limits = CropLimits.of(input_px, min_object_px)
        self._max_crops = max_crops
        self._idle_interval_s = idle_interval_s
        self._seen = np.full((SEEN[1], SEEN[0]), -math.inf)
        self._t_tile = -math.inf
        self._tile_turn = self._close_turn = False
        self._seen_close = np.full((SEEN[1], SEEN[0]), LONG_AGO)
        self._size = (0, 0)
        self._tiles: list[Crop] = []

    def plan(
        self, motion: Motion, tracks: Sequence[Track], size: tuple[int, int], t: float
    ) -> tuple[Crop, ...]:
        """Return the crops to look at in a frame of `size` (width, height) px at stream time `t`.

        Empty when the gate is closed; else between 1 and `max_crops`, longest waiting first. Without a gate the
        whole picture comes first, and one other crop at least beside it, even if `max_crops` is 1.
        """
        if not motion.gate.is_open:
            return ()
        if size != self._size:
            self._start(size)
        crops = self._choose(motion, tracks, t)
        for crop in crops:
            # Small things are not seen in the whole picture: its parts wait for their own looks.
            if len(self._tiles) == 1 or crop != (0, 0, *size):
                # Every second look at what moves has more around it: both count for the same places.
                self._seen[self._cells(_square(crop, self._limits.native, size))] = t
        return crops

    def _start(self, size: tuple[int, int]) -> None:
        """Begin with another size of frame."""
        self._size = size
        self._tiles = tiles((0, 0, *size), self._limits.limit, size, self._limits.smallest)
        self._seen.fill(-math.inf)
        self._seen_close.fill(LONG_AGO)
        self._t_tile = -math.inf

    def _choose(self, motion: Motion, tracks: Sequence[Track], t: float) -> tuple[Crop, ...]:
        if len(self._tiles) == 1:
            return (self._tiles[0],)
        crops = self._followed(motion, tracks, t)
        if motion.gate is GateDecision.OFF:
            return ((0, 0, *self._size), *self._beside_the_whole(crops))
        crops += self._second_looks(crops, t)
        tile_due = motion.gate is GateDecision.IDLE or t - self._t_tile >= self._idle_interval_s
        chosen = self._oldest(crops, self._max_crops - tile_due)
        return (*chosen, *self._tile(t)) if tile_due else chosen

    def _followed(self, motion: Motion, tracks: Sequence[Track], t: float) -> list[Crop]:
        """Return crops of what moves and of the tracks that are due.

        People and animals of whom the detector is not sure are looked at from close up, and every second time so is
        what moves and is not followed: it may be a part of somebody.
        """
        grown = _grown([track.box for track in tracks], self._size)
        visible = _visible(grown)
        places, tracks = grown[visible], list(compress(tracks, visible.tolist()))
        lives = np.array([track.label in LIVING for track in tracks], np.bool_)
        inside = (_shares(motion.boxes, places) >= OWN_SHARE) & lives
        stirs: list[bool] = np.asarray(inside.any(axis=0)).tolist()
        due = [s or not tr.is_settled or self._due(tr, t) for s, tr in zip(stirs, tracks, strict=True)]
        unsure = [needs_close_look(track.label, track.score) for track in tracks]
        close = places[np.array(due, np.bool_) & np.array(unsure, np.bool_)]
        rest = places[np.array(due, np.bool_) & ~np.array(unsure, np.bool_)]
        loose = _padded(motion.boxes[~inside.any(axis=1)].tolist(), self._size)
        most = max(2, len(cover(np.concatenate([close, rest, loose]), self._limits, self._size)))
        self._close_turn = not self._close_turn
        if self._close_turn:
            close = np.concatenate([close, loose])
        else:
            rest = np.concatenate([rest, loose])
        crops = [self._widened(crop, loose) for crop in cover(rest, self._limits, self._size)]
        return self._close_ups(close, max(1, most - len(crops)), t) + crops

    def _widened(self, crop: Crop, loose: Floats) -> Crop:
        """Return the crop at native scale where something in it belongs to nothing that is followed."""
        if not _shares(loose, as_boxes([crop])).any():
            return crop
        return _square(crop, self._limits.native, self._size)

    def _close_ups(self, boxes: Floats, count: int, t: float) -> list[Crop]:
        """Return at most `count` crops, each close to one of `boxes`: those that have waited longest."""
        crops = {_square(box, self._limits.closest, self._size) for box in boxes.tolist()}
        chosen = sorted(sorted(crops), key=lambda crop: float(self._seen_close[self._cells(crop)].mean()))[
            :count
        ]
        for crop in chosen:
            self._seen_close[self._cells(crop)] = t
        return chosen

    def _beside_the_whole(self, followed: Sequence[Crop]) -> tuple[Crop, ...]:
        """Return the crops beside that of the whole picture: what is followed, and tiles in turn."""
        count = tiles_beside_whole(self._max_crops)
        if count == 1:
            self._tile_turn = not self._tile_turn or not followed
            return self._oldest(self._tiles if self._tile_turn else followed, 1)
        chosen = self._oldest(followed, count - 1)
        return (*chosen, *self._oldest(self._tiles, count - len(chosen)))

    def _tile(self, t: float) -> tuple[Crop, ...]:
        """Return the tile that has waited longest."""
        self._t_tile = t
        return self._oldest(self._tiles, 1)

    def _second_looks(self, crops: Sequence[Crop], t: float) -> list[Crop]:
        """Return tiles of crops that are larger than the limit, where small things were not seen lately."""
        found: list[Crop] = []
        for crop in crops:
            if max(crop[2] - crop[0], crop[3] - crop[1]) > self._limits.limit * SLACK:
                found += [
                    c
                    for c in tiles(crop, self._limits.limit, self._size, self._limits.smallest)
                    if self._age(c, t) >= LARGE_AGAIN_S
                ]
        return found

    def _oldest(self, crops: Sequence[Crop], count: int) -> tuple[Crop, ...]:
        """Return the `count` crops that have waited longest, in that order."""
        if len(crops) <= count:
            return tuple(crops)
        return tuple(
            sorted(
                crops, key=lambda crop: float(np.clip(self._seen[self._cells(crop)], LONG_AGO, None).mean())
            )[:count]
        )

    def _age(self, crop: Crop, t: float) -> float:
        """Return for how long the middle of the crop has not been looked at, s."""
        x, y = (crop[0] + crop[2]) / 2, (crop[1] + crop[3]) / 2
        return t - float(self._seen[self._cells((int(x), int(y), int(x) + 1, int(y) + 1))].max())

    def _due(self, track: Track, t: float) -> bool:
        """Tell whether a stationary object must be checked again."""
        x1, y1, x2, y2 = (int(v) for v in track.box)
        return self._age((x1, y1, x2, y2), t) >= self._idle_interval_s - 1e-6

    def _cells(self, crop: Crop) -> tuple[slice, slice]:
        """Return the places that a crop covers."""
        fx, fy = SEEN[0] / self._size[0], SEEN[1] / self._size[1]
        x1, y1 = min(SEEN[0] - 1, max(0, int(crop[0] * fx))), min(SEEN[1] - 1, max(0, int(crop[1] * fy)))
        return slice(y1, max(y1 + 1, round(crop[3] * fy))), slice(x1, max(x1 + 1, round(crop[2] * fx)))


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
    return [_square(union, limits.closest, size) for union in unions]


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


def _shares(boxes: Floats, outer: Floats) -> Floats:
    """Return which share of each of `boxes` (n, 4) lies in each of `outer` (m, 4): (n, m)."""
    return np.asarray(
        intersection(boxes[:, None], outer[None]) / np.maximum(areas(boxes), 1e-9)[:, None], np.float32
    )


def _padded(boxes: Sequence[Sequence[float]], size: tuple[int, int]) -> Floats:
    """Return float32 (n, 4): the boxes with their margins, inside the frame."""
    grown = _grown(boxes, size)
    return grown[_visible(grown)]


def _visible(boxes: Floats) -> BoolMap:
    """Return which boxes, cut at the border of the frame, have something left."""
    return np.asarray((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))


def _grown(boxes: Sequence[Sequence[float]], size: tuple[int, int]) -> Floats:
    """Return float32 (n, 4): the boxes with their margins, cut at the border of the frame."""
    array = np.array(boxes, np.float32).reshape(-1, 4)
    longer = np.maximum(array[:, 2] - array[:, 0], array[:, 3] - array[:, 1])[:, None]
    pad = np.clip(MARGIN * longer, 8.0, 160.0)
    array += np.concatenate([-pad, -pad, pad, pad], axis=1)
    edge = np.array([*size, *size], np.float32)
    return np.clip(array, 0.0, edge)


def _square(union: Sequence[float], smallest: float, size: tuple[int, int]) -> Crop:
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


def as_boxes(crops: Sequence[Crop]) -> Floats:
    """Return float32 (k, 4) px: the crops, as an `Observation` carries them."""
    boxes = np.array(crops, np.float32).reshape(-1, 4)
    boxes.setflags(write=False)
    return boxes
