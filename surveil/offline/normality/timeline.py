"""A clip's score over time as a picture: what was labelled, what was alarmed."""

from __future__ import annotations

import cv2
import numpy as np

from surveil.offline.normality.evaluate import ClipResult
from surveil.types import Bytes

WIDTH, HEIGHT, MARGIN = 900, 180, 30
_LABELLED, _SCORE, _SUSTAINED = (200, 200, 255), (160, 110, 40), (40, 40, 40)
_THRESHOLD, _ALARM = (0, 0, 220), (0, 140, 255)


def timeline(clip: ClipResult, threshold: float) -> Bytes:
    """Return the picture, BGR: labelled frames shaded, score thin, sustained score bold, threshold red."""
    picture = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    top = float(max(np.nanmax(clip.scores, initial=0.0), threshold if np.isfinite(threshold) else 0.0, 1.0))
    x = _scaled(clip.t, float(clip.t[-1]) or 1.0, WIDTH - 2 * MARGIN) + MARGIN
    _shade(picture, x, clip)
    _line(picture, x, _rows(np.nan_to_num(clip.scores), top), _SCORE, 1)
    _line(picture, x, _rows(clip.sustained, top), _SUSTAINED, 2)
    if np.isfinite(threshold):
        y = int(_rows(np.array([threshold]), top)[0])
        cv2.line(picture, (MARGIN, y), (WIDTH - MARGIN, y), _THRESHOLD, 1)
        over = clip.sustained >= threshold
        picture[HEIGHT - MARGIN : HEIGHT - MARGIN + 5, x[over]] = _ALARM
    text = f"{clip.name}   0 ... {clip.t[-1]:.1f} s   0 ... {top:.1f} decades"
    ascii_text = text.encode("ascii", "replace").decode()
    cv2.putText(picture, ascii_text, (MARGIN, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return picture


def _scaled(values: np.ndarray, top: float, size: int) -> np.ndarray:
    return np.asarray(np.rint(values / top * size), np.int32)


def _rows(values: np.ndarray, top: float) -> np.ndarray:
    return HEIGHT - MARGIN - _scaled(values, top, HEIGHT - 2 * MARGIN)


def _shade(picture: Bytes, x: np.ndarray, clip: ClipResult) -> None:
    for event in clip.events:
        inside = (clip.t >= event.t_start) & (clip.t <= event.t_end)
        left, right = int(x[inside].min()), int(x[inside].max()) + 1
        picture[MARGIN : HEIGHT - MARGIN, left:right] = _LABELLED


def _line(picture: Bytes, x: np.ndarray, y: np.ndarray, colour: tuple[int, int, int], width: int) -> None:
    points = np.stack([x, y], axis=1).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(picture, [points], isClosed=False, color=colour, thickness=width, lineType=cv2.LINE_AA)
