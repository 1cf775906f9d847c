"""Width of a silhouette for its height: people are narrow, what they ride or push is not.

For every pixel of the foreground, the lengths of the run of its row and of its column, in heights of a person at that
row. Their ratio is a property of the place inside a silhouette, so it needs no cutting of groups into people: two who
walk side by side are two narrow silhouettes for most of their rows.
"""

from __future__ import annotations

import cv2
import numpy as np

from surveil.types import Bytes, Floats

CAP = 3.0
"""Heights of a person beyond which a run is no longer one thing."""
LEAST = np.float32(0.05)
"""Heights of a person added to both runs: single pixels are noise."""


def wideness(foreground: Bytes, heights: Floats) -> Floats:
    """Return ln(width / height) where `foreground` (rows, columns) is 1, and 0 elsewhere.

    `heights` (rows, 1): of a person, px of the foreground.
    """
    found = np.zeros(foreground.shape, np.float32)
    x, y, w, h = cv2.boundingRect(foreground)
    if not w:
        return found
    part = foreground[y : y + h, x : x + w]
    size = heights[y : y + h]
    wide, high = _runs(part) / size, _runs(np.ascontiguousarray(part.T)).T / size
    ratio = np.log((np.minimum(wide, CAP) + LEAST) / (np.minimum(high, CAP) + LEAST))
    found[y : y + h, x : x + w] = ratio * part
    return found


def _runs(mask: Bytes) -> Floats:
    """Return the length of the run of ones in its row that each pixel belongs to, 0 where there is none."""
    width = mask.shape[1]
    column = np.arange(width, dtype=np.int16)
    empty = mask == 0
    before = np.maximum.accumulate(np.where(empty, column, np.int16(-1)), axis=1)
    after = np.minimum.accumulate(np.where(empty, column, np.int16(width))[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(np.maximum(after - before - 1, 0), np.float32)
