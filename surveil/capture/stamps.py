"""The stamps of packets in ticks of a video file. Pure."""

from __future__ import annotations

from surveil.capture.packets import StoredPacket

TIMESCALE = 90_000
"""Ticks a second, as in RTP."""
_LONGEST_OFFSET = 2 * TIMESCALE


def stamp(packet: StoredPacket) -> int | None:
    """Return when a packet is decoded; None without stamps, as the first of a connection often is."""
    found = packet.dts if packet.dts is not None else packet.pts
    return None if found is None else _ticks(found, packet)


def offset(packet: StoredPacket) -> int:
    """Return how long after decoding a packet is shown, at most two seconds."""
    if packet.pts is None or packet.dts is None:
        return 0
    return min(_LONGEST_OFFSET, max(0, _ticks(packet.pts - packet.dts, packet)))


def _ticks(stamp: int, packet: StoredPacket) -> int:
    base = packet.time_base  # whole numbers: fractions take ten times as long
    return stamp * base.numerator * TIMESCALE // base.denominator
