"""The last encoded packets of a stream, from which clips are cut without re-encoding.

It stores bytes and numbers, never PyAV's packets: muxing changes those, and a stream used as a template
after its container was closed on another thread crashes the interpreter.
"""

from __future__ import annotations

import io
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Protocol, Self

import av
import av.error
from av.container import OutputContainer
from av.stream import Stream

from surveil.capture.orientation import turn_mp4
from surveil.errors import Cause, SourceError

_MOVFLAGS = "frag_keyframe+empty_moov+default_base_moof"
"""A clip that was cut off by a crash can still be played."""
_HEAD = 4096
"""Bytes at the start of a packet in which its parameter sets would stand."""
_SLOW = 0.93
_JITTER_S = 0.5
"""Stamps that cover less of the arrivals than this are those of a clock that runs slow."""
_LONGEST_STEP_S = 5.0
"""A larger step of the stamps is a reconnect or a jump, and arrival says how long it really was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What a muxer has to know of a stream."""

    codec: str
    extradata: bytes
    width: int
    height: int
    rotate: int = 0
    """Degrees clockwise by which players shall turn it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPacket:
    """One encoded picture."""

    data: bytes
    pts: int | None
    dts: int | None
    time_base: Fraction
    key: bool
    arrived: float
    """Monotonic s, the same axis as `Frame.arrived`."""
    parameters: Parameters
    entry: bool = True
    """Of a key frame: every player can begin here. At one that is no IDR, browsers give up."""


class PacketTaker(Protocol):
    """Takes a stream's packets from the capture thread, which must not wait for it."""

    def append(self, packet: StoredPacket) -> None:
        """Take a packet."""

    def restart(self) -> None:
        """Begin a new connection."""


class PacketFork:
    """Hands packets on to several takers."""

    def __init__(self, takers: Iterable[PacketTaker]) -> None:
        self._takers = tuple(takers)

    def append(self, packet: StoredPacket) -> None:
        """Hand a packet on."""
        for taker in self._takers:
            taker.append(packet)

    def restart(self) -> None:
        """Tell of a new connection."""
        for taker in self._takers:
            taker.restart()


@dataclass(frozen=True, slots=True)
class ClipCut:
    """The packets of a span, and what is to be said of them."""

    packets: Sequence[StoredPacket]
    notes: tuple[str, ...] = ()


class PacketHold:
    """Keeps what arrived since a moment from being thrown away. Release it, or use it in a `with`."""

    def __init__(self, ring: PacketRing, since: float) -> None:
        self._ring = ring
        self.since = since

    def release(self) -> None:
        """Let go; a second time does nothing."""
        self._ring.release(self)

    def __enter__(self) -> Self:
        """Keep holding."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go."""
        self.release()


class PacketRing:
    """The last `seconds` of a stream in whole groups of pictures, never more than `max_bytes`.

    Any thread may call any method. Nobody blocks for longer than a copy of the list takes. The oldest
    group is dropped when the rest still covers `seconds` and nobody holds it, or when `max_bytes` are
    exceeded even if somebody does; `cut_short` counts the latter.
    """

    def __init__(self, seconds: float, max_bytes: int = 64 << 20) -> None:
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._groups: deque[list[StoredPacket]] = deque()
        self._holds: set[PacketHold] = set()
        self._bytes = 0
        self._awaits_key = True
        self.cut_short = 0

    def keep(self, seconds: float) -> None:
        """Keep so many seconds from now on."""
        with self._lock:
            self._seconds = seconds

    def append(self, packet: StoredPacket) -> None:
        """Store a packet; those before the first key frame are of no use and dropped."""
        with self._lock:
            if packet.key:
                self._groups.append([])
                self._awaits_key = False
            elif self._awaits_key:
                return
            self._groups[-1].append(packet)
            self._bytes += len(packet.data)
            self._evict(packet.arrived)

    def restart(self) -> None:
        """Begin a new connection: what comes before its first key frame belongs to no group."""
        with self._lock:
            self._awaits_key = True

    def _evict(self, now: float) -> None:
        while len(self._groups) > 1:
            full = self._bytes > self._max_bytes
            oldest_needed = min((hold.since for hold in self._holds), default=now)
            covered = self._groups[1][0].arrived <= min(now - self._seconds, oldest_needed)
            if not full and not covered:
                return
            self.cut_short += full and not covered
            self._bytes -= sum(len(packet.data) for packet in self._groups.popleft())

    def secure(self, since: float) -> PacketHold:
        """Keep what arrived from `since` on (and the key frame before it) until released."""
        hold = PacketHold(self, since)
        with self._lock:
            self._holds.add(hold)
        return hold

    def release(self, hold: PacketHold) -> None:
        """End a hold."""
        with self._lock:
            self._holds.discard(hold)

    def clip(self, since: float, until: float) -> list[StoredPacket]:
        """Return the packets of `cut`."""
        return list(self.cut(since, until).packets)

    def cut(self, since: float, until: float) -> ClipCut:
        """Return the packets that arrived in the span, from the key frame at or before its start.

        One at which every player can begin is preferred, even where it is further back. Where the
        stream changed its codec or size within the span, only the last part is returned, since a clip has one
        format.
        """
        with self._lock:
            groups = [list(group) for group in self._groups if group[0].arrived <= until]
        before = [i for i, group in enumerate(groups) if group[0].arrived <= since]
        entries = [i for i in before if groups[i][0].entry]
        first = (entries or before or [0])[-1]
        chosen = [packet for group in groups[first:] for packet in group if packet.arrived <= until]
        if not chosen:
            return ClipCut(())
        last = [packet for packet in chosen if packet.parameters == chosen[-1].parameters]
        notes = []
        if len(last) < len(chosen):
            before_it = chosen[-len(last) - 1].parameters
            was, now = (f"{p.codec} {p.width}x{p.height}" for p in (before_it, chosen[-1].parameters))
            notes.append(f"only the part after the camera changed from {was} to {now}")
        if not last[0].entry:
            notes.append(
                "no key frame in it stands alone (open GOP or intra refresh): browsers may refuse it, download it for "
                "a player such as VLC or mpv; a closed GOP in the camera's settings avoids that"
            )
        return ClipCut(last, tuple(notes))


def mux(packets: Sequence[StoredPacket], path: Path) -> float:
    """Write packets as fragmented MP4, starting at 0, without encoding; return the duration in s.

    Raises SourceError (unsupported) when MP4 cannot hold the codec, OSError when the file cannot be written.
    """
    if not packets:
        raise SourceError(Cause.NO_VIDEO, "no packets for a clip")
    packets = [in_annex_b(one, with_sets=i == 0) for i, one in enumerate(packets)]
    first = packets[0]
    starts, shown = _timeline(packets)
    with av.open(str(path), "w", format="mp4", options={"movflags": _MOVFLAGS}) as out:
        stream = stream_for(first, out)
        for i, stored in enumerate(packets):
            packet = av.Packet(with_headers(stored) if i == 0 else stored.data)
            packet.stream = stream
            packet.time_base = stored.time_base
            packet.dts, packet.pts = starts[i], shown[i]
            packet.duration = starts[i + 1] - starts[i]
            packet.is_keyframe = stored.key
            out.mux(packet)
    if first.parameters.rotate:
        turn_mp4(path, first.parameters.rotate, first.parameters.width, first.parameters.height)
    return float(starts[-1] * first.time_base)


def stream_for(first: StoredPacket, out: OutputContainer) -> Stream:
    """Add the stream that begins with a packet. Raises SourceError (unsupported)."""
    parameters = first.parameters
    try:
        if parameters.codec != "hevc":
            return out.add_mux_stream(
                parameters.codec, width=parameters.width, height=parameters.height, time_base=first.time_base
            )
        # Apple plays H.265 as `hvc1` only, and PyAV forgets the tag of a stream that has no template.
        with av.open(io.BytesIO(with_headers(first)), format="hevc") as template:
            stream = out.add_stream_from_template(template.streams.video[0])
        stream.codec_tag, stream.time_base = "hvc1", first.time_base
    except (ValueError, av.error.FFmpegError) as error:
        raise SourceError(Cause.UNSUPPORTED, f"no clip: {error}") from None
    return stream


def in_annex_b(packet: StoredPacket, *, with_sets: bool) -> StoredPacket:
    """Return a packet with start codes, as RTSP brings it; recordings and RTMP have lengths in their place.

    `with_sets`: begin with the parameter sets, which such streams have in their header alone.
    """
    from surveil.capture.annexb import lengths_of, with_start_codes  # noqa: PLC0415 - for clips and recordings

    size, sets = lengths_of(packet.parameters.codec, packet.parameters.extradata)
    if not size:
        return packet
    return replace(packet, data=with_start_codes(packet.data, size, sets if with_sets else ()))


def _timeline(packets: Sequence[StoredPacket]) -> tuple[list[int], list[int]]:
    """Return decoding stamps (one more than packets: the end) and presentation stamps, from 0, in ticks."""
    starts, shown = [0], []
    for packet, step in zip(packets, _steps(packets), strict=True):
        offset = packet.pts - packet.dts if packet.pts is not None and packet.dts is not None else 0
        shown.append(starts[-1] + max(0, offset))
        starts.append(starts[-1] + step)
    return starts, shown


def _steps(packets: Sequence[StoredPacket]) -> list[int]:
    """Return how long each packet lasts, in ticks: by its stamps, or by arrival where the camera's clock runs slow."""
    tick = packets[0].time_base
    usual = max(1, round(Fraction(1, 15) / tick))
    steps = []
    for one, following in pairwise(packets):
        usual = _step(one, following, usual)
        steps.append(usual)
    arrived = packets[-1].arrived - packets[0].arrived
    if sum(steps) * tick < _SLOW * arrived - _JITTER_S:
        steps = [max(1, round((b.arrived - a.arrived) / tick)) for a, b in pairwise(packets)]
    return [*steps, steps[-1] if steps else usual]


def _step(one: StoredPacket, following: StoredPacket, usual: int) -> int:
    """Return the ticks from one packet to the next."""
    if one.dts is not None and following.dts is not None:
        step = following.dts - one.dts
        if 0 < step * one.time_base <= _LONGEST_STEP_S:
            return step
    arrived = following.arrived - one.arrived
    is_missing = one.dts is None or following.dts is None
    return max(1, round(arrived / one.time_base)) if is_missing or arrived > _LONGEST_STEP_S else usual


def with_headers(packet: StoredPacket) -> bytes:
    """Put the parameter sets before the first picture: some cameras send them in the SDP only."""
    headers = packet.parameters.extradata
    if not headers.startswith((b"\0\0\1", b"\0\0\0\1")):
        return packet.data
    # Unit by unit: start codes of three or four bytes separate the same units.
    head = packet.data[:_HEAD]
    known = all(unit.rstrip(b"\0") in head for unit in headers.split(b"\0\0\1"))
    return packet.data if known else headers + packet.data
