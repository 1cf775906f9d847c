"""H.264 and H.265 with start codes (Annex B), made from the length-prefixed form of files and RTMP. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from surveil.capture.h264 import length_size_of, nal_units

_HVCC_HEAD = 23
"""Bytes of an `hvcC` box before its parameter sets."""


def lengths_of(codec: str, headers: bytes) -> tuple[int, list[bytes]]:
    """Return the size of the lengths before units, and the parameter sets; 0 where start codes divide the units.

    `headers`: the extra data of the stream.
    """
    if codec == "h264" and (size := length_size_of(headers)):
        return size, _sets_of_avcc(headers)
    if codec == "hevc" and len(headers) >= _HVCC_HEAD and headers[0] == 1:
        return (headers[_HVCC_HEAD - 2] & 3) + 1, _sets_of_hvcc(headers)
    return 0, []


def with_start_codes(data: bytes, length_size: int, sets: Sequence[bytes] = ()) -> bytes:
    """Return a picture with start codes, behind `sets`."""
    return b"".join(b"\0\0\0\1" + bytes(unit) for unit in (*sets, *nal_units(data, length_size)))


def _sets_of_avcc(avcc: bytes) -> list[bytes]:
    """Return the parameter sets of an `avcC` box (ISO/IEC 14496-15, 5.3.3.1)."""
    sequences, at = _listed(avcc, 6, avcc[5] & 0x1F)
    pictures, _ = _listed(avcc, at + 1, avcc[at] if at < len(avcc) else 0)
    return sequences + pictures


def _sets_of_hvcc(hvcc: bytes) -> list[bytes]:
    """Return the parameter sets of an `hvcC` box (ISO/IEC 14496-15, 8.3.3.1)."""
    found, at = list[bytes](), _HVCC_HEAD
    for _ in range(hvcc[_HVCC_HEAD - 1]):
        more, at = _listed(hvcc, at + 3, int.from_bytes(hvcc[at + 1 : at + 3], "big"))
        found += more
    return found


def _listed(box: bytes, at: int, count: int) -> tuple[list[bytes], int]:
    """Return units that each have two bytes of length before them, and where the last one ends."""
    found = []
    for _ in range(count):
        size = int.from_bytes(box[at : at + 2], "big")
        found.append(box[at + 2 : at + 2 + size])
        at += 2 + size
    return found, at
