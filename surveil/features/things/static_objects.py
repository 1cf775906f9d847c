"""Left and removed objects: regions in which the two backgrounds differ.

This module only says what the picture shows; whether a thing is attended, or is a person standing still,
the rules `left_object` and `removed_object` decide with the tracks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import cv2
import numpy as np

from surveil.features.things.dual_background import DualBackground, Plane, texture
from surveil.features.things.finding import StaticObject, StaticThings
from surveil.geometry import iou
from surveil.types import BoolMap, Box, Bytes
from surveil.view import FrameView

ROWS = 180
"""Height of the brightness plane."""
EVERY_S = 0.5
SMALLEST, LARGEST = 0.0003, 0.05
"""Share of the picture; larger changes are the light, a door, a lorry, but nothing one puts down."""
UPHEAVAL = 0.3
"""When so much of the picture differs, the scene is another: the camera turned, the light went out."""
SAME_IOU = 0.3
BACK_SHARE = 0.6
"""A thing is gone again when this share of its place is as it was."""
ABSORB_S = 900.0
"""Whatever stays so long is part of the scene."""
ODD = 1.15
"""In the background with the thing, the blob is so much less like its surroundings than in the other."""
BIN = 8.0
"""Levels in a bin of a histogram."""
ALIKE = 0.6
"""Where both backgrounds correlate this much, the texture is the same and only the light is not."""
TEXTURE_PX = 7
"""What is coarser is light and shade."""
CLEAR = 0.92
"""With less of its fine contrast than this the scene is in fog, dazzled or out of focus: what fades is not gone."""
CORE = 0.5
"""Share of its own change that a blob must have everywhere."""
GAP_S = 5.0


@dataclass(slots=True)
class _Thing:
    """A blob that is followed, in px of the plane."""

    seen: StaticObject
    box: Box
    mask: BoolMap = field(repr=False)


class StaticObjects:
    """Finds what was left and removed. Owned by the holder of the camera's slot; `observe` is an analyser."""

    wants_all = False
    """What it judges lasts: pictures far apart are enough while nothing moves."""

    def __init__(self) -> None:
        self._model: DualBackground | None = None
        self._things: list[_Thing] = []
        self._t = float("-inf")
        self._size = (0, 0)
        self._last_id = 0

    def observe(self, view: FrameView) -> StaticThings | None:
        """Look at one frame; None for a damaged one."""
        frame = view.frame
        if frame.damaged and not frame.degraded:
            return None
        if frame.t - self._t >= EVERY_S:
            size = (frame.picture.width, frame.picture.height)
            self.update(view.luma_of_height(ROWS), frame.t, size, [track.box for track in view.tracks])
        return StaticThings(tuple(thing.seen for thing in self._things))

    def lost(self) -> None:
        """Nothing to forget: things lie where they lay."""

    def update(self, plane: Bytes, t: float, size: tuple[int, int], boxes: Sequence[Box]) -> None:
        """Take a plane uint8 (h, w) of a frame of `size` (width, height) px; `boxes`: tracked objects, px."""
        if self._model is None or self._model.short.shape != plane.shape or self._size != size:
            self._model, self._things, self._size = DualBackground(plane.shape), [], size
        dt, self._t = min(t - self._t, GAP_S), t
        busy = self._busy(plane.shape, boxes)
        self._model.update(plane, dt, busy)
        differs = self._model.differs
        if differs.mean() > UPHEAVAL:
            self._model.accept(self._model.still)
            self._things = []
            return
        self._follow(self._model, list(_blobs(differs, self._model.change())), busy, t)

    def _busy(self, shape: tuple[int, ...], boxes: Sequence[Box]) -> BoolMap:
        """Where tracked objects are (h, w)."""
        busy = np.zeros(shape, np.bool_)
        across, down = shape[1] / self._size[0], shape[0] / self._size[1]
        for x1, y1, x2, y2 in boxes:
            rows = slice(max(0, int(y1 * down)), max(0, int(y2 * down) + 1))
            busy[rows, max(0, int(x1 * across)) : max(0, int(x2 * across) + 1)] = True
        return busy

    def _follow(
        self, model: DualBackground, blobs: list[tuple[Box, BoolMap]], busy: BoolMap, t: float
    ) -> None:
        """Bring the known things up to date; begin new ones."""
        for thing in list(self._things):
            match = max(blobs, key=lambda blob: iou(blob[0], thing.box), default=None)
            if match is not None and iou(match[0], thing.box) >= SAME_IOU:
                blobs.remove(match)
                self._renew(thing, *match)
            elif self._is_back(model, thing, busy):
                self._things.remove(thing)
            if t - thing.seen.since > ABSORB_S and thing in self._things:
                model.accept(thing.mask)
                self._things.remove(thing)
        if not blobs or model.contrast() < CLEAR:
            return
        for box, mask in blobs:
            if busy[mask].mean() < 0.5 and (kind := _kind(model, box, mask)):
                self._last_id += 1
                seen = StaticObject(self._last_id, kind, self._in_frame(box, mask.shape), t)
                self._things.append(_Thing(seen, box, mask))

    def _renew(self, thing: _Thing, box: Box, mask: BoolMap) -> None:
        """Take the blob as it is now, unless something in front hides a part of it."""
        if mask.sum() >= 0.8 * thing.mask.sum():
            thing.box, thing.mask = box, mask
            thing.seen = replace(thing.seen, box=self._in_frame(box, mask.shape))

    def _is_back(self, model: DualBackground, thing: _Thing, busy: BoolMap) -> bool:
        """Whether its place is visible and as it was before."""
        visible = thing.mask & model.still & ~busy
        return float(visible.sum()) >= BACK_SHARE * float(thing.mask.sum())

    def _in_frame(self, box: Box, shape: tuple[int, ...]) -> Box:
        across, down = self._size[0] / shape[1], self._size[1] / shape[0]
        return (box[0] * across, box[1] * down, box[2] * across, box[3] * down)


def _blobs(differs: BoolMap, change: Plane) -> Iterator[tuple[Box, BoolMap]]:
    """Yield box (px of the plane) and mask of each connected difference of a likely size."""
    closed = cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened)
    for number in range(1, count):
        _, _, w, h, pixels = (int(value) for value in stats[number])
        if pixels / differs.size >= SMALLEST and w * h / differs.size <= LARGEST and min(w, h) >= 3:
            yield _core(labels == number, change)


def _core(mask: BoolMap, change: Plane) -> tuple[Box, BoolMap]:
    """Cut a blob down to where it differs most: around a thing lies its shadow."""
    strength = np.abs(change)
    core = mask & (strength >= CORE * np.percentile(strength[mask], 80))
    rows, columns = np.flatnonzero(core.any(axis=1)), np.flatnonzero(core.any(axis=0))
    box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    return box, core


def _kind(model: DualBackground, box: Box, mask: BoolMap) -> Literal["left", "removed", ""]:
    """Tell whether the thing is in the short background, or was in the long one, or is but light."""
    margin = 4
    rows = slice(max(0, int(box[1]) - margin), int(box[3]) + margin)
    columns = slice(max(0, int(box[0]) - margin), int(box[2]) + margin)
    inside = mask[rows, columns]
    if not model.known[rows, columns].all():
        return ""
    now, before = model.short[rows, columns], model.long[rows, columns]
    fine_now, fine_before = texture(now, TEXTURE_PX), texture(before, TEXTURE_PX)
    if _correlation(fine_now[inside], fine_before[inside]) > ALIKE:
        return ""
    ring = cv2.dilate(inside.astype(np.uint8), np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)) > 0
    ring &= ~inside
    odd_now, odd_before = _unlike(now[inside], now[ring]), _unlike(before[inside], before[ring])
    if odd_now > ODD * odd_before:
        return "left"
    return "removed" if odd_before > ODD * odd_now else ""


def _unlike(inside: Plane, around: Plane) -> float:
    """How little a blob looks like its surroundings: 1 - intersection of their histograms."""
    bins = np.arange(-256.0, 257.0, BIN)
    a, b = np.histogram(inside, bins)[0], np.histogram(around, bins)[0]
    smooth = np.array([0.25, 0.5, 0.25])
    a, b = np.convolve(a / max(a.sum(), 1), smooth), np.convolve(b / max(b.sum(), 1), smooth)
    return 1.0 - float(np.minimum(a, b).sum())


def _correlation(a: Plane, b: Plane) -> float:
    """Pearson's r of two samples; 0 where one of them is flat."""
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 1e-6 else 0.0
