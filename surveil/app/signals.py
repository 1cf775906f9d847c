"""Unix signals as a queue that the main thread serves."""

from __future__ import annotations

import os
import signal
from enum import Enum, auto
from queue import Empty, SimpleQueue
from types import FrameType


class ProcessRequest(Enum):
    """What a signal requests."""

    END = auto()
    """SIGTERM or SIGINT; a second one ends the process at once."""
    RELOAD = auto()
    """SIGHUP."""
    FOLLOW = auto()
    """The leases of this node have changed."""


class Requests:
    """Requests in the order in which they came. Owned by the main thread.

    A handler runs between any two bytecodes of the main thread, so it may not touch a lock that the main thread
    may hold: an `Event` set from a handler while the main thread is about to wait for it never returns.
    `SimpleQueue.put` is made for this.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[ProcessRequest] = SimpleQueue()
        self.ending = False
        """The end was asked for, whether it has been served or not."""

    def listen(self) -> None:
        """Take the signals from now on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        signal.signal(signal.SIGHUP, self._reload)

    def ask_to_reload(self) -> None:
        """Ask for a reload, as SIGHUP does; from any thread."""
        self._queue.put(ProcessRequest.RELOAD)

    def ask_to_follow(self) -> None:
        """Ask to go by the leases as they are now; from any thread."""
        self._queue.put(ProcessRequest.FOLLOW)

    def next(self, patience_s: float) -> ProcessRequest | None:
        """Return what was asked for, or None after `patience_s`. Several of a kind are one.

        The end goes first, then a reload: whoever does it follows the leases as well.
        """
        try:
            requests = {self._queue.get(timeout=patience_s)}
            while not self._queue.empty():
                requests.add(self._queue.get_nowait())
        except Empty:
            return None
        if self.ending:
            return ProcessRequest.END
        return ProcessRequest.RELOAD if ProcessRequest.RELOAD in requests else ProcessRequest.FOLLOW

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        if self.ending:
            os._exit(1)
        self.ending = True
        self._queue.put(ProcessRequest.END)

    def _reload(self, _number: int, _frame: FrameType | None) -> None:
        self._queue.put(ProcessRequest.RELOAD)
