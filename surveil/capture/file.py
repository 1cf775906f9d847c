"""Recordings: video files by PyAV and folders of images by OpenCV. Deterministic: time is in the file."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from surveil.capture.avsource import AvSource
from surveil.capture.causes import open_error, source_error
from surveil.capture.decoder import check_shape
from surveil.capture.orientation import orientation
from surveil.capture.picture import ArrayPicture
from surveil.capture.settings import StreamSettings
from surveil.capture.source import Arrival, Decoded, Shot, StreamInfo
from surveil.errors import Cause

IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm"}


_HOPELESS_PACKETS = 25
"""So many packets in a row that cannot be decoded are no damage that passes, nor held back by the decoder."""
_TS_PACKET = 188


class FileSource(AvSource):
    """A video file, read as fast as it is taken.

    A transport stream may be several put together, of which a later one has another codec: FFmpeg keeps the
    decoder it began with. So where nothing can be decoded any more, the file is opened again from there on.
    """

    live = False

    def __init__(self, settings: StreamSettings) -> None:
        super().__init__(settings)
        self._began = 0
        """Byte of the file at which the container begins."""
        self._bad = self._mute = 0
        """Packets in a row that could not be decoded; that gave no picture: not every decoder complains."""
        self._rest: Rest | None = None
        self._good = 0
        """Byte of the file at which the last one that could be decoded begins."""

    def read(self) -> Arrival | None:
        """Return the next packet. Raises SourceError (damaged) when the end could not be decoded."""
        arrival = super().read()
        is_hopeless = self._mute >= _HOPELESS_PACKETS
        if is_hopeless or (self._bad and arrival is None):
            if self._begin_again():
                return super().read()
            if arrival is None and is_hopeless:
                words = f"the last {self._mute} pictures cannot be decoded: it is damaged, or cut off"
                raise source_error(Cause.DAMAGED, self._url, words)
        return arrival

    def decode(self, arrival: Arrival) -> Decoded:
        """Decode the packet, and remember from where on that has failed."""
        position = arrival.packet.pos
        decoded = super().decode(arrival)
        if decoded.shots:
            self._bad = self._mute = 0
            self._good = self._good if position is None else self._began + position
        else:
            self._bad, self._mute = self._bad + decoded.broken, self._mute + 1
        return decoded

    def _begin_again(self) -> bool:
        """Open the file from where it went wrong; return whether there is anything to be hoped for."""
        if self._container.format.name != "mpegts" or self._good <= self._began:
            return False
        self.close()
        self._began = self._good // _TS_PACKET * _TS_PACKET
        self._bad = self._mute = 0
        self.open()
        return True

    def _av_open(self, **arguments: Any) -> Any:
        if not self._began:
            return super()._av_open(**arguments)
        self._rest = Rest(Path(self._url), self._began)
        return av.open(self._rest, **arguments)

    def close(self) -> None:
        """Close the container and its file."""
        super().close()
        rest, self._rest = self._rest, None
        if rest is not None:
            rest.close()

    def _ended(self) -> None:
        """Take the end as it is; a file without a single picture is none (the loop says so)."""


class Rest:
    """A file from one of its bytes on, as PyAV reads it. The caller that makes it closes it."""

    def __init__(self, path: Path, began: int) -> None:
        self._file = path.open("rb")
        self._began = began
        self._file.seek(began)

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a byte."""
        at = self._file.seek(offset + self._began if whence == os.SEEK_SET else offset, whence)
        return at - self._began

    def tell(self) -> int:
        """Return the byte to read next."""
        return self._file.tell() - self._began

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class FolderSource:
    """A folder of images in natural order (`frame2` before `frame10`), `settings.fps` a second."""

    live = False

    def __init__(self, settings: StreamSettings) -> None:
        self._folder = Path(settings.url)
        self._fps = settings.fps
        self._shown = orientation(settings.rotate, None)
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
        return StreamInfo(codec="raw", decoder="software", transport="file")

    def read(self) -> Arrival | None:
        """Return the next image, or None after the last."""
        if self._next >= len(self._images):
            return None
        self._next += 1
        return Arrival(0, key=True, stamp=(self._next - 1) / self._fps, broken=False)

    def decode(self, arrival: Arrival) -> Decoded:
        """Read the image; one that cannot be read is damage. Raises SourceError (unsupported)."""
        path = str(self._images[self._next - 1])
        bgr = cv2.imread(path, cv2.IMREAD_COLOR)
        if bgr is None:
            return Decoded(broken=True)
        check_shape(bgr.shape[1], bgr.shape[0], path)
        picture = self._shown.apply(ArrayPicture(np.asarray(bgr, np.uint8)))
        return Decoded([Shot(picture, arrival.stamp, key=True)])

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
