"""Decoded pictures, converted only when and as far as they are used.

Measured on a 1080p frame, one thread: luma at 320x180 0.12 ms (whole-plane INTER_AREA 0.7, and 3.7 when
the ratio is no integer), a 640x640 crop to 320x320 RGB 0.2 ms (whole picture to BGR first: 2.5 ms).
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from surveil.types import Bytes

_Plane = NDArray[Any]
"""uint8 or uint16 (height, width)."""

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
"""Of malloc.h."""
_MOST_SCRATCH = 3 << 20
"""Bytes that a thread keeps for converting crops: enough for a model of 640×640."""
_STRIDED_FROM = 4
"""From this reduction on, every second row is left out: the area average still sees enough of them."""


class _Scratch(threading.local):
    """Memory of one thread, which its next picture overwrites.

    glibc maps what is as large as a plane of a crop anew each time: two thirds of a crop's conversion were page faults.
    """

    def __init__(self) -> None:
        self._bytes = np.empty(0, np.uint8)

    def arrays(self, width: int, height: int, channels: Sequence[int]) -> list[Bytes | None]:
        """Return an array (height, width, c) for each number of channels; None where they would be kept for ever."""
        sizes = [height * width * c for c in channels]
        if sum(sizes) > _MOST_SCRATCH:
            return [None] * len(sizes)
        if self._bytes.size < sum(sizes):
            self._bytes = np.empty(sum(sizes), np.uint8)
        ends = list(accumulate(sizes))
        parts = (self._bytes[end - size : end] for size, end in zip(sizes, ends, strict=True))
        return [part.reshape(height, width, c) for part, c in zip(parts, channels, strict=True)]


_scratch = _Scratch()


def shrink(plane: _Plane, width: int, height: int, into: Bytes | None = None) -> _Plane:
    """Scale to (height, width) with area averaging; where that takes any work, `into` may be used.

    OpenCV is fast at area averaging by whole numbers only (0.7 against 3.7 ms), so that is done first
    and the remaining factor below two is linear.
    """
    h, w = plane.shape[:2]
    kx, ky = w // width, h // height
    if kx >= 2 and ky >= 2:
        rows = 2 if ky >= _STRIDED_FROM and ky % 2 == 0 else 1
        part = plane[: h // ky * ky : rows, : w // kx * kx]
        size = (w // kx, h // ky)
        last = into if size == (width, height) else None
        plane = cv2.resize(part, size, dst=last, interpolation=cv2.INTER_AREA)
    if plane.shape[:2] == (height, width):
        return plane
    return cv2.resize(plane, (width, height), dst=into, interpolation=cv2.INTER_LINEAR)


def thumbnail(plane: _Plane, width: int, height: int) -> _Plane:
    """Scale to (height, width), for measuring: means of a part of the pixels where the factor is even.

    OpenCV's area average is fast for 2 by 2 alone. So two rows of each output row are taken and halved, and
    the rest of the width is a running mean of which every nth value is kept: a quarter of the time that
    the area average of half of the rows takes.
    """
    k = plane.shape[1] // width
    if k < _STRIDED_FROM or k % 2 or (plane.shape[1] // k, plane.shape[0] // k) != (width, height):
        return shrink(plane, width, height)
    m = k // 2
    rows = plane[(m - 1) // 2 : k * height : m, : k * width]  # those around the middle of the two halves
    half = cv2.resize(rows, (width * m, height), interpolation=cv2.INTER_AREA)
    if m == 2:  # half-way between two pixels, linear is their mean
        return cv2.resize(half, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(cv2.blur(half, (m, 1))[:, m // 2 :: m])


class ArrayPicture:
    """A picture that is already uint8 BGR (height, width, 3): webcams and image files."""

    __slots__ = ("_bgr",)

    def __init__(self, bgr: Bytes) -> None:
        self._bgr = bgr
        bgr.setflags(write=False)

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self._bgr.shape[1])

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self._bgr.shape[0])

    def luma(self, width: int, height: int) -> Bytes:
        """Brightness scaled to uint8 (height, width)."""
        small = thumbnail(self._bgr, width, height)
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY))

    def rgb(self, box: tuple[int, int, int, int], width: int, height: int) -> Bytes:
        """The part x1 y1 x2 y2 (pixels) scaled to uint8 RGB (height, width, 3)."""
        x1, y1, x2, y2 = box
        return np.asarray(cv2.cvtColor(shrink(self._bgr[y1:y2, x1:x2], width, height), cv2.COLOR_BGR2RGB))

    def bgr(self) -> Bytes:
        """The whole picture as uint8 BGR (height, width, 3); read-only."""
        return self._bgr


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a pixel format lies in memory."""

    chroma: tuple[int, int] | None
    """Horizontal and vertical subsampling; None: no colour."""
    interleaved: bool = False
    bits: int = 8
    shift: int = 0
    """Low bits that are padding (p010)."""


_LAYOUTS = {
    "yuv420p": _Layout((2, 2)),
    "yuvj420p": _Layout((2, 2)),
    "yuv422p": _Layout((2, 1)),
    "yuvj422p": _Layout((2, 1)),
    "yuv444p": _Layout((1, 1)),
    "yuvj444p": _Layout((1, 1)),
    "nv12": _Layout((2, 2), interleaved=True),
    "gray": _Layout(None),
    "yuv420p10le": _Layout((2, 2), bits=10),
    "yuv422p10le": _Layout((2, 1), bits=10),
    "yuv444p10le": _Layout((1, 1), bits=10),
    "gray10le": _Layout(None, bits=10),
    "p010le": _Layout((2, 2), interleaved=True, bits=10, shift=6),
}
_BT709, _FULL_RANGE = 1, 2
"""AVCOL_SPC_BT709 and AVCOL_RANGE_JPEG of libavutil/pixfmt.h."""
_HD_HEIGHT = 720
"""Pictures that do not say so are BT.709 from this height on (ITU-R BT.709; what players assume)."""


def _matrix(*, hd: bool, full: bool) -> NDArray[np.float32]:
    """Return the 3 by 4 matrix from Y U V to R G B, 8 bit (ITU-R BT.601 and BT.709, section 3)."""
    kr, kb = (0.2126, 0.0722) if hd else (0.299, 0.114)
    kg = 1 - kr - kb
    y, c, low = (1.0, 1.0, 0) if full else (255 / 219, 255 / 224, 16)
    rows = np.array(
        [
            [y, 0, 2 * (1 - kr) * c],
            [y, -2 * (1 - kb) * kb / kg * c, -2 * (1 - kr) * kr / kg * c],
            [y, 2 * (1 - kb) * c, 0],
        ]
    )
    offset = -rows @ np.array([low, 128, 128])
    return np.hstack([rows, offset[:, None]]).astype(np.float32)


_MATRICES = {(hd, full): _matrix(hd=hd, full=full) for hd in (False, True) for full in (False, True)}


def _view(plane: Any, rows: int, columns: int, item: Any) -> _Plane:
    """Return a decoder's plane without copying it."""
    pitch = plane.line_size // np.dtype(item).itemsize
    return np.frombuffer(plane, item).reshape(-1, pitch)[:rows, :columns]


class AvPicture:
    """A `av.VideoFrame` in main memory: its planes are read in place, and converted only when asked for."""

    __slots__ = ("_frame", "_layout", "height", "width")

    def __init__(self, frame: Any) -> None:
        layout = _LAYOUTS.get(frame.format.name)
        if layout is None:  # rare (RGB cameras, PNG): one conversion, and simple code
            frame = frame.reformat(format="yuv444p" if frame.format.is_rgb else "yuv420p")
            layout = _LAYOUTS[frame.format.name]
        self._frame = frame
        self._layout = layout
        self.width: int = frame.width
        self.height: int = frame.height

    def luma(self, width: int, height: int) -> Bytes:
        """Brightness scaled to uint8 (height, width), stretched to 0..255 if the video has limited range."""
        small = self._eight_bits(thumbnail(self._luma_plane(), width, height))
        if self._is_full_range():
            return small
        # Limited range is 16..235; OpenCV rounds, and clips to 0..255.
        return np.asarray(cv2.addWeighted(small, 255 / 219, small, 0.0, -16 * 255 / 219), np.uint8)

    def rgb(self, box: tuple[int, int, int, int], width: int, height: int) -> Bytes:
        """The part x1 y1 x2 y2 (pixels) scaled to uint8 RGB (height, width, 3)."""
        return np.asarray(cv2.transform(self._yuv(box, width, height), self._colours()))

    def bgr(self) -> Bytes:
        """The whole picture as uint8 BGR (height, width, 3)."""
        yuv = self._yuv((0, 0, self.width, self.height), self.width, self.height)
        return np.asarray(cv2.transform(yuv, self._colours()[::-1]))

    def _yuv(self, box: tuple[int, int, int, int], width: int, height: int) -> Bytes:
        """Scale each plane by itself: cheaper than converting first, and as good. The next call may overwrite it."""
        x1, y1, x2, y2 = box
        chroma = [2] if self._layout.interleaved else [1, 1]
        for_luma, *for_colour, for_all = _scratch.arrays(width, height, [1, *chroma, 3])
        luma = self._eight_bits(shrink(self._luma_plane()[y1:y2, x1:x2], width, height, for_luma))
        if self._layout.chroma is None:
            grey = np.full_like(luma, 128)
            return np.asarray(cv2.merge([luma, grey, grey], dst=for_all))
        sx, sy = self._layout.chroma
        across, down = slice(x1 // sx, -(-x2 // sx)), slice(y1 // sy, -(-y2 // sy))
        planes = zip(self._chroma_planes(), for_colour, strict=True)
        colour = [self._eight_bits(shrink(p[down, across], width, height, part)) for p, part in planes]
        return np.asarray(cv2.merge([luma, *colour], dst=for_all))

    def _luma_plane(self) -> _Plane:
        return _view(self._frame.planes[0], self.height, self.width, self._item())

    def _chroma_planes(self) -> list[_Plane]:
        assert self._layout.chroma is not None
        sx, sy = self._layout.chroma
        rows, columns = -(-self.height // sy), -(-self.width // sx)
        if self._layout.interleaved:
            pairs = _view(self._frame.planes[1], rows, 2 * columns, self._item())
            return [pairs.reshape(rows, columns, 2)]
        return [_view(self._frame.planes[i], rows, columns, self._item()) for i in (1, 2)]

    def _item(self) -> type[np.uint8 | np.uint16]:
        return np.uint8 if self._layout.bits == 8 else np.uint16

    def _eight_bits(self, plane: _Plane) -> Bytes:
        if self._layout.bits == 8:
            return plane
        scale = 1 / (1 << (self._layout.bits - 8 + self._layout.shift))
        return np.asarray(cv2.convertScaleAbs(plane, alpha=scale))

    def _is_full_range(self) -> bool:
        """Whether black is 0; grey formats and the old `yuvj` ones say so by their name."""
        return bool(
            self._frame.color_range == _FULL_RANGE or self._frame.format.name.startswith(("yuvj", "gray"))
        )

    def _colours(self) -> NDArray[np.float32]:
        space = self._frame.colorspace
        hd = space == _BT709 if space in (_BT709, 4, 5, 6) else self.height >= _HD_HEIGHT
        return _MATRICES[hd, self._is_full_range()]


def give_back() -> None:
    """Have glibc return what it keeps of freed pictures; nothing elsewhere.

    Decoders allocate pictures of megabytes between small things that stay, so the heap grows by some
    100 KB a reconnect of 1080p although nothing leaks (bytes in use stand still). Takes about a millisecond.
    """
    if (trim := _glibc("malloc_trim")) is not None:
        trim(0)


def keep_heap_small() -> None:
    """Have glibc map blocks as large as a crop apart, and small ones lie in one heap; nothing elsewhere.

    By itself it stops mapping blocks of a size as soon as one is freed, and each thread gets a heap: then holes that
    nobody uses come and go by 20 MB (one camera of 720p). At 64 KB the planes of the motion gate are still on the heap:
    to map those costs 4 % CPU. See mallopt(3).
    """
    if (mallopt := _glibc("mallopt")) is not None:
        mallopt(_M_MMAP_THRESHOLD, 64 << 10)
        mallopt(_M_ARENA_MAX, 1)


@cache
def _glibc(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None)
