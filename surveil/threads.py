"""Thread groups: every thread belongs to one, is watched, and is joined.

A failed core thread stops the program with a non-zero exit, because a daemon that runs without one of
its stages looks healthy and sees nothing.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NoReturn

import structlog

from surveil.clock import Clock, Stop
from surveil.logstream import descriptor_of, has_room

log = structlog.get_logger(__name__)


class Heartbeats:
    """When each required stage last showed that it advances. Any thread may call any method."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: dict[str, float] = {}

    def beat(self, stage: str) -> None:
        """Note that `stage` advances now, or waits for work as it should."""
        self._last[stage] = self._clock.monotonic()

    def of(self, stage: str) -> Callable[[], None]:
        """Note that `stage` advances now; return what it calls whenever it does."""
        self.beat(stage)
        return partial(self.beat, stage)

    def forget(self, stage: str) -> None:
        """Expect nothing of `stage` any more."""
        self._last.pop(stage, None)

    def stuck(self, patience_s: float) -> list[str]:
        """Return the stages that have not advanced for `patience_s`."""
        now = self._clock.monotonic()
        return sorted(stage for stage, last in list(self._last.items()) if now - last > patience_s)

    def ages(self) -> dict[str, float]:
        """Seconds since each stage's last beat."""
        now = self._clock.monotonic()
        return {stage: now - last for stage, last in list(self._last.items())}


class ThreadGroup:
    """Starts threads, stops everything when one fails, and joins them all.

    Owned by the thread that made it. `failure` holds the first exception of a core thread.
    """

    def __init__(self, stop: Stop) -> None:
        self.stop = stop
        self.failure: BaseException | None = None
        self._threads: list[threading.Thread] = []

    def start(self, name: str, run: Callable[[], None]) -> threading.Thread:
        """Run `run` in a thread called `name`; an exception in it stops the group."""

        def guarded() -> None:
            _name_for_the_system(name)
            try:
                run()
            except BaseException as error:  # noqa: BLE001 - the one place where a bug ends the program
                self._fail(name, error)

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _fail(self, name: str, error: BaseException) -> None:
        log.critical("core thread failed, stopping", thread=name, exc_info=error)
        if self.failure is None:
            self.failure = error
        self.stop.set()

    def join(self, thread: threading.Thread, timeout_s: float) -> bool:
        """Wait for one thread; return whether it ended."""
        thread.join(timeout_s)
        if thread.is_alive():
            return False
        if thread in self._threads:
            self._threads.remove(thread)
        return True

    def join_those(self, threads: Iterable[threading.Thread], timeout_s: float, clock: Clock) -> bool:
        """Wait for some threads together; return whether all ended."""
        deadline = clock.monotonic() + timeout_s
        ended = [self.join(thread, max(0.05, deadline - clock.monotonic())) for thread in threads]
        return all(ended)

    def join_all(self, timeout_s: float, clock: Clock) -> list[str]:
        """Wait for all threads together; return the names of those that did not end."""
        deadline = clock.monotonic() + timeout_s
        for thread in list(self._threads):
            self.join(thread, max(0.0, deadline - clock.monotonic()))
        left = self.left
        if left:
            log.error("threads did not end in time", threads=left, timeout_s=timeout_s)
            _dump_stacks()
        return left

    @property
    def left(self) -> list[str]:
        """Names of the threads that were not joined."""
        return [thread.name for thread in self._threads]


def leave(code: int) -> NoReturn:
    """End the process at once with `code`, threads that were left behind or not; what was logged is out.

    The interpreter's own farewell would not do. A thread that comes back out of C++ during it is unwound through
    code that forbids that, and the process aborts instead (seen with a run of ONNX Runtime under way). And it frees
    what the system takes back anyway: 0.8 s after all threads had ended, 7.7 s on a busy machine.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads it any more, or its disk is full
            stream.flush()
    os._exit(code)


def _dump_stacks() -> None:
    """Write every thread's stack where the log goes, unless that would wait for a reader."""
    descriptor = descriptor_of(sys.stderr)
    if descriptor is not None and has_room(descriptor):
        faulthandler.dump_traceback(descriptor, all_threads=True)


def _name_for_the_system(name: str) -> None:
    """Name the calling thread for `top -H`, `ps -L` and perf, which show 15 bytes; Python tells only itself."""
    with suppress(OSError):  # not Linux
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_bytes(name.encode()[:15])
