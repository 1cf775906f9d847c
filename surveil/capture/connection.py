"""One connection to a stream: from opening it to losing it. Owned by the capture thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from surveil.capture.causes import source_error
from surveil.capture.decoder import Damage
from surveil.capture.demand import Demand
from surveil.capture.picture import give_back
from surveil.capture.settings import StreamSettings
from surveil.capture.source import Arrival, Shot, Source
from surveil.capture.timing import Lag, ReadQueue
from surveil.errors import Cause

_CAUGHT_UP_S = 0.3
"""With no more lag than this, all frames are decoded again."""


class Watcher(Protocol):
    """Whom a connection tells what comes out of it."""

    def on_packet(self, arrival: Arrival, now: float) -> None:
        """An encoded packet came."""

    def on_shot(self, shot: Shot, health: Connection) -> None:
        """A picture was decoded."""

    def on_damage(self) -> None:
        """Pictures cannot be trusted from here to the next key frame."""

    def on_state(self, state: str) -> None:
        """The stream is in this state (one of `metrics.STATES`)."""


class Connection:
    """Reads a source that is open, decides what is decoded, and tells the watcher.

    `demand`: who may keep packets, instead of having them decoded; None: nobody. `keys_only`: nothing but key frames
    is decoded. `lag_s`, `damaged`, `degraded` are as of the last picture.
    """

    def __init__(
        self,
        source: Source,
        settings: StreamSettings,
        now: float,
        watcher: Watcher,
        *,
        demand: Demand | None = None,
        keys_only: bool = False,
    ) -> None:
        self._source = source
        self._settings = settings
        self._watcher = watcher
        self._demand = demand
        self._never_more = keys_only
        self._decodes = "detect" in settings.roles
        self._queue, self._lag = ReadQueue(), Lag()
        self._damage = Damage(settings.degraded_after_s)
        self._broken = False
        self._catching_up = False
        self._skipping = True  # nothing before the first key frame can be decoded
        self._alone = True
        """A key frame gives a picture alone; with intra refresh it is the beginning of one."""
        self._healing = False
        """Decoding began at a key frame and has given no picture yet."""
        self._last_picture = self._last_good = now
        self._told = ""
        self.pictures = 0
        self.lag_s = 0.0

    @property
    def damaged(self) -> bool:
        """Whether the last picture cannot be trusted."""
        return self._damage.damaged

    @property
    def degraded(self) -> bool:
        """Whether there has been nothing else for longer than the camera's patience."""
        return self._damage.degraded

    def take(self, arrival: Arrival, before: float, now: float) -> None:
        """Work on what was read between the moments `before` and `now` (monotonic s). Raises SourceError."""
        self._watcher.on_packet(arrival, now)
        self._broken |= arrival.broken
        if self._source.live:
            self._follow_lag(arrival, before, now)
        if not self._decodes:
            self._watcher.on_state("streaming")
            return
        demand = self._demand
        if demand is not None and demand.wants(arrival, now, well=not self._catching_up):
            self._keep(arrival, now, demand)
        elif self._is_wanted(arrival):
            self._decode(arrival, now)
        elif demand is not None:
            demand.missed()
        self._check_progress(now)

    def _keep(self, arrival: Arrival, now: float, demand: Demand) -> None:
        """Have a packet decoded elsewhere, if at all. Raises SourceError."""
        if not self._skipping:  # what the decoder holds back comes before the first that is kept
            self._emit(self._source.drain().shots, now, broken=False)
            self._skipping = True
            give_back()
        backlog = demand.keep(arrival, now, self.lag_s)
        if backlog.failure is not None:
            raise backlog.failure
        drought, settings = backlog.drought, self._settings
        if drought.s > (settings.undecodable_s if drought.complains else settings.keyframe_timeout_s):
            raise source_error(Cause.DAMAGED, self._settings.url, "no received frame can be decoded")
        if not backlog.is_full:  # else nothing is decoded before the next key frame, which may never come
            self._last_good = self._last_picture = now
        self._follow_damage(now, key=arrival.key, broken=self._broken)
        self._broken = False
        self._tell_state()

    def finish(self) -> None:
        """Take what the decoder still holds at the end of a recording. Raises SourceError (no_video)."""
        if not self._decodes:
            return
        self._emit(self._source.drain().shots, 0.0, broken=False)
        if self.pictures == 0:
            raise source_error(Cause.NO_VIDEO, self._settings.url, "it contains no picture")

    # What is decoded.

    def _follow_lag(self, arrival: Arrival, before: float, now: float) -> None:
        waited = self._queue.update(before, now)
        self.lag_s = lag = self._lag.update(arrival.stamp, now, waited=waited)
        if lag > self._settings.max_lag_s:
            words = f"{lag:.1f} s behind real time: this machine is too slow for the stream"
            raise source_error(Cause.BEHIND, self._settings.url, words)
        if lag > self._settings.catch_up_lag_s:
            self._catching_up = True
        elif arrival.key and lag < _CAUGHT_UP_S:
            self._catching_up = False

    def _keys_only(self) -> bool:
        return self._catching_up or self._never_more

    def _is_wanted(self, arrival: Arrival) -> bool:
        """Whether to decode it: without the picture before, only a key frame can be.

        Where a key frame alone gives nothing, catching up is passing over everything; then decoding goes on until
        there is a picture, however late that is, or there would never be one.
        """
        self._alone &= arrival.whole or not arrival.key
        if arrival.key and self._skipping:
            self._skipping = self._catching_up and not self._alone
            self._healing = not self._skipping
        elif self._keys_only() and not self._healing and not (arrival.key and self._alone):
            self._skipping = True
        return not self._skipping

    def _decode(self, arrival: Arrival, now: float) -> None:
        decoded = self._source.decode(arrival)
        if self._demand is not None:
            self._demand.learn(arrival, decoded, now)
        shots: Sequence[Shot] = decoded.shots
        if not shots and self._keys_only() and self._alone:
            shots = self._source.drain().shots  # a decoder that re-orders keeps a lone key frame back
            if not shots and not decoded.broken:
                self._alone, self._healing, self._skipping = False, False, True
        if decoded.broken and not shots:
            self._broken = True
        else:
            self._last_good = now
        self._emit(shots, now, broken=decoded.broken)

    def _emit(self, shots: Sequence[Shot], now: float, *, broken: bool) -> None:
        for shot in shots:
            self.pictures += 1
            self._healing = False
            self._last_picture = now
            self._follow_damage(now, key=shot.key, broken=broken or self._broken)
            self._broken = False
            self._tell_state()
            self._watcher.on_shot(shot, self)

    # Health.

    def _follow_damage(self, now: float, *, key: bool, broken: bool) -> None:
        if self._damage.update(now, key=key, broken=broken):
            self._watcher.on_damage()

    def _tell_state(self) -> None:
        if (state := self._state()) != self._told:
            self._watcher.on_state(state)
            self._told = state

    def _state(self) -> str:
        if self._damage.degraded:
            return "degraded"
        return "catching_up" if self._catching_up else "streaming"

    def _check_progress(self, now: float) -> None:
        """Reopen a stream that sends nothing usable. Raises SourceError (damaged)."""
        if not self._source.live:
            return
        if self._broken and now - self._last_good > self._settings.undecodable_s:
            raise source_error(Cause.DAMAGED, self._settings.url, "no received frame can be decoded")
        if now - self._last_picture > self._settings.keyframe_timeout_s:
            raise source_error(Cause.DAMAGED, self._settings.url, "no key frame came")
