"""Who is who: matching the objects of a frame to the tracks that are known."""

from __future__ import annotations

import numpy as np

from surveil.geometry import iou_matrix
from surveil.track.assignment import least_cost
from surveil.types import Doubles

Pairs = list[tuple[int, int]]


def similarity(tracks: Doubles, margins: Doubles, detections: Doubles) -> Doubles:
    """How well each track (n, 4) fits each detection (m, 4): 0..1, (n, m).

    Intersection over union after both boxes grew by the doubt about the track's place (`margins`,
    (n, 2) px). At 2 fps a walker leaves his own box between two frames and plain overlap is 0; growing
    both keeps the order of the candidates (Yang et al., buffered IoU, 2023). The doubt comes from the
    filter, so a track that is well known is matched as strictly as ever.
    """
    grow = np.concatenate([-margins, margins], axis=1)[:, None, :]
    return iou_matrix(tracks[:, None, :] + grow, detections[None, :, :] + grow)


def assign(score: Doubles, least: float) -> Pairs:
    """The one-to-one pairs (row, column) with the greatest total score, none of them below `least`."""
    if score.size == 0:
        return []
    allowed = np.where(score >= least, score, 0.0)
    return [(row, column) for row, column in least_cost((-allowed).tolist()) if allowed[row, column] > 0]
