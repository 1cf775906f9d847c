"""What a browser needs to know of a stream before its first picture, from its parameter sets. Pure.

Samples in MP4 carry no parameter sets: those stand in the header, and a change of them is a change of header.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from surveil.capture.h264 import Buffer, length_size_of, nal_units, shape
from surveil.capture.orientation import pixel
from surveil.console.live.mp4 import VideoTrack, box

_SPS, _PPS = 7, 8
_LEFT_OUT = frozenset({_SPS, _PPS, 9, 12})
"""Kinds of unit that do not go into samples: parameter sets, delimiters, filler of a constant bit rate."""
_MOST_SETS, _MOST_BYTES, _MOST_PX = 32, 1 << 16, 16384
_PLAYED = frozenset({66, 77, 88, 100})
"""Profiles with 8 bits and 4:2:0: baseline, main, extended, high."""


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """Of an H.264 stream: one sequence parameter set, and picture parameter sets."""

    sequence: bytes = b""
    pictures: tuple[bytes, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether there is all that a decoder needs."""
        sizes = [len(self.sequence), *map(len, self.pictures)]
        return len(self.sequence) > 3 and 0 < len(self.pictures) < _MOST_SETS and max(sizes) < _MOST_BYTES

    @property
    def is_playable(self) -> bool:
        """Whether browsers play such a stream."""
        return self.sequence[1] in _PLAYED

    @property
    def mime(self) -> str:
        """The type as a browser is asked for it."""
        return f'video/mp4; codecs="avc1.{self.sequence[1:4].hex()}"'

    def track(self, rotate: int = 0) -> VideoTrack | None:
        """Return the track; None where the sequence parameter set is no good."""
        try:
            shown = shape(self.sequence)
        except IndexError:
            return None
        if not (0 < shown.width <= _MOST_PX and 0 < shown.height <= _MOST_PX):
            return None
        return VideoTrack(
            format=b"avc1",
            configuration=self._configuration(),
            width=shown.width,
            height=shown.height,
            aspect=pixel(Fraction(*shown.aspect)).as_integer_ratio(),
            rotate=rotate,
        )

    def _configuration(self) -> bytes:
        """Return `avcC` (ISO/IEC 14496-15, 5.3.3.1)."""
        head = b"\x01" + self.sequence[1:4] + b"\xff\xe1" + _sized(">H", self.sequence)
        sets = bytes([len(self.pictures)]) + b"".join(_sized(">H", one) for one in self.pictures)
        # Chroma and depth of high profiles; what else is there is not played.
        return box(b"avcC", head, sets, b"\xfd\xf8\xf8\0" if self.sequence[1] == 100 else b"")

    def updated(self, units: Iterable[Buffer]) -> ParameterSets:
        """Return the sets after a picture: those in it take the place of those before."""
        sequence, pictures = self.sequence, self.pictures
        fresh: list[bytes] = []
        for unit in units:
            kind = unit[0] & 31
            if kind == _SPS:
                sequence = bytes(unit)
            elif kind == _PPS and bytes(unit) not in fresh:
                fresh.append(bytes(unit))
        same = sequence == self.sequence
        # A camera may repeat one set of several.
        pictures = pictures if same and set(fresh) <= set(pictures) else tuple(fresh) or pictures
        return self if same and pictures == self.pictures else ParameterSets(sequence, pictures)


def sets_of(extradata: bytes) -> ParameterSets:
    """Return the parameter sets of a codec's extra data: with start codes (RTSP), or `avcC` (RTMP, recordings)."""
    if length_size_of(extradata):
        return ParameterSets().updated(_listed(extradata))
    return ParameterSets().updated(units_of(extradata))


def _listed(configuration: bytes) -> Iterator[bytes]:
    at = 5
    for mask in (0x1F, 0xFF):
        count = configuration[at] & mask if at < len(configuration) else 0
        at += 1
        for _ in range(count):
            size = int.from_bytes(configuration[at : at + 2], "big")
            if unit := configuration[at + 2 : at + 2 + size]:
                yield unit
            at += 2 + size


def units_of(data: Buffer, length_size: int = 0) -> list[Buffer]:
    """Return the units of a picture without empty ones, and without zeros that belong to the next start code."""
    found = []
    for unit in nal_units(data, length_size):
        end = len(unit)
        while end and not unit[end - 1]:
            end -= 1
        if end:
            found.append(unit[:end])
    return found


def sample(units: Iterable[Buffer]) -> bytes:
    """Return a picture as it stands in MP4: each unit with its length before it."""
    return b"".join(_sized(">I", unit) for unit in units if unit[0] & 31 not in _LEFT_OUT)


def _sized(size: str, unit: Buffer) -> bytes:
    return struct.pack(size, len(unit)) + bytes(unit)
