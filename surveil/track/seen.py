"""The detections of one frame, in the form that the tracker needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surveil.track.evidence import Grade, grades
from surveil.track.settings import TrackSettings
from surveil.types import Detections, Doubles


@dataclass(slots=True, kw_only=True)
class Seen:
    """What was found in one frame and is worth using."""

    boxes: Doubles
    """(n, 4) px."""
    scores: Doubles
    labels: list[str]
    grades: NDArray[np.int64]
    """`Grade` of each."""

    @property
    def sure(self) -> NDArray[np.bool_]:
        """Which of them start a track anywhere."""
        return self.grades >= Grade.SURE


def sift(
    detections: Detections, labels: Sequence[str], settings: TrackSettings, least: Mapping[str, float]
) -> Seen:
    """Return the detections that may continue a track; `least`: sure, and certain, scores by label."""
    keep = detections.scores >= settings.low_score
    names = [_name(int(c), labels) for c in detections.classes[keep]]
    scores = detections.scores[keep].astype(np.float64)
    sure, certain = (
        np.array([least.get(name, otherwise) for name in names])
        for otherwise in (settings.high_score, settings.certain_score)
    )
    graded = grades(scores, sure, certain, settings.low_score)
    boxes = detections.boxes[keep].astype(np.float64)
    return Seen(boxes=boxes, scores=scores, labels=names, grades=graded)


def _name(index: int, labels: Sequence[str]) -> str:
    """Return the label of a class, or its number when the model has no name for it."""
    return labels[index] if 0 <= index < len(labels) else str(index)
