"""Overlap of boxes, and the greedy non-maximum suppression that keeps one box an object."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from surveil.geometry import iou_matrix
from surveil.types import Detections, Floats

MOST = 300
"""Boxes that are compared with each other; a picture with more objects than that keeps the surest."""


def iou(a: Floats, b: Floats) -> Floats:
    """Return intersection over union, float32 (n, m), of boxes (n, 4) and (m, 4)."""
    return iou_matrix(a[:, None], b[None])


def suppress(found: Detections, overlap: float) -> Detections:
    """Return the surest box of every heap of boxes of one class, surest first."""
    order = np.argsort(-found.scores, kind="stable")[:MOST]
    if len(order) > 1:
        order = order[_survivors(found.boxes[order], found.classes[order], overlap)]
    return take(found, order)


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
