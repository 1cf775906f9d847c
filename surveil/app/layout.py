"""A camera's picture with its layout: zones, lines, masks, and a grid for finding coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from surveil.alerts.privacy import make_hide
from surveil.config import CameraConfig
from surveil.errors import StateError
from surveil.filesystem import write_atomically
from surveil.types import Bytes, Picture, Point

_ZONE, _LINE, _MASK, _GRID, _TEXT = (
    (60, 200, 250),
    (80, 220, 80),
    (150, 150, 150),
    (255, 255, 255),
    (245, 245, 245),
)
_SHADOW = (20, 20, 20)
_STEPS = 10
"""Parts of the grid each way: a line at every tenth."""
_FAINT = 0.35
_QUALITY = 92


def snapshot(picture: Picture, camera: CameraConfig, *, plain: bool = False) -> Bytes:
    """Return what may be stored of a picture, uint8 BGR, with the camera's layout unless `plain`.

    Raises ConfigError when faces are to be blurred and the model cannot be used.
    """
    hide = make_hide(camera.unstored, camera.evidence)
    pixels = picture.bgr()
    pixels = hide(pixels) if hide else pixels.copy()
    return pixels if plain else _with_layout(pixels, camera)


def jpeg(pixels: Bytes) -> bytes:
    """Return a JPEG. Raises StateError where OpenCV cannot make one."""
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise StateError(f"a picture of {pixels.shape[1]}x{pixels.shape[0]} cannot be encoded as JPEG")
    return data.tobytes()


def save(path: Path, pixels: Bytes) -> None:
    """Write a JPEG, mode 0640. Raises StateError when it cannot be written."""
    data = jpeg(pixels)
    try:
        write_atomically(path, data)
    except OSError as error:
        raise StateError(
            f"{path} cannot be written: {error.strerror}; name a file in an existing folder"
        ) from error


def _with_layout(pixels: Bytes, camera: CameraConfig) -> Bytes:
    thick = max(1, pixels.shape[1] // 640)
    done = _grid(pixels, thick)
    for name, mask in camera.masks.items():
        _shape(done, name, mask, _MASK, thick, closed=True)
    for name, zone in camera.zones.items():
        _shape(done, name, zone, _ZONE, 2 * thick, closed=True)
    for name, line in camera.lines.items():
        _shape(done, name, line, _LINE, 2 * thick, closed=False)
    return done


def _grid(pixels: Bytes, thick: int) -> Bytes:
    """Return a copy with a faint line at every tenth of the width and height, and its number."""
    height, width = pixels.shape[:2]
    lined = pixels.copy()
    at = [(round(width * i / _STEPS), round(height * i / _STEPS)) for i in range(1, _STEPS)]
    for x, y in at:
        cv2.line(lined, (x, 0), (x, height - 1), _GRID, thick)
        cv2.line(lined, (0, y), (width - 1, y), _GRID, thick)
    done = np.asarray(cv2.addWeighted(lined, _FAINT, pixels, 1 - _FAINT, 0), np.uint8)
    for i, (x, y) in enumerate(at, 1):
        _write(done, f"{i / _STEPS:.1f}", (x + 3 * thick, 14 * thick), thick)
        _write(done, f"{i / _STEPS:.1f}", (3 * thick, y - 3 * thick), thick)
    return done


def _shape(
    pixels: Bytes,
    name: str,
    points: Sequence[Point],
    colour: tuple[int, int, int],
    thick: int,
    *,
    closed: bool,
) -> None:
    corners = np.round(np.array(points) * (pixels.shape[1], pixels.shape[0])).astype(np.int32)
    cv2.polylines(pixels, [corners], closed, colour, thick, cv2.LINE_AA)
    for corner in corners:
        cv2.circle(pixels, (int(corner[0]), int(corner[1])), 2 * thick, colour, -1, cv2.LINE_AA)
    x, y = (int(v) for v in corners[np.argmin(corners[:, 1])])
    _write(
        pixels,
        name,
        (max(0, min(x, pixels.shape[1] - 60)) + 4 * thick, max(16 * thick, y - 5 * thick)),
        thick,
    )


def _write(pixels: Bytes, text: str, at: tuple[int, int], thick: int) -> None:
    for colour, width in ((_SHADOW, 3 * thick), (_TEXT, thick)):
        cv2.putText(pixels, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.4 * thick, colour, width, cv2.LINE_AA)
