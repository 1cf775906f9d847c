"""Detections of several crops of one frame → objects of the frame, each once.

Crops overlap, and an object at the border of one is seen whole in another or in two halves. A box that
touches a border of its crop which is not the frame's is *cut*; what it shows is a part of something.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from surveil.detect.letterbox import InputPlacement
from surveil.geometry import areas, intersection, iou_matrix
from surveil.types import Detections, Floats

TOUCH = 0.01
"""A box this near to its crop's border, of the crop's side, is cut."""
COVERED = 0.7
"""A cut box of which this much lies in a better box is part of that object."""
SAME_SPAN = 0.6
"""Two cut boxes whose extents along the border agree this much are halves of one object."""
MOST = 300
"""Boxes that are compared with each other at once, and objects that a picture can have; the surest stay."""


def merge(
    parts: Sequence[tuple[InputPlacement, Detections]], frame: tuple[int, int], overlap: float
) -> Detections:
    """Return the objects of a frame of `frame` (width, height) px.

    `parts`: where each crop lay in the model's input, and what was found there in px of the input.
    """
    placed = [(where, _placed(where, found)) for where, found in parts if len(found)]
    if not placed:
        return Detections.empty()
    if len(parts) == 1:
        return placed[0][1]
    found = _joined([detections for _, detections in placed])
    cut = np.concatenate([_cut(d.boxes, where.crop, frame) for where, d in placed])
    crop = np.concatenate([np.full(len(d), i) for i, (_, d) in enumerate(placed)])
    found = _glued(found, cut, crop)
    keep = ~_covered(found, np.asarray(cut.any(axis=1)))
    return suppress(take(found, keep), overlap)


def _placed(where: InputPlacement, found: Detections) -> Detections:
    return Detections(where.to_frame(found.boxes), found.scores, found.classes)


def _joined(found: Sequence[Detections]) -> Detections:
    return Detections(
        np.concatenate([d.boxes for d in found]),
        np.concatenate([d.scores for d in found]),
        np.concatenate([d.classes for d in found]),
    )


def _cut(boxes: Floats, crop: tuple[int, int, int, int], frame: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which sides (left, top, right, bottom) of each box are cut by the crop: bool (n, 4)."""
    x1, y1, x2, y2 = crop
    inner = np.array([x1 > 0, y1 > 0, x2 < frame[0], y2 < frame[1]])
    near = np.array([x2 - x1, y2 - y1] * 2) * TOUCH
    return np.asarray((np.abs(boxes - np.array(crop)) <= near) & inner)


def _glued(found: Detections, cut: NDArray[np.bool_], crop: NDArray[np.intp]) -> Detections:
    """Return the detections with facing halves of one object grown to their union.

    Halves overlap where the crops do, are cut on facing sides, and have the same extent across.
    """
    boxes = found.boxes.copy()
    for axis in (0, 1):
        first, second = cut[:, axis + 2], cut[:, axis]
        pairs = first[:, None] & second[None, :] & (crop[:, None] != crop[None, :])
        pairs &= found.classes[:, None] == found.classes[None, :]
        pairs &= _reach(found.boxes, axis) & (_span(found.boxes, 1 - axis) >= SAME_SPAN)
        for i, j in np.argwhere(pairs):
            union = np.concatenate(
                [np.minimum(boxes[i, :2], boxes[j, :2]), np.maximum(boxes[i, 2:], boxes[j, 2:])]
            )
            boxes[i] = boxes[j] = union
            # What was a half is whole on this side now.
            cut[i, axis + 2] = cut[j, axis] = False
    return Detections(boxes, found.scores, found.classes)


def _reach(boxes: Floats, axis: int) -> NDArray[np.bool_]:
    """Return whether box i begins before box j and reaches it: bool (n, n)."""
    low, high = boxes[:, axis], boxes[:, axis + 2]
    return np.asarray((low[:, None] < low[None, :]) & (high[:, None] >= low[None, :]))


def _span(boxes: Floats, axis: int) -> Floats:
    """Return intersection over union of the extents along one axis: float32 (n, n)."""
    low, high = boxes[:, axis], boxes[:, axis + 2]
    shared = np.minimum(high[:, None], high[None, :]) - np.maximum(low[:, None], low[None, :])
    whole = np.maximum(high[:, None], high[None, :]) - np.minimum(low[:, None], low[None, :])
    return np.asarray(np.maximum(shared, 0) / np.maximum(whole, 1e-9), np.float32)


def _covered(found: Detections, cut: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which cut boxes lie mostly in a larger box of their class."""
    size = areas(found.boxes)
    share = intersection(found.boxes[:, None], found.boxes[None]) / np.maximum(size, 1e-9)[:, None]
    larger = (size[None, :] > size[:, None]) & (found.classes[:, None] == found.classes[None, :])
    return np.asarray(cut & (larger & (share >= COVERED)).any(axis=1))


def iou(a: Floats, b: Floats) -> Floats:
    """Return intersection over union, float32 (n, m), of boxes (n, 4) and (m, 4)."""
    return iou_matrix(a[:, None], b[None])


def suppress(found: Detections, overlap: float) -> Detections:
    """Return the surest box of every heap of boxes of one class, surest first."""
    order = np.argsort(-found.scores, kind="stable")
    kept = order[:0]
    # In pieces: a crowd has thousands of boxes, and those of its surest people must not push out the others'.
    for start in range(0, len(order), MOST):
        some = order[start : start + MOST]
        if len(kept):
            some = some[~_beaten(found, kept, some, overlap)]
        if len(some) > 1:
            some = some[_survivors(found.boxes[some], found.classes[some], overlap)]
        kept = np.concatenate([kept, some])
        if len(kept) >= MOST:
            break
    return take(found, kept[:MOST])


def _beaten(
    found: Detections, kept: NDArray[np.intp], some: NDArray[np.intp], overlap: float
) -> NDArray[np.bool_]:
    """Return which of `some` are of the same class as one that is kept, and the same object."""
    rivals = iou(found.boxes[some], found.boxes[kept]) > overlap
    rivals &= found.classes[some][:, None] == found.classes[kept][None, :]
    return np.asarray(rivals.any(axis=1))


def _survivors(boxes: Floats, classes: NDArray[np.int32], overlap: float) -> NDArray[np.bool_]:
    """Return which of the boxes, surest first, stay."""
    rivals = (iou(boxes, boxes) > overlap) & (classes[:, None] == classes[None, :])
    beaten = np.triu(rivals, 1)
    alive = np.ones(len(boxes), np.bool_)
    for i in np.flatnonzero(beaten.any(axis=1)):
        if alive[i]:
            alive &= ~beaten[i]
    return alive


def take(found: Detections, index: NDArray[np.intp] | NDArray[np.bool_]) -> Detections:
    """Return those with that index."""
    return Detections(found.boxes[index], found.scores[index], found.classes[index])
