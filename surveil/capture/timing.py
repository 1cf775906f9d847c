"""Time of a stream: `t` that never steps, and how far the stream is behind. Pure.

Owned by the capture thread. Everything is in seconds: `stamp` is the stream's own time, `arrived` a
monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass

_JUMP_S = 1.0
"""A stamp that runs ahead of arrival by more than this (and the lag) is a step of the camera's clock."""
_MIN_STEP_S = 1e-3
"""`t` grows by at least this from frame to frame."""
_RATE = 0.05
"""How much faster or slower than arrival a stream's clock may run for long."""
_AHEAD_S = 1.0
"""Jitter: how far `t` may be ahead of arrival."""
_BEHIND_S = 6.0
"""How far `t` may be behind arrival; more than the lag at which a stream is opened anew."""


class Continuous:
    """A stream's stamps with its steps taken out: 100 s forward or back become one ordinary interval."""

    def __init__(self) -> None:
        self._stamp: float | None = None
        self._arrived: float | None = None
        self.now = 0.0
        """Seconds since the first stamp."""
        self.jumped = False
        """The last stamp was a step."""

    def update(self, stamp: float | None, arrived: float, lag_s: float) -> float:
        """Return the seconds since the stamp before; 0 for the first.

        A live stream's first picture often has no stamp: arrival stands in where one is missing.
        """
        previous = self._stamp
        waited = 0.0 if self._arrived is None else max(0.0, arrived - self._arrived)
        self._arrived = arrived
        self._stamp = previous if stamp is None else stamp
        self.jumped = False
        step = waited if stamp is None or previous is None else stamp - previous
        if step < 0 or step > waited + lag_s + _JUMP_S:
            self.jumped, step = True, min(waited, _JUMP_S)
        self.now += step
        return step


class Lag:
    """How far a live stream is behind: arrival minus stream time, less the least of it ever seen.

    The least may creep up by 5 % while reads have to wait for data, because then nothing is queued here
    and a growing difference is a camera clock that runs slow. While reads do not wait, a backlog lies in
    front of us and the least stands still.
    """

    def __init__(self) -> None:
        self._stream = Continuous()
        self._least: float | None = None
        self._arrived = 0.0
        self.seconds = 0.0

    def update(self, stamp: float | None, arrived: float, *, waited: bool) -> float:
        """Take note of a packet; return the lag in s."""
        self._stream.update(stamp, arrived, self.seconds)
        raw = arrived - self._stream.now
        if self._least is None:
            self._least = raw
        elif waited:
            self._least += _RATE * (arrived - self._arrived)
        self._arrived = arrived
        self._least = min(self._least, raw)
        self.seconds = raw - self._least
        return self.seconds


@dataclass(slots=True)
class _Anchor:
    t: float
    arrived: float


class StreamClock:
    """Makes `t`: runs with the stream's stamps, is held to arrival within 5 %, never steps.

    Survives reconnects: `restart` says that the next stamp has nothing to do with the last, and the time
    between them is taken from arrival.
    """

    def __init__(self, t: float = 0.0) -> None:
        self.t = t
        self._arrived: float | None = None
        self._stream = Continuous()
        self._anchor = _Anchor(0.0, 0.0)
        self._is_new = True

    def restart(self) -> None:
        """Begin a new connection."""
        self._stream = Continuous()
        self._is_new = True

    def at(self, arrived: float) -> float:
        """Return what `t` is at a moment without a frame, as when the stream was lost."""
        return self.t if self._arrived is None else self.t + max(0.0, arrived - self._arrived)

    def update(self, stamp: float | None, arrived: float, lag_s: float) -> float:
        """Return `t` of a frame."""
        step = self._stream.update(stamp, arrived, lag_s)
        first = self._arrived is None
        if self._is_new:
            step = 0.0 if self._arrived is None else arrived - self._arrived
        wanted = self.t + step
        if self._is_new:
            self._anchor, self._is_new = _Anchor(wanted, arrived), False
        self._arrived = arrived
        self.t = wanted if first else max(self._held(wanted, arrived), self.t + _MIN_STEP_S)
        return self.t

    def _held(self, t: float, arrived: float) -> float:
        """Keep within 5 % of arrival since the connection began, plus what jitter and lag may do."""
        elapsed = arrived - self._anchor.arrived
        low = self._anchor.t + (1 - _RATE) * elapsed - _BEHIND_S
        high = self._anchor.t + (1 + _RATE) * elapsed + _AHEAD_S
        return min(max(t, low), high)


class FileClock:
    """Makes `t` of a recording from its stamps alone: the same on every run, at any speed."""

    _LONGEST_GAP_S = 10.0
    """A longer step is a cut in the recording, not time that passed."""

    def __init__(self, interval_s: float = 1 / 25, t: float = 0.0) -> None:
        self.t = t
        self._interval_s = interval_s
        self._stamp: float | None = None
        self._has_frame = False

    def restart(self) -> None:
        """Begin the recording again: its first frame follows one interval after the last."""
        self._stamp = None

    def update(self, stamp: float | None) -> float:
        """Return `t` of a frame: the first is at the time to begin at."""
        previous, self._stamp = self._stamp, stamp
        if not self._has_frame:
            self._has_frame = True
            return self.t
        step = self._interval_s if stamp is None or previous is None else stamp - previous
        if 0 < step <= self._LONGEST_GAP_S:
            self._interval_s = step
        else:
            step = self._interval_s
        self.t += step
        return self.t
