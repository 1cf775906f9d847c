"""Stream time: `t`, which never steps, and the lag of reading. Pure.

Owned by the capture thread. Everything is in seconds: `stamp` is the stream's own time, `arrived` a
monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass

_JUMP_S = 1.0
"""A stamp that runs ahead of arrival by more than this (and the lag) is a step of the camera's clock."""
_MIN_STEP_S = 1e-3
"""`t` grows by at least this from frame to frame."""
_AHEAD_S = 1.0
"""How far `t` may be ahead of arrival: cameras send some pictures at once."""
_JITTER_S = 0.25
"""How far `t` may be behind arrival when nothing explains it."""
_BEHIND_S = 6.0
"""How far `t` may be behind arrival at most; more than the lag at which a stream is opened again."""


@dataclass(frozen=True, slots=True)
class _Point:
    """A moment on the three axes."""

    stamp: float
    arrived: float
    line: float


class Continuous:
    """A stream's stamps with its steps taken out: 100 s forward or back become one ordinary interval.

    A single picture that is stamped elsewhere leaves no trace: the next goes on where the one before was.
    """

    def __init__(self) -> None:
        self._last: _Point | None = None
        self._older: _Point | None = None
        self._arrived: float | None = None
        self._line = 0.0
        """Seconds since the first stamp; may step back."""
        self._jumped = False
        self.now = 0.0
        """Seconds since the first stamp; never steps back."""

    def update(self, stamp: float | None, arrived: float, lag_s: float) -> float:
        """Return the seconds since the stamp before; 0 for the first.

        A live stream's first picture often has no stamp: arrival stands in where one is missing.
        """
        waited = 0.0 if self._arrived is None else max(0.0, arrived - self._arrived)
        self._arrived = arrived
        last = self._last
        if stamp is None or last is None:
            self._line += waited
        else:
            self._line = self._next(stamp, arrived, waited, lag_s, last)
        if stamp is not None:
            self._older, self._last = last, _Point(stamp, arrived, self._line)
        elif last is not None:
            self._last = _Point(last.stamp, last.arrived, self._line)
        step = max(0.0, self._line - self.now)
        self.now += step
        return step

    def _next(self, stamp: float, arrived: float, waited: float, lag_s: float, last: _Point) -> float:
        step, before = stamp - last.stamp, self._jumped
        self._jumped = not 0 <= step <= waited + lag_s + _JUMP_S
        older = self._older
        if older is not None and (before or self._jumped):
            whole = stamp - older.stamp
            if 0 < whole <= arrived - older.arrived + lag_s + _JUMP_S:
                self._jumped = False
                return older.line + whole
        return self._line + (min(waited, _JUMP_S) if self._jumped else step)


class ReadQueue:
    """Tells from how long reads take whether anything is queued in front of them.

    A read that blocks proves that there is nothing. But on a busy machine a read may be held up by others for
    some milliseconds, so it counts only where reads wait for a good part of the time: a decoder that is too
    slow leaves no time to wait.
    """

    _WAITED_S = 0.002
    _LEAST_SHARE = 0.2
    _WINDOW_S = 1.0

    def __init__(self) -> None:
        self._share = 1.0
        self._last: float | None = None

    def update(self, before: float, now: float) -> bool:
        """Return whether a read between two moments had to wait for data; the first of a connection did."""
        last, self._last = self._last, now
        if last is None:
            return True
        waited, elapsed = now - before, now - last
        if elapsed > 0:
            weight = min(1.0, elapsed / self._WINDOW_S)
            self._share += weight * (min(1.0, waited / elapsed) - self._share)
        return waited > self._WAITED_S and self._share >= self._LEAST_SHARE


class Pace:
    """When the pictures of a stream that comes in pieces are due: as far apart as their stamps are."""

    def __init__(self) -> None:
        self._stream = Continuous()
        self._due: float | None = None

    def wait_s(self, stamp: float | None, now: float) -> float:
        """Return how long to hold a picture back that was read at `now`."""
        step = self._stream.update(stamp, now, 0.0)
        self._due = now if self._due is None else max(now, self._due + step)
        return self._due - now


class Lag:
    """How long pictures have lain here before they were read: a backlog of ours, s.

    It is proven, never guessed: there is none at the beginning of a connection, nor when a read had to wait
    for data. From there on it is what arrival advanced more than the stamps. A camera whose stamps run slower
    than the world is late by its own clock only: arrival paces it.
    """

    def __init__(self) -> None:
        self._stream = Continuous()
        self._least: float | None = None
        self.seconds = 0.0

    def update(self, stamp: float | None, arrived: float, *, waited: bool) -> float:
        """Take note of a packet; return the lag in s."""
        self._stream.update(stamp, arrived, self.seconds)
        raw = arrived - self._stream.now
        self._least = raw if self._least is None or waited else min(self._least, raw)
        self.seconds = raw - self._least
        return self.seconds


@dataclass(slots=True)
class _Anchor:
    t: float
    arrived: float


class _Stalls:
    """How much arrival may be ahead of the stamps because the network held pictures up: they come in a burst.

    A single long pause is a stall; pauses that are usual for the stream are its rate.
    """

    _PAUSE_S = 0.25
    _MOST_S = 3.0
    _DECAY = 0.1
    """Seconds a second: a stall that no burst follows was none."""

    def __init__(self) -> None:
        self._usual_s: float | None = None
        self.seconds = 0.0

    def update(self, step: float, waited: float) -> None:
        usual = waited if self._usual_s is None else self._usual_s
        if waited - step > self._PAUSE_S + 2 * usual:
            self.seconds = min(self._MOST_S, self.seconds + waited - step)
        else:
            self.seconds = max(0.0, self.seconds - self._DECAY * waited)
        self._usual_s = usual + 0.1 * (min(waited, 2 * usual) - usual)

    def caught_up(self, behind_s: float) -> None:
        """Take note of how far behind arrival the stream still is."""
        self.seconds = min(self.seconds, max(0.0, behind_s))


class StreamClock:
    """Makes `t`: steps with the stream's stamps, runs as fast as arrival, never steps.

    Survives reconnects: `restart` says that the next stamp has nothing to do with the last, and the time
    between them is taken from arrival.
    """

    def __init__(self, t: float = 0.0) -> None:
        self.t = t
        self._arrived: float | None = None
        self._stream = Continuous()
        self._stalls = _Stalls()
        self._anchor = _Anchor(0.0, 0.0)
        self._is_new = True

    def restart(self) -> None:
        """Begin a new connection."""
        self._stream, self._stalls = Continuous(), _Stalls()
        self._is_new = True

    def at(self, arrived: float) -> float:
        """Return what `t` is at a moment without a frame, as when the stream was lost."""
        return self.t if self._arrived is None else self.t + max(0.0, arrived - self._arrived)

    def update(self, stamp: float | None, arrived: float, lag_s: float) -> float:
        """Return `t` of a frame."""
        step = self._stream.update(stamp, arrived, lag_s)
        first = self._arrived is None
        waited = 0.0 if self._arrived is None else arrived - self._arrived
        self._arrived = arrived
        if self._is_new:
            step = waited
            self._anchor, self._is_new = _Anchor(self.t + step, arrived), False
        else:
            self._stalls.update(step, waited)
        wanted = self.t + step
        self.t = wanted if first else max(self._held(wanted, arrived, lag_s), self.t + _MIN_STEP_S)
        return self.t

    def _held(self, t: float, arrived: float, lag_s: float) -> float:
        """Keep near arrival: as far from it as jitter, a proven backlog and a stall explain."""
        line = self._anchor.t + arrived - self._anchor.arrived
        self._stalls.caught_up(line - t)
        low = line - min(_BEHIND_S, _JITTER_S + lag_s + self._stalls.seconds)
        return min(max(t, low), line + _AHEAD_S)


class FileClock:
    """Makes `t` of a recording from its stamps alone: the same on every run, at any speed."""

    _LONGEST_GAP_S = 10.0
    """A longer step is a cut in the recording, not time that passed."""
    _SHORTEST_S = 0.002
    """No camera is faster: with stamps nearer than this, pictures are only numbered."""

    def __init__(self, interval_s: float = 1 / 25, t: float = 0.0) -> None:
        self.t = t
        self._interval_s = interval_s
        self._stamp: float | None = None
        self._has_frame = False
        self._ahead_s = 0.0
        """How far `t` is ahead of the stamps, since some of them were too near each other."""
        self._newer: tuple[float, float] | None = None
        """Stamp and `t` of the last frame that had a stamp."""
        self._older: tuple[float, float] | None = None
        self._jumped = False

    def expect(self, interval_s: float) -> None:
        """Say how far pictures are apart where their stamps do not."""
        if not self._has_frame:
            self._interval_s = interval_s

    def restart(self) -> None:
        """Begin the recording again: its first frame follows one interval after the last."""
        self._stamp = self._newer = self._older = None
        self._jumped = False

    def update(self, stamp: float | None) -> float:
        """Return `t` of a frame: the first is at the time to begin at."""
        previous, self._stamp = self._stamp, stamp
        if not self._has_frame:
            self._has_frame = True
        elif stamp is None or previous is None:
            self.t += self._step(self._interval_s)
        else:
            self.t += self._taken(stamp, stamp - previous)
        if stamp is not None:
            self._older, self._newer = self._newer, (stamp, self.t)
        return self.t

    def _taken(self, stamp: float, step: float) -> float:
        """Return the step of `t`; after a single picture stamped elsewhere it goes on where it was before."""
        before, self._jumped = self._jumped, not 0 <= step <= self._LONGEST_GAP_S
        if self._older is not None and (before or self._jumped):
            since = stamp - self._older[0]
            if 0 < since <= self._LONGEST_GAP_S:
                self._jumped = False
                wanted = self._older[1] + since - self.t
                self._ahead_s = max(0.0, _MIN_STEP_S - wanted)
                return max(_MIN_STEP_S, wanted)
        return self._step(step)

    def _step(self, step: float) -> float:
        if not 0 <= step <= self._LONGEST_GAP_S:
            self._ahead_s = 0.0
            return self._interval_s
        if step < self._SHORTEST_S:
            self._ahead_s += self._interval_s - step
            return self._interval_s
        self._interval_s = step
        taken = max(_MIN_STEP_S, step - self._ahead_s)
        self._ahead_s = max(0.0, self._ahead_s - (step - taken))
        return taken
