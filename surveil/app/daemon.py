"""The daemon: starts every thread in order, watches them, and stops them from source to sink."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from starlette.routing import BaseRoute

from surveil import __version__, logs
from surveil.app.arming import Arming
from surveil.app.assembly import CameraFactory, make_stages
from surveil.app.camera_set import CameraSet
from surveil.app.collectors import (
    DamageCollector,
    DiskCollector,
    EventCollector,
    LedgerCollector,
    LogCollector,
    OutboxCollector,
    RingCollector,
    RuleCollector,
)
from surveil.app.couriers import Bell, Couriers, make_links
from surveil.app.evidence_store import EvidenceStore
from surveil.app.parts import InferenceParts, ModelKeepers, Offsite, Recordings, State, Watches
from surveil.app.reload import Reloader
from surveil.app.services import Service, Services, ThreadSet, at_once
from surveil.app.signals import ProcessRequest, Requests
from surveil.app.status import StatusReporter
from surveil.capture.certificates import FOLDER as CERTIFICATES
from surveil.capture.certificates import Pins
from surveil.capture.picture import give_back
from surveil.clock import Clock, Every, Stop, SystemClock
from surveil.config import Config, load
from surveil.cuda import gpu_present
from surveil.damage import found as damage
from surveil.detect.detector import Detector, run_on
from surveil.detect.session import wants_gpu
from surveil.errors import EXIT_UNCLEAN
from surveil.features.base import ModelPlace, Shared
from surveil.features.counting.wiring import Counting
from surveil.listening import bind, check_certificate
from surveil.logstream import losses
from surveil.metrics import Metrics
from surveil.systemd import Notifier
from surveil.threads import Heartbeats, ThreadGroup
from surveil.types import Alert
from surveil.web import Web

if TYPE_CHECKING:
    from surveil.app.console import LiveView
    from surveil.app.node import FleetNode

log = structlog.get_logger(__name__)

_LOOK_S = 1.0
"""How often the main thread looks after stages and cameras."""
_TRIM_S = 60.0
"""How often memory is given back: pages, viewers and alerts leave holes in the heap, too."""
_FAILED = 1


def _live_view(config: Config, clock: Clock, metrics: Metrics) -> LiveView | None:
    """Return the live view where the console is on; without it nothing of it is imported."""
    if not config.http.console:
        return None
    from surveil.app.console import LiveView  # noqa: PLC0415 - see above

    return LiveView(clock, metrics, config.state_dir)


def _nothing() -> None:
    """Do nothing."""


def _as_it_is(alert: Alert) -> Alert:
    return alert


class Daemon:
    """The whole program for one configuration. Built, run and ended by the main thread.

    Raises ConfigError, StateError or ModelError when it cannot start.
    """

    def __init__(
        self,
        config: Config,
        detector: Detector,
        clock: Clock | None = None,
    ) -> None:
        logs.hide(config.secrets)
        self.clock = clock = clock or SystemClock()
        self.stop, self._commit_stop = Stop(), Stop()
        self.registry, self.detector = CollectorRegistry(), detector
        self.metrics = metrics = Metrics(self.registry)
        self._stuck: list[str] = []
        self._trim = Every(_TRIM_S)
        self._requests = Requests()
        self._beats, self._group = Heartbeats(clock), ThreadGroup(self.stop)
        check_certificate(config.http)
        self._listener = bind(config.http.listen)
        self._state = State(config, clock)
        folder = self._state.folder
        self.outbox = outbox = self._state.outbox
        shared, bell, self.arming = Shared(metrics, clock), Bell(), Arming()
        self._node = node = self._make_node(config, folder)
        self.evidence = EvidenceStore(
            folder, outbox, config.storm, metrics, clock, bell.ring, damage=damage, incidents=config.incidents,
            stamp=node.stamp if node else _as_it_is,
        )  # fmt: skip
        self._recordings = Recordings(self._state, metrics, clock, self._group)
        self._offsite = Offsite(self._state, config.offsite, metrics, clock, self._group)
        self._live = live = _live_view(config, clock, metrics)
        self.pipeline = make_stages(
            detector, self.evidence.writer, shared, counting=Counting(folder, metrics), audience=live,
            on_alerts=self._recordings.committed,
        )  # fmt: skip
        self._models = ModelKeepers(shared, ModelPlace(folder, config.model))
        self._watches = Watches(self._state, self.arming, shared, self.pipeline.analyse.decisions.take)
        factory = CameraFactory(detector, shared, self.arming, config.schedules, live.look if live else None)
        self.cameras = CameraSet(
            self.pipeline, self.evidence, self._models, config.camera_lost, factory, self._group,
            Pins(folder / CERTIFICATES), self._recordings, live, node.may_read if node else None,
        )  # fmt: skip
        self._recordings.skew_of = self.cameras.skew_of
        self.couriers = Couriers(
            outbox, config.outbox, folder, metrics, clock, self._group, self.cameras.installation,
            config.instance, bell, make_links(config.http, folder),
        )  # fmt: skip
        again = partial(load, config.path, needs_model=True)
        self.reloader = Reloader(
            config, again, self.cameras, self.couriers, self.evidence, metrics, clock, node
        )
        self.cameras.keep_others(config)
        self.cameras.add(self.config.cameras.values())
        self._describe(config)
        books = self.pipeline.ring.books
        self.status = StatusReporter(self.cameras, books, outbox, self._beats, detector, clock, self.reloader)
        self.web = Web(self._listener, config.http, self.status, self.registry, folder, self._more(shared))
        self._register_collectors()
        self._services = Services(self._table(), clock)

    def _make_node(self, config: Config, folder: Path) -> FleetNode | None:
        """Return this daemon as a node of a fleet; without one nothing of it is imported."""
        if config.fleet is None:
            return None
        from surveil.app.node import FleetNode  # noqa: PLC0415 - see above

        def received() -> dict[str, int]:
            return {name: books.received for name, books in self.pipeline.ring.books().items()}

        return FleetNode(
            config, config.fleet, folder, self._requests.ask_to_follow, self.outbox.queue.counts, received
        )

    def _more(self, shared: Shared) -> Sequence[BaseRoute]:
        """Return what the web server serves besides the daemon's own pages."""
        console = self._console(shared)
        return (*console, self._node.page(self.address)) if self._node else console

    def _console(self, shared: Shared) -> Sequence[BaseRoute]:
        """Return what the web server serves for the console; without it nothing of it is imported."""
        if self._live is None:
            return ()
        from surveil.app.console import DaemonView, make_console  # noqa: PLC0415 - see above

        view = DaemonView(self.reloader, self._requests, self.cameras, self.arming, shared, self._node)
        return make_console(view, self._state, shared, self._live)

    @property
    def address(self) -> str:
        """Where the pages are, as host:port."""
        host, port = self._listener.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def config(self) -> Config:
        """What runs: the configuration of the start, or of the last reload that was taken."""
        return self.reloader.config

    # Life.

    def run(self) -> int:
        """Run until a signal or a failure; return the exit code: 0, 1 after a failure, or `EXIT_UNCLEAN`.

        What is to be done then is `threads.leave`: a thread may have been left behind.
        """
        requests, notifier = self._requests, Notifier()
        requests.listen()
        self.start()
        notifier.ready(self.status.summary())
        log.info(
            "surveil started",
            version=__version__,
            cameras=len(self.config.cameras),
            pages=f"{'https' if self.config.http.certificate else 'http'}://{self.address}",
        )
        interval_s = min(notifier.watchdog_interval_s or _LOOK_S, _LOOK_S)
        while not self.stop:
            request = requests.next(interval_s)
            if request is ProcessRequest.END:
                break
            if request is ProcessRequest.RELOAD:
                notifier.reloading(self.clock.monotonic())
                self.reloader.reload(lambda: requests.ending)
                notifier.ready(self.status.summary())
            self._follow_leases()
            self._look(notifier)
        notifier.stopping()
        clean = self.end()
        if self._group.failure:
            return _FAILED
        return 0 if clean else EXIT_UNCLEAN

    def _follow_leases(self) -> None:
        """Have the cameras that the leases say; on a change, and whenever one has run out."""
        if self._node and self._node.differs():
            self.reloader.follow(lambda: self._requests.ending)

    def _look(self, notifier: Notifier) -> None:
        """Look after stages and cameras."""
        stuck = self.status.stuck()
        if not stuck:
            notifier.watchdog()
        elif stuck != self._stuck:
            log.error("pipeline stages do not advance", stages=stuck)
        self._stuck = stuck
        if notifier.is_listening:
            notifier.status(self.status.summary())
        self.cameras.watch()
        self._watches.look()
        if self._trim.due(self.clock.monotonic()):
            give_back()

    def start(self) -> None:
        """Start every thread, from sink to source."""
        self._services.start()

    def end(self) -> bool:
        """Stop from source to sink; return whether every thread ended."""
        self.stop.set()
        self.detector.batches.stop_growing()
        clean = self._services.stop()
        log.info("surveil stopped", clean=clean)
        return clean

    # What starts and stops.

    def _table(self) -> tuple[Service, ...]:
        """Name what starts, from sink to source; all of it stops from the last line to the first."""
        commit, analyse, web = self.pipeline.commit, self.pipeline.analyse, self.web
        beat, threads = self._beats.of, partial(ThreadSet, self._group, self.clock)
        pages = threads(["web"], lambda _name: web.run(), web.stop)
        committing = threads(
            ["commit"], lambda name: commit.run(beat(name), self._commit_stop), commit.inbox.close
        )
        analysing = threads(["analyse"], lambda name: analyse.run(beat(name)), analyse.inbox.close)
        inference = InferenceParts(self.pipeline, self.detector, self._group, self._beats, self.clock)
        return (
            Service("listener", stop=at_once(self._listener.close)),
            Service("state", self._state.end_open_events, self._close_state),
            Service("watches", stop=at_once(self._watches.close)),
            Service("threads", stop=self._join_the_rest),
            Service("web", pages.start, pages.stop),
            *(self._node.services(self._group, self.clock, self.stop, self._beats) if self._node else ()),
            Service("live", self._start_live, at_once(self._live.close if self._live else _nothing)),
            Service("couriers", self._start_couriers, self.couriers.end),
            Service("offsite", self._offsite.start, self._offsite.stop),
            Service("commit", committing.start, partial(self._stop_commit, committing)),
            Service("analyse", analysing.start, analysing.stop),
            Service("inference", inference.start, inference.stop),
            Service("models", self._start_models),
            Service("recordings", self._recordings.start, self._recordings.stop),
            Service("cameras", self.cameras.start, self._stop_cameras),
        )

    def _start_live(self) -> None:
        if self._live is not None:
            self._live.start(self._group)

    def _start_couriers(self) -> None:
        self.couriers.add(self.config.sinks)

    def _start_models(self) -> None:
        """Load what there is before the first frame; the thread ends with the group."""
        self._models.run_once()
        self._group.start("models", partial(self._models.run, self.stop, self.clock))

    def _stop_cameras(self, patience_s: float) -> bool:
        ended = self.cameras.end(patience_s)
        self.pipeline.ring.close()
        return ended

    def _stop_commit(self, threads: ThreadSet, patience_s: float) -> bool:
        ended = threads.stop(patience_s)
        self._commit_stop.set()
        return ended

    def _join_the_rest(self, patience_s: float) -> bool:
        """Wait for every thread that is left; whichever does not end is named in the log."""
        return not self._group.join_all(patience_s, self.clock)

    def _close_state(self, _patience_s: float) -> bool:
        """Close the outbox, unless a thread that was left behind may still use it."""
        if not self._group.left:
            self._state.close()
        return True

    # What the metrics show.

    def _describe(self, config: Config) -> None:
        """Say in the metrics what runs."""
        self.metrics.add_process(
            version=__version__,
            config=config.digest[:12],
            provider=self.detector.provider,
            model=self.detector.name,
            wanted="cuda" if wants_gpu(run_on(config.model)) else "cpu",
        )

    def _register_collectors(self) -> None:
        for collector in (
            RingCollector(self.pipeline.ring.books),
            OutboxCollector(self.outbox.queue.counts, self.outbox.queue.oldest_pending_s),
            EventCollector(self.outbox.open_events, self.cameras.rules),
            DiskCollector(self._state.folder, self.cameras.states, self.outbox.evidence.sizes),
            LogCollector(losses.counts),
            DamageCollector(damage.counts),
            LedgerCollector(self.pipeline.commit.books.totals, self.cameras.rules),
            RuleCollector(lambda: self.arming.states(self.config, self.clock.wall())),
        ):
            self.registry.register(collector)
        if gpu_present():
            from surveil.app.gpu import GpuCollector  # noqa: PLC0415

            self.registry.register(GpuCollector())
        if self._node:
            self.registry.register(self._node.collector())
        for standard in (ProcessCollector, PlatformCollector, GCCollector):
            standard(registry=self.registry)
