"""Writes the result of a replay as a video: boxes, zones, lines and alerts."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import av.error
import cv2
import numpy as np

from surveil.alerts.privacy import make_hide
from surveil.app.replay import AnalysedFrame
from surveil.config import CameraConfig
from surveil.errors import StateError
from surveil.types import Bytes, Track

_ALERT_SHOWN_S = 2.0
_WIDTH = 960
"""Pixels; wider recordings are shown smaller."""
_BOX, _PLACE, _TEXT = (200, 200, 60), (60, 200, 250), (40, 40, 230)


class Annotator:
    """An H.264 file of the analysed frames at their own times. Use as a context manager.

    Raises StateError when the file cannot be written.
    """

    def __init__(self, path: Path, camera: CameraConfig) -> None:
        self._camera = camera
        self._hide = make_hide(camera.unstored, camera.evidence)
        self._out, self._stream = _create(path)
        self._is_open = False
        self._shown: list[tuple[float, str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._is_open:
            self._out.mux(self._stream.encode())
        self._out.close()

    def add(self, seen: AnalysedFrame) -> None:
        """Append one frame."""
        picture = seen.frame.picture.bgr().copy()
        if self._hide:
            picture = self._hide(picture)
        self._draw(picture, seen)
        scale = min(1.0, _WIDTH / picture.shape[1])
        size = (round(picture.shape[1] * scale / 2) * 2, round(picture.shape[0] * scale / 2) * 2)
        shown = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        frame = av.VideoFrame.from_ndarray(shown, format="bgr24")
        if not self._is_open:
            self._stream.width, self._stream.height = size
            self._is_open = True
        frame.pts, frame.time_base = round(seen.frame.t * 1000), Fraction(1, 1000)
        self._out.mux(self._stream.encode(frame))

    def _draw(self, picture: Bytes, seen: AnalysedFrame) -> None:
        overlay(picture, self._camera, seen.tracks)
        self._shown += [(seen.frame.t, alert.text) for alert in seen.alerts if alert.phase == "start"]
        width = picture.shape[1]
        self._shown = [(t, text) for t, text in self._shown if seen.frame.t - t <= _ALERT_SHOWN_S]
        for row, (_, text) in enumerate(self._shown[-5:]):
            at = (10, round((row + 1) * width / 30))
            cv2.putText(
                picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, width / 1200, _TEXT, _thick(width), cv2.LINE_AA
            )


def overlay(picture: Bytes, camera: CameraConfig, tracks: Iterable[Track]) -> None:
    """Draw the camera's zones and lines and the tracks into a picture, uint8 BGR."""
    height, width = picture.shape[:2]
    thick = _thick(width)
    for points in (*camera.zones.values(), *camera.lines.values()):
        pixels = np.round(np.array(points) * (width, height)).astype(np.int32)
        cv2.polylines(picture, [pixels], len(points) > 2, _PLACE, thick, cv2.LINE_AA)
    for track in tracks:
        _box(picture, track, thick)


def _thick(width: int) -> int:
    return max(1, width // 500)


def _create(path: Path) -> tuple[Any, Any]:
    """Return the file, which FFmpeg would not open before the first frame, and its stream of no size yet."""
    try:
        path.write_bytes(b"")
        out = av.open(str(path), "w")
        stream = out.add_stream("libx264", rate=30, options={"preset": "veryfast", "crf": "24"})
    except (OSError, ValueError, av.error.FFmpegError) as error:
        reason = getattr(error, "strerror", None) or error
        remedy = "name a file such as seen.mp4 in an existing, writable folder"
        raise StateError(f"{path} cannot be written as a video ({reason}); {remedy}") from None
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = Fraction(1, 1000)
    return out, stream


def _box(picture: Bytes, track: Track, thick: int) -> None:
    x1, y1, x2, y2 = (round(v) for v in track.box)
    cv2.rectangle(picture, (x1, y1), (x2, y2), _BOX, thick, cv2.LINE_AA)
    name = f"{track.label} {track.id}"
    cv2.putText(
        picture,
        name,
        (x1, y1 - 4),
        cv2.FONT_HERSHEY_SIMPLEX,
        picture.shape[1] / 1600,
        _BOX,
        thick,
        cv2.LINE_AA,
    )
