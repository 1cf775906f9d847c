"""The couriers of all sinks and their threads: added, removed and changed while the daemon runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import structlog

from surveil.alerts.courier import Courier
from surveil.alerts.delivery import Context, InstallationStatus
from surveil.alerts.outbox import Outbox
from surveil.alerts.settings import OutboxSettings
from surveil.alerts.sinks import make_sink
from surveil.alerts.sinks.base import SinkSettings
from surveil.clock import Clock, Stop
from surveil.listening import HttpSettings
from surveil.metrics import Metrics
from surveil.settings import Settings
from surveil.threads import ThreadGroup

if TYPE_CHECKING:
    from surveil.alerts.signed import Links

log = structlog.get_logger(__name__)

COURIERS_S = 1.5
"""How long couriers may take to end."""


@dataclass(slots=True)
class _SinkWorker:
    """One courier, and what ends it."""

    courier: Courier
    stop: Stop
    thread: threading.Thread | None = None


class Bell:
    """Wakes the couriers that there are. Made before them; any thread may ring it."""

    def __init__(self) -> None:
        self.couriers: tuple[Courier, ...] = ()
        """Replaced as a whole: a caller that rings sees either the old or the new ones."""

    def ring(self) -> None:
        """Say that there is work."""
        for courier in self.couriers:
            courier.wake()


def make_links(settings: HttpSettings, state_dir: Path) -> Links | None:
    """Return what makes links to the pages of events; None where they have no address. Raises StateError."""
    if not settings.public_url:
        return None
    from surveil.alerts.signed import Links, make_signer  # noqa: PLC0415 - see above

    return Links(make_signer(state_dir), settings.public_url, settings.link_days)


class Couriers:
    """One courier for each sink. Owned by the main thread."""

    def __init__(
        self,
        outbox: Outbox,
        settings: OutboxSettings,
        state_dir: Path,
        metrics: Metrics,
        clock: Clock,
        group: ThreadGroup,
        status: Callable[[], InstallationStatus],
        instance: str,
        bell: Bell,
        links: Links | None = None,
    ) -> None:
        """`links`: to the pages of events, where they are known under an address."""
        self._links = links
        self._outbox = outbox
        self._settings = settings
        self._state_dir = state_dir
        self._metrics = metrics
        self._clock = clock
        self._group = group
        self._status = status
        self._instance = instance
        self._bell = bell
        self._workers: dict[str, _SinkWorker] = {}

    def add(self, sinks: Mapping[str, Settings]) -> None:
        """Deliver to these sinks, too; the courier of a sink that is there already makes way for the new one.

        Raises StateError, and changes nothing then, where the database cannot be written.
        """
        workers = {name: self._make(name, settings) for name, settings in sinks.items()}
        if not workers:
            return
        whole = {**self._workers, **workers}
        self._outbox.set_sinks(list(whole))
        self._end(workers.keys() & self._workers.keys())
        self._use(whole)
        for name, worker in workers.items():
            worker.thread = self._group.start(f"courier-{name}", partial(worker.courier.run, worker.stop))

    def remove(self, sinks: Iterable[str]) -> None:
        """Deliver to these sinks no more; what waits for them becomes a dead letter."""
        gone = set(sinks)
        if not gone:
            return
        self._end(gone)
        self._use({name: worker for name, worker in self._workers.items() if name not in gone})
        self._outbox.set_sinks(list(self._workers))
        for name in gone:
            self._metrics.forget(sink=name)

    def end(self, patience_s: float) -> bool:
        """End all couriers; return whether they ended in time."""
        return self._end(self._workers, patience_s)

    def _use(self, workers: dict[str, _SinkWorker]) -> None:
        self._workers = workers
        self._bell.couriers = tuple(worker.courier for worker in workers.values())

    def _make(self, name: str, settings: Settings) -> _SinkWorker:
        stop = Stop()
        context = Context(
            name=name, state_dir=self._state_dir, instance=self._instance, clock=self._clock, stop=stop
        )
        sink = make_sink(cast("SinkSettings", settings), context)
        courier = Courier(
            name,
            sink,
            self._outbox,
            self._clock,
            self._settings,
            metrics=self._metrics,
            status=self._status,
            links=self._links,
        )
        return _SinkWorker(courier, stop)

    def _end(self, names: Iterable[str], patience_s: float = COURIERS_S) -> bool:
        workers = [self._workers[name] for name in names]
        for worker in workers:
            worker.stop.set()
            worker.courier.wake()
        threads = [worker.thread for worker in workers if worker.thread]
        ended = self._group.join_those(threads, patience_s, self._clock)
        if not ended:
            log.error("couriers did not end in time", threads=[t.name for t in threads if t.is_alive()])
        return ended
