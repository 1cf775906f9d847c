"""Hands packets from a capture to the live view without either waiting for the other.

Packets are kept in groups that begin at key frames, each of which knows the next. The capture thread holds the newest
alone, so that a viewer's first picture need not wait for a key frame; what no reader holds any more is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from surveil.capture.packets import StoredPacket

_MOST_BYTES = 8 << 20
"""Of one group: no viewer is given more at once, and an endless group is not kept."""


class _Group:
    """Packets from a key frame on. Grows until it has a `next`, and never changes afterwards."""

    __slots__ = ("connects", "next", "packets", "size")

    def __init__(self, *, connects: bool = False) -> None:
        self.connects = connects
        """A connection begins with it."""
        self.packets: list[StoredPacket] = []
        self.size = 0
        self.next: _Group | None = None


def _nobody() -> None:
    """Wake no thread."""


class PacketTap:
    """One stream's packets for the live view. `append` and `restart` belong to the capture thread."""

    def __init__(self) -> None:
        self.wake: Callable[[], None] = _nobody
        """Called after every packet; set by the reader."""
        self._newest = _Group()

    def append(self, packet: StoredPacket) -> None:
        """Take a packet."""
        if packet.key or self._newest.size > _MOST_BYTES:
            self._begin(_Group())
        self._newest.packets.append(packet)
        self._newest.size += len(packet.data)
        self.wake()

    def restart(self) -> None:
        """Begin a new connection."""
        self._begin(_Group(connects=True))

    def _begin(self, group: _Group) -> None:
        # The old group is finished before anybody can see that it is.
        self._newest.next, self._newest = group, group

    def reader(self) -> PacketReader:
        """Return what reads from the last key frame on. Any thread may ask."""
        return PacketReader(self._newest)

    def stop_waking(self) -> None:
        """End reading."""
        self.wake = _nobody


class PacketReader:
    """Reads packets in their order, each once. Owned by one thread."""

    def __init__(self, group: _Group) -> None:
        self._group = group
        self._at = 0

    def take(self) -> Iterator[StoredPacket | None]:
        """Yield what has come since the last time; None where a connection begins."""
        while True:
            # Looked at first: what has a next has all of its packets.
            group, following = self._group, self._group.next
            while self._at < len(group.packets):
                self._at += 1
                yield group.packets[self._at - 1]
            if following is None:
                return
            self._group, self._at = following, 0
            if following.connects:
                yield None
