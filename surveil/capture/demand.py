"""Decides whether a connection is decoded in full or on demand, from its first GOPs, and reports it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from surveil.capture.backlog import EncodedBacklog
from surveil.capture.decoder import Coding, PacketDecoder
from surveil.capture.pace import KeptPacket, Pace
from surveil.capture.settings import StreamSettings
from surveil.capture.source import Arrival, Decoded
from surveil.capture.trial import Groups, KeyFrameTrial
from surveil.lane import Backlog
from surveil.reasons import DecodeWhy

_CLOCK_STEP_S = 1.0
"""B frames step back by less, clocks by more."""


class BacklogTaker(Protocol):
    """Who takes pictures from backlogs: the frame ring."""

    def follow(self, camera: str, backlog: Backlog) -> None:
        """Take the camera's pictures from `backlog` from now on."""

    def kept(self, camera: str) -> None:
        """Take note that the camera's backlog has grown, or ended."""


class PacketKeeper(Protocol):
    """Who knows what a frame has beside its picture: the capture loop."""

    def data_of(self, arrival: Arrival) -> bytes:
        """Return the packet's bytes."""

    def keep(self, arrival: Arrival, shown: float | None, now: float, lag_s: float) -> KeptPacket:
        """Return what is kept of a packet that arrived at `now` (monotonic s)."""

    def on_kept(self, size: int) -> None:
        """So many bytes are kept before a key frame that comes now."""

    def on_decode_mode(self, why: DecodeWhy, gop_s: float) -> None:
        """The connection is decoded in full or on demand from now on, for this reason."""


class Demand:
    """Decides for one connection. Owned by the capture thread.

    `full`: why everything is decoded whatever the stream sends; None: it need not be.
    """

    def __init__(
        self,
        camera: str,
        settings: StreamSettings,
        keeper: PacketKeeper,
        taker: BacklogTaker,
        full: Callable[[], DecodeWhy | None],
    ) -> None:
        self._camera, self._settings = camera, settings
        self._keeper, self._taker, self._full = keeper, taker, full
        self._trial: KeyFrameTrial | None = None
        self._groups = Groups(0.0, 0)
        self._why = DecodeWhy.LEARNING
        self._told: DecodeWhy | None = None
        self._latest = float("-inf")
        """The last presentation time, s."""
        self.backlog: EncodedBacklog | None = None
        """Where packets are kept; None: everything is decoded."""

    def wants(self, arrival: Arrival, now: float, *, well: bool) -> bool:
        """Return whether a packet is to be kept; else it is to be decoded. `well`: nothing is being caught up with."""
        shown = presented(arrival)
        self._check(arrival, shown)
        if arrival.key:
            if self._trial is not None:
                self._trial.begin_group(now, shown)
            self._turn(arrival, well=well)
        return self.backlog is not None

    def keep(self, arrival: Arrival, now: float, lag_s: float) -> EncodedBacklog:
        """Keep a packet that is wanted; return where."""
        assert self.backlog is not None
        self.backlog.append(self._keeper.keep(arrival, presented(arrival), now, lag_s))
        self._taker.kept(self._camera)
        return self.backlog

    def _check(self, arrival: Arrival, shown: float | None) -> None:
        """Revoke what was proven where the stream goes on in another way. A camera may do so at any time."""
        if self._why is DecodeWhy.PROVEN and arrival.key and not arrival.whole:
            self._why = DecodeWhy.NOT_ALONE
        if shown is not None:
            if self._why is DecodeWhy.PROVEN and 0.0 < self._latest - shown < _CLOCK_STEP_S:
                self._why = DecodeWhy.REORDERED
            self._latest = shown

    def learn(self, arrival: Arrival, decoded: Decoded, now: float) -> None:
        """Take what the stream's own decoder made of a packet."""
        if arrival.packet is None:
            self._why = DecodeWhy.SOURCE
        if self._why is not DecodeWhy.LEARNING:
            return
        if self._trial is None:
            if not arrival.key:
                return
            self._trial = KeyFrameTrial(self._decoder_of(arrival), now)
            self._trial.begin_group(now, presented(arrival))
        self._trial.take(arrival, self._keeper.data_of(arrival), presented(arrival), decoded, now)

    def missed(self) -> None:
        """Take note of a packet that was neither kept nor decoded."""
        self._trial = None

    def _turn(self, arrival: Arrival, *, well: bool) -> None:
        """Choose the mode at a key frame, from which on both ways can go."""
        self._keeper.on_kept(self.backlog.bytes if self.backlog is not None else 0)
        if self._trial is not None and self._trial.verdict is not None:
            self._why, self._groups = self._trial.verdict, self._trial.groups
            self._trial = None  # and with it a decoder's pictures
        if self.backlog is not None and self.backlog.overrun:
            self._why = DecodeWhy.OVERRUN
        wanted = self._full() or self._why
        if wanted is DecodeWhy.PROVEN and self.backlog is None and well:
            self._begin(arrival)
        elif wanted is not DecodeWhy.PROVEN and self.backlog is not None:
            self.backlog.end()
            self._taker.kept(self._camera)
            self.backlog = None
        if wanted is not DecodeWhy.PROVEN or self.backlog is not None:
            self._tell(wanted)

    def _begin(self, arrival: Arrival) -> None:
        groups, settings = self._groups, self._settings
        pace = Pace(gop_s=groups.gop_s, reaction_s=settings.idle_reaction_s, gop_bytes=groups.gop_bytes)
        self.backlog = EncodedBacklog(
            self._camera, self._decoder_of(arrival), pace, settings.degraded_after_s
        )
        self._taker.follow(self._camera, self.backlog)

    def _decoder_of(self, arrival: Arrival) -> PacketDecoder:
        return PacketDecoder(Coding.of(arrival.packet.stream), self._settings)

    def _tell(self, why: DecodeWhy) -> None:
        if why is not self._told:
            self._told = why
            self._keeper.on_decode_mode(why, self._groups.gop_s)


def presented(arrival: Arrival) -> float | None:
    """Return the presentation time of a packet, s on the stream's time line; None if unknown."""
    packet = arrival.packet
    return None if packet is None or packet.pts is None else packet.pts * float(packet.time_base)
