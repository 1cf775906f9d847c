"""The picture of a trial with the boxes that a model found, for people to look at."""

from __future__ import annotations

import cv2
import numpy as np

from surveil.detect import trial
from surveil.detect.detector import Detector

SCALE = 2
SHOWN = 0.25
"""Least score of a box that is drawn."""
_PERSON, _OTHER = (60, 220, 60), (60, 160, 250)


def people(detector: Detector) -> int:
    """Return how many people the model found in the picture that has `trial.PEOPLE`."""
    found = detector.trial.found
    classes = [i for i, name in enumerate(detector.labels) if name == "person"]
    return int((np.isin(found.classes, classes) & (found.scores >= SHOWN)).sum())


def sketch(detector: Detector) -> bytes:
    """Return a JPEG of the picture, twice as large, with boxes, classes and scores."""
    small = np.ascontiguousarray(trial.picture()[:, :, ::-1])
    picture = cv2.resize(small, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_CUBIC)
    found = detector.trial.found
    for box, score, index in zip(found.boxes * SCALE, found.scores, found.classes, strict=True):
        if score >= SHOWN:
            name = detector.labels[index]
            x1, y1, x2, y2 = (round(float(v)) for v in box)
            colour = _PERSON if name == "person" else _OTHER
            cv2.rectangle(picture, (x1, y1), (x2, y2), colour, 2)
            cv2.putText(
                picture,
                f"{name} {score:.2f}",
                (x1, max(12, y1 - 4)),
                cv2.FONT_HERSHEY_SIMPLEX,
                0.45,
                colour,
                1,
            )
    return np.asarray(cv2.imencode(".jpg", picture)[1]).tobytes()
