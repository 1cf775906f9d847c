"""Reads H.264 headers: missing pictures, and pictures at which a player can start. Pure.

FFmpeg does not report pictures that were left out before the RTP layer: with one reference picture it decodes
the rest of the group without a warning. Time stamps do not tell either, since a camera may change its rate
or stamp a picture wrongly. `frame_num` does: it counts reference pictures (ITU-R H.264, 7.4.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_START_CODE = re.compile(rb"\x00\x00\x01")
_SLICE, _IDR, _SPS = 1, 5, 7
_INTRA = (2, 4)
"""Slice types I and SI, modulo 5 (table 7-6)."""
_HEADER_BYTES = 32
"""The part of a slice that has its frame number."""
_WITH_CHROMA = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
"""Profiles whose parameter sets describe chroma and scaling (7.3.2.1.1)."""
_OWN_ASPECT = 255
_ASPECTS = {
    2: (12, 11), 3: (10, 11), 4: (16, 11), 5: (40, 33), 6: (24, 11), 7: (20, 11), 8: (32, 11), 9: (80, 33),
    10: (18, 11), 11: (15, 11), 12: (64, 33), 13: (160, 99), 14: (4, 3), 15: (3, 2), 16: (2, 1),
}  # fmt: skip
"""Shapes of a pixel that have a number (table E-1); all others are square."""
_MOST_IN_A_ROW = 5
"""More gaps in a row than this are an encoder that numbers in another way, and mean nothing."""

Buffer = bytes | memoryview


def nal_units(data: Buffer, length_size: int = 0) -> Iterator[Buffer]:
    """Yield the NAL units of a picture; each has `length_size` bytes of length before it, or a start code."""
    view = memoryview(data)
    if not length_size:
        start = 0
        for match in _START_CODE.finditer(view):
            if start:
                yield view[start : match.start()]
            start = match.end()
        if start:
            yield view[start:]
        return
    at = 0
    while at + length_size < len(view):
        size = int.from_bytes(view[at : at + length_size], "big")
        yield view[at + length_size : at + length_size + size]
        at += length_size + size


def length_size_of(extradata: bytes) -> int:
    """Return the size of the lengths before NAL units (`avcC`); 0 where start codes divide them."""
    return (extradata[4] & 3) + 1 if len(extradata) > 6 and extradata[0] == 1 else 0


def is_idr(data: Buffer, length_size: int = 0) -> bool:
    """Whether any decoder can start here; at a recovery point, only some can."""
    return any(len(unit) and unit[0] & 31 == _IDR for unit in nal_units(data, length_size))


def is_bidirectional(data: Buffer, length_size: int = 0) -> bool:
    """Whether a picture may be made from pictures that are shown after it (slice type B)."""
    for unit in nal_units(data, length_size):
        if len(unit) and unit[0] & 31 in (_SLICE, _IDR):
            bits = _Bits(unit[1:_HEADER_BYTES])
            try:
                bits.unsigned()  # the first macroblock
                return bits.unsigned() % 5 == 1
            except IndexError:
                return False
    return False


class _Bits:
    """Reads bits and Exp-Golomb numbers (9.1). Raises IndexError at the end."""

    def __init__(self, data: Buffer) -> None:
        self._data = bytes(data).replace(b"\0\0\3", b"\0\0")
        self._at = 0

    def bits(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1
            self._at += 1
        return value

    def unsigned(self) -> int:
        zeros = 0
        while not self.bits(1):
            zeros += 1
        return (1 << zeros) - 1 + self.bits(zeros)

    def signed(self) -> int:
        value = self.unsigned()
        return (value + 1) // 2 if value & 1 else -(value // 2)


@dataclass(frozen=True, slots=True)
class _Numbering:
    """How a stream numbers its pictures."""

    bits: int
    has_planes: bool
    """Slices name a colour plane before the number."""
    may_skip: bool
    """Numbers may be left out on purpose (temporal layers)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a stream's pictures are to be shown."""

    width: int
    height: int
    aspect: tuple[int, int] = (1, 1)
    """Width and height of a pixel."""


def shape(sps: Buffer) -> Shape:
    """Return the shape that a sequence parameter set describes (7.3.2.1.1). Raises IndexError where it is cut off."""
    bits = _Bits(sps[1:256])
    _skip_to_numbering(bits)
    _numbers(bits)
    columns, rows = bits.unsigned() + 1, bits.unsigned() + 1
    fields = 1 if bits.bits(1) else 2
    bits.bits(1 if fields == 1 else 2)
    left, right, top, bottom = (bits.unsigned() for _ in range(4)) if bits.bits(1) else (0, 0, 0, 0)
    # Chroma other than 4:2:0 crops in other units; no camera's browser plays it.
    width = 16 * columns - 2 * (left + right)
    height = 16 * rows * fields - 2 * fields * (top + bottom)
    return Shape(width, height, _aspect(bits) if bits.bits(1) and bits.bits(1) else (1, 1))


def _aspect(bits: _Bits) -> tuple[int, int]:
    kind = bits.bits(8)
    across, down = (bits.bits(16), bits.bits(16)) if kind == _OWN_ASPECT else _ASPECTS.get(kind, (1, 1))
    return (across, down) if across and down else (1, 1)


def _numbering(sps: Buffer) -> _Numbering:
    bits = _Bits(sps[1:256])
    has_planes = _skip_to_numbering(bits)
    size, may_skip = _numbers(bits)
    return _Numbering(size, has_planes, may_skip)


def _skip_to_numbering(bits: _Bits) -> bool:
    """Read past profile and chroma; return whether colour planes are coded apart."""
    profile = bits.bits(24) >> 16
    bits.unsigned()
    return profile in _WITH_CHROMA and _skip_chroma(bits)


def _numbers(bits: _Bits) -> tuple[int, bool]:
    """Return the bits of a picture's number, and whether numbers may be left out."""
    size = bits.unsigned() + 4
    order = bits.unsigned()
    if order == 0:
        bits.unsigned()
    elif order == 1:
        bits.bits(1)
        bits.signed()
        bits.signed()
        for _ in range(bits.unsigned()):
            bits.signed()
    bits.unsigned()
    return size, bits.bits(1) == 1


def _skip_chroma(bits: _Bits) -> bool:
    """Read past what high profiles add; return whether colour planes are coded apart."""
    chroma = bits.unsigned()
    has_planes = chroma == 3 and bits.bits(1) == 1
    bits.unsigned()
    bits.unsigned()
    bits.bits(1)
    if bits.bits(1):
        for i in range(12 if chroma == 3 else 8):
            if bits.bits(1):
                _skip_scaling(bits, 16 if i < 6 else 64)
    return has_planes


def _skip_scaling(bits: _Bits, count: int) -> None:
    last = following = 8
    for _ in range(count):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


class SliceHeaders:
    """Follows the pictures of one connection by what their slices say."""

    def __init__(self, extradata: bytes = b"") -> None:
        self._length_size = length_size_of(extradata)
        self._sps = b""
        self._numbering: _Numbering | None = None
        self._last: int | None = None
        self._in_a_row = 0
        self.is_intra = True
        """The last picture is made from no other. One with intra refresh is, though a decoder may start there."""
        if self._length_size:
            self._learn(extradata[8:])
        else:
            for unit in nal_units(extradata):
                self._learn(unit)

    def update(self, data: Buffer) -> bool:
        """Return whether pictures that this one is made from never came."""
        for unit in nal_units(data, self._length_size):
            kind = unit[0] & 31 if len(unit) else 0
            if kind == _SPS:
                self._learn(unit)
            elif kind in (_SLICE, _IDR):
                return self._follow(unit, is_idr=kind == _IDR)
        return False

    def _learn(self, unit: Buffer) -> None:
        if not len(unit) or unit[0] & 31 != _SPS or bytes(unit) == self._sps:
            return
        self._sps = bytes(unit)
        try:
            self._numbering = _numbering(unit)
        except IndexError:
            self._numbering = None

    def _follow(self, unit: Buffer, *, is_idr: bool) -> bool:
        numbering = self._numbering
        self.is_intra = True
        if numbering is None:
            return False
        try:
            self.is_intra, number = self._read(unit, numbering)
        except IndexError:
            return False
        if numbering.may_skip or self._in_a_row > _MOST_IN_A_ROW:
            return False
        last, size = self._last, 1 << numbering.bits
        gap = not is_idr and last is not None and (number - last) % size > 1
        if unit[0] >> 5 & 3 or is_idr:
            self._last = number
        elif gap:  # nothing is made from this one, which has the number of the next
            self._last = (number - 1) % size
        self._in_a_row = self._in_a_row + 1 if gap else 0
        return gap

    @staticmethod
    def _read(unit: Buffer, numbering: _Numbering) -> tuple[bool, int]:
        """Return whether the slice is intra, and the number of the picture."""
        bits = _Bits(unit[1:_HEADER_BYTES])
        bits.unsigned()  # the first macroblock
        kind = bits.unsigned() % 5
        bits.unsigned()  # the parameter set
        bits.bits(2 if numbering.has_planes else 0)
        return kind in _INTRA, bits.bits(numbering.bits)
