"""Hands packets from a capture to the recorder: bounded, without either waiting for the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from surveil.capture.packets import StoredPacket
from surveil.recording.reasons import Gap

MOST_BYTES = 16 << 20
"""Of one camera: half a minute at 4 Mbit/s, for which a disk may not answer."""

Item = StoredPacket | Gap


class RecordTap:
    """One stream's packets for the recorder.

    `append` and `restart` belong to the capture thread, `take` to the recorder's. When it is full it drops packets up
    to the next key frame: what follows a hole cannot be decoded.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._items: deque[Item] = deque()
        # Each counter has one writer, so that no lock is needed.
        self._put = self._taken = 0
        self._is_full = False
        self.dropped = 0
        """Packets that were not taken. Written by the capture thread."""

    def append(self, packet: StoredPacket) -> None:
        """Take a packet, or drop it."""
        has_room = self._put - self._taken + len(packet.data) <= self._most
        if self._is_full and has_room and packet.key:
            self._is_full = False
            self._items.append(Gap.OVERLOAD)
        if self._is_full or not has_room:
            self._is_full = True
            self.dropped += 1
            return
        self._put += len(packet.data)
        self._items.append(packet)

    def restart(self) -> None:
        """Begin a new connection."""
        self._items.append(Gap.CAMERA)

    def take(self) -> Iterator[Item]:
        """Yield what has come since the last time: packets, and why the next one does not continue the last."""
        while self._items:
            item = self._items.popleft()
            if isinstance(item, StoredPacket):
                self._taken += len(item.data)
            yield item
