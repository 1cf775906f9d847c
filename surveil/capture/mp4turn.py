"""Writes into an MP4 how players shall turn it: PyAV drops a display matrix where nothing is encoded."""

from __future__ import annotations

import struct
from pathlib import Path

_HEAD = 4096
"""Fragmented files begin with their tracks."""
_TRACK = b"tkhd"
_MATRIX_AT = {0: 44, 1: 56}
"""From the name of the track's header (ISO/IEC 14496-12, 8.3.2) to its matrix, by its version."""
_ONE, _UNIT = 1 << 16, 1 << 30


def turn_mp4(path: Path, degrees: int, width: int, height: int) -> None:
    """Have players turn the one track of a fragmented MP4 by quarters, degrees clockwise."""
    a, b, x, y = {
        0: (_ONE, 0, 0, 0),
        90: (0, _ONE, height, 0),
        180: (-_ONE, 0, width, height),
        270: (0, -_ONE, 0, width),
    }[degrees]
    with path.open("r+b") as file:
        head = file.read(_HEAD)
        track = head.find(_TRACK)
        if track < 0:
            return
        file.seek(track + _MATRIX_AT[head[track + len(_TRACK)]])
        file.write(struct.pack(">9i", a, b, 0, -b, a, 0, x * _ONE, y * _ONE, _UNIT))
