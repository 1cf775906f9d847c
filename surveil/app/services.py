"""Services of the daemon: started one after another, and ended in the reverse order within one time limit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from surveil.clock import Clock
from surveil.threads import ThreadGroup

log = structlog.get_logger(__name__)

_END_S = 9.0
"""How long the end may take, for all services together: systemd kills what has not ended after 15 s. No service has a
limit of its own, because a stage that is slow on a busy machine is no stage that hangs."""
LEAST_S = 0.5
"""What each has nevertheless, when one before it hangs."""


def at_once(close: Callable[[], None]) -> Callable[[float], bool]:
    """Return a `stop` for what takes no time to end."""

    def stop(_patience_s: float) -> bool:
        close()
        return True

    return stop


def _nothing() -> None:
    """Do nothing."""


def _ends_with_others(_patience_s: float) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Service:
    """One line of the daemon's table."""

    name: str
    start: Callable[[], None] = _nothing
    stop: Callable[[float], bool] = _ends_with_others
    """Takes how long it may last, s; returns whether all threads of the service have ended."""
    patience_s: float = LEAST_S
    """How long `stop` may last even when the time for all services is over."""


class Services:
    """Walks a table forwards at the start and backwards at the end. Owned by the main thread."""

    def __init__(self, table: Sequence[Service], clock: Clock) -> None:
        self._table = tuple(table)
        self._clock = clock

    def start(self) -> None:
        """Start every service, from sink to source."""
        for service in self._table:
            service.start()

    def stop(self) -> bool:
        """Stop every service, from source to sink; return whether all ended in time."""
        end_by = self._clock.monotonic() + _END_S
        clean = True
        for service in reversed(self._table):
            began = self._clock.monotonic()
            ended = service.stop(max(service.patience_s, end_by - began))
            log.debug(
                "service stopped", service=service.name, clean=ended, seconds=self._clock.monotonic() - began
            )
            clean &= ended
        return clean


class ThreadSet:
    """Threads that start together and are waited for together. Owned by the main thread."""

    def __init__(
        self,
        group: ThreadGroup,
        clock: Clock,
        names: Sequence[str],
        run: Callable[[str], None],
        ask_to_end: Callable[[], None] = _nothing,
    ) -> None:
        self._group = group
        self._clock = clock
        self._names = tuple(names)
        self._run = run
        self._ask_to_end = ask_to_end
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Run one thread of each name; each is given its name."""
        self._threads += [self._group.start(name, partial(self._run, name)) for name in self._names]

    def stop(self, timeout_s: float) -> bool:
        """Ask them to end and wait for them; return whether they ended."""
        self._ask_to_end()
        return self.join(timeout_s)

    def join(self, timeout_s: float) -> bool:
        """Wait for all of them; return whether they ended."""
        return self._group.join_those(self._threads, timeout_s, self._clock)
