"""Rotates pictures upright and corrects non-square pixels.

The picture is turned before any analysis: a detector does not find people who lie on their side or are squeezed.
Nothing is converted or copied before it is asked for.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from surveil.types import Bytes, Picture

_SQUARE = 0.02
"""Pixels that are so near to square are."""
_ODDEST = 4
"""No camera has pixels of another shape; what says so is wrong."""

Box = tuple[int, int, int, int]
_HEAD = 4096
"""Files that we write begin with their tracks."""
_TRACK = b"tkhd"
_MATRIX_AT = {0: 44, 1: 56}
"""From the name of the track's header (ISO/IEC 14496-12, 8.3.2) to its matrix, by its version."""
_MATRIX_BYTES = 36
_ONE, _UNIT = 1 << 16, 1 << 30


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a stream's pictures are to be shown."""

    turns: int = 0
    """Quarter turns clockwise."""
    aspect: Fraction = Fraction(1)
    """Width of a pixel over its height, before the turn."""

    def apply(self, picture: Picture) -> Picture:
        """Return the picture as it is to be seen."""
        if self.aspect != 1:
            picture = _StretchedPicture(picture, self.aspect)
        return _TurnedPicture(picture, self.turns) if self.turns else picture


def orientation(degrees: float, aspect: Fraction | None) -> Orientation:
    """Return the orientation for degrees clockwise and a sample aspect ratio, where they can be right."""
    return Orientation(round(degrees / 90) % 4, pixel(aspect))


def pixel(aspect: Fraction | None) -> Fraction:
    """Return the shape of a pixel, where that can be right; else it is square."""
    is_odd = not aspect or not 1 / _ODDEST <= aspect <= _ODDEST or abs(aspect - 1) <= _SQUARE
    return Fraction(1) if is_odd or not aspect else aspect


class _TurnedPicture:
    """A picture turned by quarters."""

    __slots__ = ("_picture", "_turns", "height", "width")

    def __init__(self, picture: Picture, turns: int) -> None:
        self._picture = picture
        self._turns = turns
        self.width, self.height = self._sides(picture.width, picture.height)

    def luma(self, width: int, height: int) -> Bytes:
        """Brightness scaled to uint8 (height, width)."""
        return self._turned(self._picture.luma(*self._sides(width, height)))

    def rgb(self, box: Box, width: int, height: int) -> Bytes:
        """The part x1 y1 x2 y2 (pixels) scaled to uint8 RGB (height, width, 3)."""
        return self._turned(self._picture.rgb(self._before(box), *self._sides(width, height)))

    def bgr(self) -> Bytes:
        """The whole picture as uint8 BGR (height, width, 3)."""
        return self._turned(self._picture.bgr())

    def _sides(self, width: int, height: int) -> tuple[int, int]:
        return (height, width) if self._turns % 2 else (width, height)

    def _before(self, box: Box) -> Box:
        """Return where a box was before the turn."""
        x1, y1, x2, y2 = box
        if self._turns == 1:
            return y1, self.width - x2, y2, self.width - x1
        if self._turns == 2:
            return self.width - x2, self.height - y2, self.width - x1, self.height - y1
        return self.height - y2, x1, self.height - y1, x2

    def _turned(self, pixels: Bytes) -> Bytes:
        return np.ascontiguousarray(np.rot90(pixels, -self._turns))


class _StretchedPicture:
    """A picture whose pixels are not square, with pixels that are; its longer side is the one that grows."""

    __slots__ = ("_picture", "_x", "_y", "height", "width")

    def __init__(self, picture: Picture, aspect: Fraction) -> None:
        self._picture = picture
        self.width = round(picture.width * aspect) if aspect > 1 else picture.width
        self.height = picture.height if aspect > 1 else round(picture.height / aspect)
        self._x = picture.width / self.width
        self._y = picture.height / self.height

    def luma(self, width: int, height: int) -> Bytes:
        """Brightness scaled to uint8 (height, width)."""
        return self._picture.luma(width, height)

    def rgb(self, box: Box, width: int, height: int) -> Bytes:
        """The part x1 y1 x2 y2 (pixels) scaled to uint8 RGB (height, width, 3)."""
        x1, x2 = _scaled(box[0], box[2], self._x, self._picture.width)
        y1, y2 = _scaled(box[1], box[3], self._y, self._picture.height)
        return self._picture.rgb((x1, y1, x2, y2), width, height)

    def bgr(self) -> Bytes:
        """The whole picture as uint8 BGR (height, width, 3)."""
        return np.asarray(cv2.resize(self._picture.bgr(), (self.width, self.height)), np.uint8)


def _scaled(low: int, high: int, scale: float, most: int) -> tuple[int, int]:
    """Return a span in the pixels of the picture, at least one of them."""
    start = min(round(low * scale), most - 1)
    return start, max(start + 1, min(round(high * scale), most))


def turn_mp4(path: Path, degrees: int, width: int, height: int) -> None:
    """Have players turn the one track of an MP4 that begins with its tracks by quarters, degrees clockwise.

    PyAV drops a display matrix where nothing is encoded.
    """
    _set_matrix(path, matrix(degrees, width, height))


def copy_matrix(source: Path, target: Path) -> None:
    """Have players turn `target` as they turn `source`; both begin with their one track."""
    with source.open("rb") as file:
        at = _matrix_at(file)
        file.seek(at or 0)
        found = file.read(_MATRIX_BYTES)
    if at is not None:
        _set_matrix(target, found)


def _set_matrix(path: Path, its: bytes) -> None:
    with path.open("r+b") as file:
        at = _matrix_at(file)
        if at is not None:
            file.seek(at)
            file.write(its)


def _matrix_at(file: BinaryIO) -> int | None:
    """Return where the matrix of the first track is; None where there is no track."""
    head = file.read(_HEAD)
    track = head.find(_TRACK)
    return None if track < 0 else track + _MATRIX_AT[head[track + len(_TRACK)]]


def matrix(degrees: int, width: int, height: int) -> bytes:
    """Return the display matrix of an MP4 track that turns a picture by quarters (ISO/IEC 14496-12, 6.2.2)."""
    a, b, x, y = {
        0: (_ONE, 0, 0, 0),
        90: (0, _ONE, height, 0),
        180: (-_ONE, 0, width, height),
        270: (0, -_ONE, 0, width),
    }[degrees]
    return struct.pack(">9i", a, b, 0, -b, a, 0, x * _ONE, y * _ONE, _UNIT)
