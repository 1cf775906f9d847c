"""The couriers of all sinks and their threads: added, removed and changed while the daemon runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import structlog

from surveil.alerts.courier import Courier
from surveil.alerts.delivery import Context, InstallationStatus
from surveil.alerts.outbox import Outbox
from surveil.alerts.settings import OutboxSettings
from surveil.alerts.sinks import make_sink
from surveil.alerts.sinks.base import SinkSettings
from surveil.clock import Clock, Stop
from surveil.metrics import Metrics
from surveil.settings import Settings
from surveil.threads import ThreadGroup

log = structlog.get_logger(__name__)

COURIERS_S = 1.5
"""How long couriers may take to end."""


@dataclass(slots=True)
class _SinkWorker:
    """One courier, and what ends it."""

    courier: Courier
    stop: Stop
    thread: threading.Thread | None = None


class Couriers:
    """One courier for each sink. Owned by the main thread; `wake` may come from any."""

    def __init__(
        self,
        outbox: Outbox,
        settings: OutboxSettings,
        state_dir: Path,
        metrics: Metrics,
        clock: Clock,
        group: ThreadGroup,
        status: Callable[[], InstallationStatus],
        instance: str = "surveil",
    ) -> None:
        self._outbox = outbox
        self._settings = settings
        self._state_dir = state_dir
        self._metrics = metrics
        self._clock = clock
        self._group = group
        self._status = status
        self._instance = instance
        self._posts: dict[str, _SinkWorker] = {}

    def add(self, sinks: Mapping[str, Settings]) -> None:
        """Deliver to these sinks, too; the courier of a sink that is there already makes way for the new one."""
        posts = {name: self._make(name, settings) for name, settings in sinks.items()}
        if not posts:
            return
        self._end(posts.keys() & self._posts.keys())
        # Replaced as a whole: whoever wakes couriers on another thread sees the old ones or the new.
        self._posts = {**self._posts, **posts}
        self._outbox.set_sinks(list(self._posts))
        for name, post in posts.items():
            post.thread = self._group.start(f"courier-{name}", partial(post.courier.run, post.stop))

    def remove(self, sinks: Iterable[str]) -> None:
        """Deliver to these sinks no more; what waits for them becomes a dead letter."""
        gone = set(sinks)
        if not gone:
            return
        self._end(gone)
        self._posts = {name: post for name, post in self._posts.items() if name not in gone}
        self._outbox.set_sinks(list(self._posts))
        for name in gone:
            self._metrics.forget(sink=name)

    def end(self, patience_s: float) -> bool:
        """End all couriers; return whether they ended in time."""
        return self._end(self._posts, patience_s)

    def wake(self) -> None:
        """Say that there is work."""
        for post in self._posts.values():
            post.courier.wake()

    def _make(self, name: str, settings: Settings) -> _SinkWorker:
        stop = Stop()
        context = Context(
            name=name, state_dir=self._state_dir, instance=self._instance, clock=self._clock, stop=stop
        )
        sink = make_sink(cast("SinkSettings", settings), context)
        courier = Courier(
            name, sink, self._outbox, self._clock, self._settings, metrics=self._metrics, status=self._status
        )
        return _SinkWorker(courier, stop)

    def _end(self, names: Iterable[str], patience_s: float = COURIERS_S) -> bool:
        posts = [self._posts[name] for name in names]
        for post in posts:
            post.stop.set()
            post.courier.wake()
        threads = [post.thread for post in posts if post.thread]
        ended = self._group.join_those(threads, patience_s, self._clock)
        if not ended:
            log.error("couriers did not end in time", threads=[t.name for t in threads if t.is_alive()])
        return ended
