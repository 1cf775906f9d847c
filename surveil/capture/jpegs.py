"""Finds JPEGs in any HTTP wrapping by their own markers, ignoring boundaries and lengths. Pure.

Cameras name a boundary that they do not send, forget the first, leave out types or lengths, or give wrong ones.
"""

from __future__ import annotations

import re

_START = b"\xff\xd8\xff"
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""In coded data: not a stuffed byte, a restart or a fill byte."""
_SCAN, _END = 0xDA, 0xD9
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a length."""
_HEADERS = re.compile(rb"\s*(?:--[^\r\n]*\r?\n)?(?:[\w-]+:[^\r\n]*\r?\n|\r?\n)*", re.ASCII)
MOST_BYTES = 32 << 20
"""No camera's picture is larger: what goes on for longer is none."""


def begins_with_jpeg(head: bytes, content_type: str) -> bool:
    """Whether what a server begins to send is a JPEG, or a row of them with or without headers between."""
    if content_type.startswith(("multipart/", "image/jp", "image/pjpeg")):
        return True
    match = _HEADERS.match(head)
    return head.startswith(_START, match.end() if match else 0)


class JpegCutter:
    """Cuts a stream of bytes into JPEGs."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._at = 0
        """Where in `_data`, which begins with a JPEG, the next marker is looked for; 0: no JPEG has begun."""
        self._in_scan = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the JPEGs that `data` completes. Raises ValueError when one is larger than any camera's."""
        self._data += data
        found = []
        while self._seek_start() and (end := self._find_end()):
            found.append(bytes(self._data[:end]))
            del self._data[:end]
            self._at = 0
        if len(self._data) > MOST_BYTES:
            raise ValueError("a picture does not end")
        return found

    def _seek_start(self) -> bool:
        if self._at:
            return True
        start = self._data.find(_START)
        if start < 0:
            del self._data[: max(0, len(self._data) - len(_START) + 1)]
            return False
        del self._data[:start]
        self._at, self._in_scan = 2, False
        return True

    def _find_end(self) -> int:
        """Return where the JPEG ends; 0 while that has not come."""
        while True:
            if self._in_scan:
                marker = _NEXT_MARKER.search(self._data, self._at)
                if marker is None:
                    self._at = max(2, len(self._data) - 1)
                    return 0
                self._at, self._in_scan = marker.start(), False
            if len(self._data) < self._at + 4:
                return self._at + 2 if self._data[self._at : self._at + 2] == b"\xff\xd9" else 0
            end = self._step()
            if end is not None:
                return end

    def _step(self) -> int | None:
        """Pass over one marker and its segment; return the end of the JPEG, 0 to wait for more, None to go on."""
        kind = self._data[self._at + 1]
        if self._data[self._at] != 0xFF:  # garbage between segments: a decoder looks for the next marker, too
            self._in_scan = True
            return None
        if kind == _END:
            return self._at + 2
        if kind == 0xFF:
            self._at += 1
            return None
        if kind in _ALONE:
            self._at += 2
            return None
        following = self._at + 2 + int.from_bytes(self._data[self._at + 2 : self._at + 4])
        if following > len(self._data):
            return 0
        self._at, self._in_scan = following, kind == _SCAN
        return None
