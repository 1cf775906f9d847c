"""Recordings: video files by PyAV and folders of images by OpenCV. Deterministic: time is in the file."""

from __future__ import annotations

import re
from pathlib import Path

import av
import cv2
import numpy as np

from surveil.capture.avsource import AvSource
from surveil.capture.causes import open_error, source_error
from surveil.capture.picture import ArrayPicture
from surveil.capture.settings import StreamSettings
from surveil.capture.source import Arrival, Decoded, Shot, StreamInfo
from surveil.errors import Cause

IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm"}


class FileSource(AvSource):
    """A video file, read as fast as it is taken."""

    live = False

    def _ended(self) -> None:
        """Take the end as it is; a file without a single picture is none (the loop says so)."""


class FolderSource:
    """A folder of images in natural order (`frame2` before `frame10`), `settings.fps` a second."""

    live = False

    def __init__(self, settings: StreamSettings) -> None:
        self._folder = Path(settings.url)
        self._fps = settings.fps
        self._images: list[Path] = []
        self._next = 0

    def open(self) -> StreamInfo:
        """List the images. Raises SourceError (no_video) when there are none."""
        try:
            files = list(self._folder.iterdir())
        except OSError as error:
            raise open_error(error, str(self._folder), ()) from None
        self._images = sorted((p for p in files if p.suffix.lower() in IMAGES), key=_natural)
        self._next = 0
        if not self._images:
            raise source_error(Cause.NO_VIDEO, str(self._folder), "there are no images in this folder")
        return StreamInfo("raw", "software", "file")

    def read(self) -> Arrival | None:
        """Return the next image, or None after the last."""
        if self._next >= len(self._images):
            return None
        self._next += 1
        return Arrival(0, key=True, stamp=(self._next - 1) / self._fps, broken=False)

    def decode(self, arrival: Arrival) -> Decoded:
        """Read the image; one that cannot be read is damage."""
        bgr = cv2.imread(str(self._images[self._next - 1]), cv2.IMREAD_COLOR)
        if bgr is None:
            return Decoded(broken=True)
        return Decoded([Shot(ArrayPicture(np.asarray(bgr, np.uint8)), arrival.stamp, key=True)])

    def camera_clock(self, _arrival: Arrival) -> float | None:
        """It has none."""
        return None

    def drain(self) -> Decoded:
        """Images hold nothing back."""
        return Decoded()

    def close(self) -> None:
        """Forget the list."""
        self._images = []


def _natural(path: Path) -> list[tuple[int, str]]:
    """Return a key that sorts numbers by value."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", path.name)]


def duration_s(path: Path) -> float | None:
    """Return how long a recording plays, s, where it says so; for progress only."""
    try:
        with av.open(str(path)) as container:
            return None if container.duration is None else float(container.duration) / av.time_base
    except (av.FFmpegError, OSError):
        return None
