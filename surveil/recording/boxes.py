"""Finds the complete part of a fragmented MP4 and its duration (ISO/IEC 14496-12). Reads headers only."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from surveil.capture.stamps import TIMESCALE

_HEAD = struct.Struct(">I4s")
_MOST_HEADER = 1 << 20
"""Bytes of `moov` or `moof`; more is damage."""
_DURATION, _SIZE, _FLAGS, _OFFSET = 0x100, 0x200, 0x400, 0x800
"""Which fields each sample of a `trun` has (8.8.8)."""
_DATA_OFFSET, _FIRST_FLAGS = 0x1, 0x4
_BASE_OFFSET, _DESCRIPTION, _DEFAULT_DURATION = 0x1, 0x2, 0x8
"""Which fields a `tfhd` has (8.8.7)."""


@dataclass(frozen=True, slots=True)
class Extent:
    """The whole part of a file."""

    bytes: int
    """Up to the end of the last whole fragment; 0 where not even the header is whole."""
    seconds: float
    fragments: int


class _Box(NamedTuple):
    kind: bytes
    start: int
    end: int


def extent(path: Path) -> Extent:
    """Return how much of a file is whole. Raises OSError where it cannot be read."""
    with path.open("rb") as file:
        return _extent(file, os.fstat(file.fileno()).st_size)


def _extent(file: BinaryIO, size: int) -> Extent:
    whole = ticks = fragments = 0
    pending: int | None = None
    for box in _boxes(file, size):
        if box.kind == b"moof":
            pending = _end_of(file, box)
            if pending is None:
                break
        elif box.kind == b"mdat":
            if pending is None:
                break
            whole, ticks, pending, fragments = box.end, pending, None, fragments + 1
        elif box.kind in {b"ftyp", b"moov"} and not fragments:
            whole = box.end if box.kind == b"moov" else 0
        else:
            break
    return Extent(whole, ticks / TIMESCALE, fragments)


def _boxes(file: BinaryIO, size: int) -> Iterator[_Box]:
    """Yield the boxes that end within the file."""
    at = 0
    while at + _HEAD.size <= size:
        file.seek(at)
        length, kind = _HEAD.unpack(file.read(_HEAD.size))
        if length < _HEAD.size or at + length > size:
            return
        yield _Box(kind, at, at + length)
        at += length


def _end_of(file: BinaryIO, moof: _Box) -> int | None:
    """Return when a fragment ends, in ticks; None where its header makes no sense."""
    if moof.end - moof.start > _MOST_HEADER:
        return None
    file.seek(moof.start)
    data = file.read(moof.end - moof.start)
    try:
        return _decode_time(data) + _duration(data)
    except (struct.error, ValueError):
        return None


def _decode_time(data: bytes) -> int:
    at = data.index(b"tfdt") + 4
    return int(struct.unpack_from(">Q" if data[at] else ">I", data, at + 4)[0])


def _duration(data: bytes) -> int:
    """Return the ticks that the samples of a fragment last."""
    at = data.index(b"trun") + 4
    flags, count = struct.unpack_from(">II", data, at)
    at += 8 + 4 * bool(flags & _DATA_OFFSET) + 4 * bool(flags & _FIRST_FLAGS)
    if not flags & _DURATION:
        return int(count) * _default_duration(data)
    step = 4 * sum(bool(flags & field) for field in (_DURATION, _SIZE, _FLAGS, _OFFSET))
    return sum(struct.unpack_from(">I", data, at + i * step)[0] for i in range(count))


def _default_duration(data: bytes) -> int:
    at = data.index(b"tfhd") + 4
    flags = int.from_bytes(data[at + 1 : at + 4], "big")
    if not flags & _DEFAULT_DURATION:
        raise ValueError("samples without a duration")
    skipped = 8 * bool(flags & _BASE_OFFSET) + 4 * bool(flags & _DESCRIPTION)
    return int(struct.unpack_from(">I", data, at + 8 + skipped)[0])
