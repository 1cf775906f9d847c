"""Fragmented MP4 with one track of H.264 or H.265 (ISO/IEC 14496-12 and -15). Pure.

FFmpeg's muxer holds each picture back until the next one comes, begins at 0 whatever the stamps, and takes a thread
or a pipe to get its bytes out; a fragment of one picture is a hundred bytes of headers.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from surveil.capture.orientation import matrix
from surveil.capture.stamps import TIMESCALE

_TRACK = 1
_DATA_OFFSET = 112
"""From the beginning of `moof` to the data: `moof` has 104 bytes, the head of `mdat` has 8."""
_BASE_IS_MOOF = 0x020000
_VERSION_1 = 0x01000000
_RUN = 0x000F01
"""`trun` has a data offset, and for its sample duration, size, flags and composition offset."""
_SYNC, _DEPENDENT = 0x02000000, 0x01010000
"""Flags of a sample that needs no other, and of one that does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTrack:
    """What a header says of the pictures."""

    format: bytes
    """Name of the sample entry: `avc1` or `hvc1`."""
    configuration: bytes
    """The box `avcC` or `hvcC`."""
    width: int
    height: int
    aspect: tuple[int, int] = (1, 1)
    """Width and height of a pixel."""
    rotate: int = 0
    """Degrees clockwise by which players turn the picture."""


def box(kind: bytes, *parts: bytes) -> bytes:
    """Return a box."""
    return struct.pack(">I4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)


def _full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def header(track: VideoTrack) -> bytes:
    """Return what goes before all fragments: `ftyp` and `moov`."""
    return box(b"ftyp", b"iso6", bytes(4), b"iso6iso5mp41") + box(
        b"moov",
        _full(b"mvhd", 0, 0, struct.pack(">4IIH10x", 0, 0, TIMESCALE, 0, 0x10000, 0x100), matrix(0, 0, 0),
              bytes(24), struct.pack(">I", _TRACK + 1)),
        _trak(track),
        box(b"mvex", _full(b"trex", 0, 0, struct.pack(">5I", _TRACK, 1, 0, 0, 0))),
    )  # fmt: skip


def _trak(track: VideoTrack) -> bytes:
    shown_width = track.width * track.aspect[0] // track.aspect[1]
    head = _full(
        b"tkhd", 0, 3, struct.pack(">5I8x4H", 0, 0, _TRACK, 0, 0, 0, 0, 0, 0),
        matrix(track.rotate, shown_width, track.height),
        struct.pack(">2I", shown_width << 16, track.height << 16),
    )  # fmt: skip
    tables = (_full(kind, 0, 0, bytes(4)) for kind in (b"stts", b"stsc"))
    samples = box(
        b"stbl",
        _full(b"stsd", 0, 0, struct.pack(">I", 1), _sample_entry(track)),
        *tables,
        _full(b"stsz", 0, 0, bytes(8)),
        _full(b"stco", 0, 0, bytes(4)),
    )
    here = box(b"dinf", _full(b"dref", 0, 0, struct.pack(">I", 1), _full(b"url ", 0, 1)))
    media = box(
        b"mdia",
        _full(b"mdhd", 0, 0, struct.pack(">4IHH", 0, 0, TIMESCALE, 0, 0x55C4, 0)),
        _full(b"hdlr", 0, 0, bytes(4), b"vide", bytes(12), b"\0"),
        box(b"minf", _full(b"vmhd", 0, 1, bytes(8)), here, samples),
    )
    return box(b"trak", head, media)


def _sample_entry(track: VideoTrack) -> bytes:
    fields = struct.pack(
        ">6xH16xHHIIIH32xHh", 1, track.width, track.height, 0x480000, 0x480000, 0, 1, 0x18, -1
    )
    return box(track.format, fields, track.configuration, box(b"pasp", struct.pack(">2I", *track.aspect)))


_HEAD = struct.Struct(">I4s I4sII I4s I4sII I4sIQ I4sIIIIIIi I4s")
"""Of a fragment: `moof` with `mfhd` and `traf` (`tfhd`, `tfdt`, `trun`), and the head of `mdat`."""


def fragment(number: int, start: int, duration: int, offset: int, data: bytes, *, key: bool) -> bytes:
    """Return `moof` and `mdat` of one picture; times in ticks, `offset` from decoding to showing it."""
    flags = _SYNC if key else _DEPENDENT
    head = _HEAD.pack(
        104, b"moof",
        16, b"mfhd", 0, number & 0xFFFFFFFF,
        80, b"traf",
        16, b"tfhd", _BASE_IS_MOOF, _TRACK,
        20, b"tfdt", _VERSION_1, start,
        36, b"trun", _VERSION_1 | _RUN, 1, _DATA_OFFSET, duration, len(data), flags, offset,
        8 + len(data), b"mdat",
    )  # fmt: skip
    return head + data
