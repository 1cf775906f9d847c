"""The log stream: never waits, never fails, never floods. Lines that cannot be written are dropped and counted.

A log is read by people when something is wrong, which is when its disk is full or its reader is gone. Alerts must go
on then.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from enum import StrEnum
from typing import IO, TextIO

from surveil.clock import Clock

ATOMIC = 4096
"""Bytes that Linux writes to a pipe at once, and without waiting where `poll` says that there is room (pipe(7))."""
PATIENCE_S = 0.05
"""How long a line waits for a reader that kept up until now. One that did not is not waited for."""
BURST, PERIOD_S = 10, 60.0
"""Lines that say the same thing of the same thing in a period."""
_KEYS = 1024
"""Different lines that are remembered; one more and the oldest is forgotten."""


class LineLoss(StrEnum):
    """Why a line was not written."""

    UNWRITABLE = "unwritable"
    REPEATED = "repeated"


class Losses:
    """Counts the lines that were not written. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(LineLoss, 0)

    def add(self, loss: LineLoss, n: int = 1) -> None:
        """Count lines."""
        with self._lock:
            self._counts[loss] += n

    def counts(self) -> dict[LineLoss, int]:
        """Return how many were lost, by reason."""
        with self._lock:
            return dict(self._counts)


losses = Losses()
"""Of this process."""


def has_room(descriptor: int, patience_s: float = 0.0) -> bool:
    """Return whether `ATOMIC` bytes can be written without waiting longer than `patience_s`."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    try:
        events = poll.poll(patience_s * 1000)
    except OSError:
        return False
    # A broken pipe is told by the write itself.
    return any(event & (select.POLLOUT | select.POLLERR) for _, event in events)


class LineStream:
    """Writes whole lines to a stream. Any thread may call it.

    `tell(n)` makes the line that follows a gap of n lines.
    """

    def __init__(self, stream: TextIO, tell: Callable[[int], str]) -> None:
        self._stream = stream
        self._tell = tell
        # A signal handler may log while its thread does.
        self._lock = threading.RLock()
        self._missing = 0
        self._cut = False
        """Whether the line before ended early."""

    def write(self, line: str) -> None:
        """Write one line, or drop it."""
        with self._lock:
            text = f"{self._tell(self._missing)}\n{line}" if self._missing else line
            if self._put(text):
                self._missing = 0
            else:
                self._missing += 1
                losses.add(LineLoss.UNWRITABLE)

    def _put(self, line: str) -> bool:
        descriptor = descriptor_of(self._stream)
        try:
            if descriptor is None:
                self._stream.write(line + "\n")
                self._stream.flush()
                return True
            return self._send(descriptor, line)
        except (OSError, ValueError):  # full, gone, or closed
            return False

    def _send(self, descriptor: int, line: str) -> bool:
        data = (("\n" if self._cut else "") + line + "\n").encode("utf-8", "backslashreplace")
        patience_s = 0.0 if self._missing else PATIENCE_S
        sent = 0
        try:
            while sent < len(data) and has_room(descriptor, patience_s):
                sent += os.write(descriptor, data[sent : sent + ATOMIC])
        finally:
            if sent:
                self._cut = sent < len(data)
        return sent == len(data)


def descriptor_of(stream: IO[str]) -> int | None:
    """Return the file descriptor behind a stream; None for one that has none, as in a test."""
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None


class Flood:
    """Lets the same line through `BURST` times a period. Any thread may call it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[object, tuple[float, int]] = {}
        """When a line's period began, and how often it came since."""

    def passes(self, key: object) -> tuple[bool, int]:
        """Note one occurrence; return whether it may be told, and how many were not before it."""
        now = self._clock.monotonic()
        with self._lock:
            began, n = self._seen.pop(key, (now, 0))
            held = 0
            if now - began >= PERIOD_S:
                began, n, held = now, 0, max(0, n - BURST)
            self._seen[key] = (began, n + 1)
            if len(self._seen) > _KEYS:
                del self._seen[next(iter(self._seen))]
        if n < BURST:
            return True, held
        losses.add(LineLoss.REPEATED)
        return False, 0
