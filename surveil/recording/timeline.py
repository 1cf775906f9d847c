"""The media time of one recording: by the camera's time stamps, or by arrival if those are useless. Pure."""

from __future__ import annotations

from typing import NamedTuple

from surveil.capture.packets import StoredPacket
from surveil.capture.stamps import TIMESCALE, offset, stamp

_FIRST = TIMESCALE // 15
"""What a picture lasts when nothing is known yet."""
_LONGEST = 5 * TIMESCALE
"""A longer step of the stamps is a jump."""
_WINDOW = 50
"""Packets after which the stamps are judged: what is late for so long is no jitter of the network."""
_SLOW, _FAST = TIMESCALE, -5 * TIMESCALE
"""How far stamps may stay behind arrival, and before it: cameras send what they have kept in a burst."""


class Place(NamedTuple):
    """Where a picture stands, in ticks of 1/90000 s from the beginning."""

    start: int
    """When it is decoded."""
    shown: int
    duration: int
    """As far as it is known before the next one comes."""


class MediaLine:
    """Gives the packets of one recording, in decoding order, their places."""

    def __init__(self, *, by_arrival: bool = False) -> None:
        self.by_arrival = by_arrival
        """The stamps of this camera are of no use."""
        self.end = 0
        """When the last packet ends, ticks."""
        self._start = 0
        self._usual = _FIRST
        self._began = 0.0
        self._last: StoredPacket | None = None
        self._least_behind, self._most_behind = _LONGEST * 1000, -_LONGEST * 1000
        self._n = 0

    def place(self, packet: StoredPacket) -> Place:
        """Return the place of the next packet."""
        if self._last is None:
            self._began = packet.arrived
        else:
            self._advance(self._last, packet)
        self._last = packet
        self.end = self._start + self._usual
        return Place(self._start, self._start + offset(packet), self._usual)

    def _advance(self, last: StoredPacket, packet: StoredPacket) -> None:
        arrived = round((packet.arrived - self._began) * TIMESCALE)
        if self.by_arrival:
            step = arrived - self._start
        else:
            step = self._by_stamps(last, packet)
            self._judge(arrived - self._start - step)
        step = max(1, step)
        self._start += step
        self._usual = min(step, TIMESCALE)

    def _by_stamps(self, last: StoredPacket, packet: StoredPacket) -> int:
        before, now = stamp(last), stamp(packet)
        if before is None or now is None:
            return round((packet.arrived - last.arrived) * TIMESCALE)
        return now - before if 0 < now - before <= _LONGEST else self._usual

    def _judge(self, behind: int) -> None:
        """Note how far the stamps are behind arrival; give them up where they stay so."""
        self._least_behind = min(self._least_behind, behind)
        self._most_behind = max(self._most_behind, behind)
        self._n += 1
        if self._n == _WINDOW:
            self.by_arrival = self._least_behind > _SLOW or self._most_behind < _FAST
            self._least_behind, self._most_behind, self._n = behind, behind, 0
