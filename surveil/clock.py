"""The only place that reads a clock or sleeps."""

from __future__ import annotations

import threading
import time
from typing import Protocol

DAY_S = 86_400.0
LOOK_UP_S = 5.0
"""How often a thread that waits for work looks up, to show that it is alive; nothing else depends on it.
Every waking costs some 0.1 ms of CPU on an idle machine, so it is seldom."""


class Stop:
    """A request to end that every wait honours. Set once, never cleared."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask everyone to end."""
        self._event.set()

    def __bool__(self) -> bool:
        """Return whether the end was asked for."""
        return self._event.is_set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the request, `timeout_s` at most; return whether it came."""
        return self._event.wait(timeout_s)


class Clock(Protocol):
    """Where time comes from, for code that waits or stamps."""

    def monotonic(self) -> float:
        """Seconds that never step back."""

    def wall(self) -> float:
        """Unix seconds."""

    def sleep(self, seconds: float, stop: Stop) -> bool:
        """Sleep, or until `stop`; return whether `stop` was set."""


class SystemClock:
    """The machine's clocks."""

    # The functions themselves: each is called several times a frame.
    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)

    def sleep(self, seconds: float, stop: Stop) -> bool:
        """Sleep, or until `stop`; return whether `stop` was set."""
        return stop.wait(max(0.0, seconds))


class Every:
    """Says when something is due again: at once, then `seconds` after the last time that it was. One thread's."""

    def __init__(self, seconds: float, last: float = float("-inf")) -> None:
        """`last`: when it was due before; by default never."""
        self.seconds = seconds
        self._last = last

    def due(self, now: float) -> bool:
        """Return whether it is due at `now` (s); a clock that was set back makes it due, too."""
        if self._last <= now < self._last + self.seconds:
            return False
        self._last = now
        return True


def boot_s() -> float:
    """Return the seconds since this machine has started, suspended time included; the same for all its processes."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def thread_cpu_s() -> float:
    """Return the CPU seconds that the calling thread has used."""
    return time.thread_time()


def process_cpu_s() -> float:
    """Return the CPU seconds that all threads of this process have used."""
    return time.process_time()


class ManualClock:
    """Time that moves only when told: a day of waiting in a tenth of a second.

    `sleep` advances it at once, so code that waits runs through; `advance` moves it from outside.
    """

    def __init__(self, wall: float = 1_700_000_000.0, monotonic: float = 1_000.0) -> None:
        self._lock = threading.Lock()
        self._wall = wall
        self._monotonic = monotonic

    def monotonic(self) -> float:
        """Seconds that never step back."""
        with self._lock:
            return self._monotonic

    def wall(self) -> float:
        """Unix seconds."""
        with self._lock:
            return self._wall

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        with self._lock:
            self._monotonic += seconds
            self._wall += seconds

    def set_wall(self, wall: float) -> None:
        """Step the wall clock, as an operator or NTP would."""
        with self._lock:
            self._wall = wall

    def sleep(self, seconds: float, stop: Stop) -> bool:
        """Advance by `seconds` at once; return whether `stop` was set."""
        if stop:
            return True
        self.advance(max(0.0, seconds))
        return bool(stop)
