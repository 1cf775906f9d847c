"""What must not be stored: masked areas are blanked, faces are blurred, in every picture that is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from surveil.errors import ConfigError
from surveil.hidden import blank
from surveil.types import Bytes, Polygon

_FACE_SCORE = 0.6
_BLACK = 0
_SIDE_PX = 1920
"""Larger pictures are searched at this size: YuNet needs faces of ten pixels, and its time grows with the area."""
_MARGIN = 0.25
"""Of a face's size, blurred around it: hair and ears tell, too."""


def make_hide(masks: Sequence[Polygon], face_model: Path | None) -> Callable[[Bytes], Bytes] | None:
    """Return what hides parts of a uint8 BGR picture, None when there is nothing to hide.

    `masks` are polygons in fractions of the frame; `face_model` is a YuNet model for OpenCV's FaceDetectorYN.
    Raises ConfigError when the model cannot be used.
    """
    if not masks and face_model is None:
        return None
    faces = FaceFinder(face_model) if face_model else None

    def hide(picture: Bytes) -> Bytes:
        hidden = blur(picture, faces.find(picture)) if faces else picture.copy()
        return blank(hidden, masks, (0, 0, 1, 1), _BLACK)

    return hide


def blur(picture: Bytes, boxes: Sequence[tuple[int, int, int, int]]) -> Bytes:
    """Return a copy with boxes x1 y1 x2 y2 (px) and a margin made unrecognisable: eight pixels are left of each."""
    done = picture.copy()
    for x1, y1, x2, y2 in boxes:
        dx, dy = round((x2 - x1) * _MARGIN), round((y2 - y1) * _MARGIN)
        part = done[max(0, y1 - dy) : max(0, y2 + dy), max(0, x1 - dx) : max(0, x2 + dx)]
        if part.size:
            small = cv2.resize(part, (8, 8), interpolation=cv2.INTER_AREA)
            part[:] = cv2.resize(small, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_NEAREST)
    return done


class FaceFinder:
    """Finds faces with YuNet. Used by the commit thread alone."""

    def __init__(self, model: Path) -> None:
        try:
            self._detector = cv2.FaceDetectorYN.create(str(model), "", (320, 320), _FACE_SCORE)
        except cv2.error as error:
            raise ConfigError([f"{model} is not a YuNet model that OpenCV can read"]) from error

    def find(self, picture: Bytes) -> list[tuple[int, int, int, int]]:
        """Return boxes x1 y1 x2 y2 in pixels."""
        scale = min(1.0, _SIDE_PX / max(picture.shape[:2]))
        if scale < 1:
            small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            picture = np.asarray(small, np.uint8)
        self._detector.setInputSize((picture.shape[1], picture.shape[0]))
        faces = self._detector.detect(picture)[1]
        return [] if faces is None else [_corners(face / scale) for face in np.asarray(faces)]


def _corners(face: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> tuple[int, int, int, int]:
    x, y, w, h = (int(v) for v in face[:4])
    return x, y, x + w, y + h
