"""H.264 as the camera sent it, in fragments that a browser plays, without decoding or encoding. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from surveil.capture.h264 import is_bidirectional, length_size_of
from surveil.capture.packets import Parameters, StoredPacket
from surveil.capture.stamps import TIMESCALE
from surveil.console.live.mp4 import fragment, header
from surveil.console.live.parameters import ParameterSets, sample, sets_of, units_of
from surveil.console.live.reasons import WhyPictures
from surveil.console.live.timeline import MediaClock

_MOST_KEYS = 2
"""So many key frames at which no browser can begin, and none at which it can: none will come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Goes before the fragments that follow; a new one replaces it."""

    data: bytes
    mime: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """One picture."""

    data: bytes
    start: float
    """Media time, s."""
    duration: float
    key: bool
    """A browser can begin here."""
    arrived: float
    """Monotonic s."""


Piece = Header | Fragment


class Remuxer:
    """Turns the packets of one stream into headers and fragments."""

    def __init__(self) -> None:
        self.why_not: WhyPictures | None = WhyPictures.UNKNOWN
        """Why there is nothing that a browser plays; None where there is."""
        self.header: Header | None = None
        self._clock = MediaClock()
        self._sets = ParameterSets()
        self._told: tuple[ParameterSets, int] | None = None
        """What the header was made of."""
        self._parameters: Parameters | None = None
        self._length_size = 0
        self._number = 0
        self._awaits_entry = True
        self._bare_keys = 0
        self._follows_bare = False
        """The last picture was a key frame that does not stand alone."""
        self._is_open = False
        """Pictures before a key frame are made from pictures of the group before: browsers give up at those."""

    def restart(self) -> None:
        """Begin a new connection: what comes before its first key frame cannot be decoded."""
        self._awaits_entry, self._bare_keys = True, 0
        self._follows_bare = self._is_open = False
        self._clock.restart()

    def take(self, packet: StoredPacket) -> Sequence[Piece]:
        """Return what a packet gives."""
        if packet.parameters is not self._parameters:
            self._follow(packet.parameters)
        if packet.parameters.codec != "h264" or self._leads(packet):
            return ()
        if self._awaits_entry and not self._begins(packet):
            return ()
        units = units_of(packet.data, self._length_size)
        self._sets = self._sets.updated(units)
        pieces: list[Piece] = []
        if self._told != (self._sets, packet.parameters.rotate):
            if not packet.key or not packet.entry:
                self._awaits_entry = True
                return ()
            if (made := self._new_header(packet.parameters.rotate)) is None:
                return ()
            pieces.append(made)
        if data := sample(units):
            pieces.append(self._fragment(packet, data))
        return pieces

    def _follow(self, parameters: Parameters) -> None:
        """Take note of what the stream says of itself from here on."""
        before, self._parameters = self._parameters, parameters
        if parameters.codec != "h264":
            self.why_not = WhyPictures.of_codec(parameters.codec)
            self._awaits_entry = True
            return
        self._length_size = length_size_of(parameters.extradata)
        if before is None or before.extradata != parameters.extradata:
            sets = sets_of(parameters.extradata)
            self._sets = sets if sets.is_complete else self._sets

    def _leads(self, packet: StoredPacket) -> bool:
        """Whether groups of the stream are open: pictures before a key frame follow it."""
        if self._follows_bare and is_bidirectional(packet.data, self._length_size):
            self._is_open, self._awaits_entry = True, True
            self.why_not = WhyPictures.OPEN_GOP
        self._follows_bare = packet.key and not packet.entry
        return self._is_open

    def _begins(self, packet: StoredPacket) -> bool:
        """Whether a browser can begin at the packet; at a key frame that does not stand alone it gives up."""
        if packet.key and not packet.entry:
            self._bare_keys += 1
            if self._bare_keys >= _MOST_KEYS:
                self.why_not = WhyPictures.OPEN_GOP
        if packet.key and packet.entry:
            self._awaits_entry, self._bare_keys = False, 0
        return not self._awaits_entry

    def _new_header(self, rotate: int) -> Header | None:
        """Make the header of the sets as they are; None where no browser plays what they describe."""
        self._told, self.header = None, None
        is_complete = self._sets.is_complete
        track = self._sets.track(rotate) if is_complete and self._sets.is_playable else None
        if track is None:
            self.why_not = WhyPictures.PROFILE if is_complete else WhyPictures.UNKNOWN
            self._awaits_entry = True
            return None
        self._told, self.why_not = (self._sets, rotate), None
        self.header = Header(data=header(track), mime=self._sets.mime)
        return self.header

    def _fragment(self, packet: StoredPacket, data: bytes) -> Fragment:
        place = self._clock.place(packet)
        self._number += 1
        self.why_not = None
        key = packet.key and packet.entry
        return Fragment(
            data=fragment(self._number, place.start, place.duration, place.offset, data, key=key),
            start=place.start / TIMESCALE,
            duration=place.duration / TIMESCALE,
            key=key,
            arrived=packet.arrived,
        )
