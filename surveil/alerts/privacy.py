"""Privacy of stored pictures: masked areas are blanked and faces are blurred before a picture is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from surveil.alerts.settings import EvidenceSettings
from surveil.detect.faces import EmbeddedFaces
from surveil.errors import ConfigError, ModelError
from surveil.hidden import blank
from surveil.types import Bytes, Floats, Polygon

_FACE_SCORE = 0.6
_BLACK = 0
_SIDE_PX = 1920
"""Larger pictures are searched at this size: the time grows with the area."""
_MARGIN = 0.25
"""Of a face's size, blurred around it: hair and ears tell, too."""


def make_hide(
    masks: Sequence[Polygon], evidence: EvidenceSettings | None = None
) -> Callable[[Bytes], Bytes] | None:
    """Return what hides parts of a uint8 BGR picture, None when there is nothing to hide.

    `masks` are polygons in fractions of the frame; `evidence` says whether faces are blurred, and what finds
    them. Raises ConfigError when the model cannot be used.
    """
    faces = _finder(evidence) if evidence else None
    if not masks and faces is None:
        return None

    def hide(picture: Bytes) -> Bytes:
        hidden = blur(picture, find(faces, picture)) if faces else picture.copy()
        return blank(hidden, masks, (0, 0, 1, 1), _BLACK)

    return hide


def blur(picture: Bytes, boxes: Floats) -> Bytes:
    """Return a copy with boxes x1 y1 x2 y2 (px) and a margin made unrecognisable: eight pixels are left of each."""
    done = picture.copy()
    for x1, y1, x2, y2 in boxes.round().astype(int).tolist():
        dx, dy = round((x2 - x1) * _MARGIN), round((y2 - y1) * _MARGIN)
        part = done[max(0, y1 - dy) : max(0, y2 + dy), max(0, x1 - dx) : max(0, x2 + dx)]
        if part.size:
            small = cv2.resize(part, (8, 8), interpolation=cv2.INTER_AREA)
            part[:] = cv2.resize(small, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_NEAREST)
    return done


class FaceFinder(Protocol):
    """Finds faces. Used by one thread at a time."""

    def find(self, picture: Bytes) -> Floats:
        """Return boxes x1 y1 x2 y2, float32 (n, 4) px, in a uint8 BGR picture."""


def find(faces: FaceFinder, picture: Bytes) -> Floats:
    """Return the boxes in px of the picture; a large one is searched at a smaller size."""
    scale = min(1.0, _SIDE_PX / max(picture.shape[:2]))
    if scale < 1:
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        picture = np.asarray(small, np.uint8)
    return np.asarray(faces.find(picture) / scale, np.float32)


def _finder(evidence: EvidenceSettings) -> FaceFinder | None:
    if evidence.blur_faces_model is not None:
        return YuNet(evidence.blur_faces_model)
    if not evidence.blur_faces:
        return None
    try:
        return EmbeddedFaces()
    except ModelError as error:
        raise ConfigError([f"evidence.blur_faces: {error}; install surveil again"]) from error


class YuNet:
    """A model of the user's own, for OpenCV's FaceDetectorYN."""

    def __init__(self, model: Path) -> None:
        """Load it. Raises ConfigError."""
        try:
            self._detector = cv2.FaceDetectorYN.create(str(model), "", (320, 320), _FACE_SCORE)
        except cv2.error as error:
            raise ConfigError([f"{model} is not a YuNet model that OpenCV can read"]) from error

    def find(self, picture: Bytes) -> Floats:
        """Return boxes x1 y1 x2 y2, float32 (n, 4) px, in a uint8 BGR picture."""
        self._detector.setInputSize((picture.shape[1], picture.shape[0]))
        faces = self._detector.detect(picture)[1]
        boxes = np.zeros((0, 4), np.float32) if faces is None else np.asarray(faces, np.float32)[:, :4]
        boxes[:, 2:] += boxes[:, :2]
        return boxes
