"""The daemon: starts every thread in order, watches them, and stops them from source to sink."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from functools import partial

import structlog
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from surveil import __version__, logs
from surveil.alerts.outbox import Outbox
from surveil.app.arming import Arming, SwitchWatch
from surveil.app.assembly import CameraFactory, make_stages
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
from surveil.app.couriers import Couriers
from surveil.app.decisions import DecisionRecorder
from surveil.app.evidence_store import EvidenceStore
from surveil.app.fleet import Fleet
from surveil.app.gpu import GpuCollector
from surveil.app.models import ModelKeepers
from surveil.app.reload import Reloader
from surveil.app.signals import ProcessRequest, Requests
from surveil.app.state_dir import StateLock, configured
from surveil.app.status import StatusReporter
from surveil.capture.certificates import FOLDER as CERTIFICATES
from surveil.capture.certificates import Pins
from surveil.clock import Clock, Stop, SystemClock
from surveil.config import Config, load
from surveil.damage import found as damage
from surveil.detect.detector import Detector, run_on
from surveil.detect.session import wants_gpu
from surveil.errors import EXIT_UNCLEAN
from surveil.features.base import ModelPlace, Shared
from surveil.features.counting.wiring import make_counter
from surveil.features.health.channel import Views, ViewWatch
from surveil.listening import bind
from surveil.logstream import losses
from surveil.metrics import Metrics
from surveil.systemd import Notifier
from surveil.threads import Heartbeats, ThreadGroup
from surveil.types import Alert
from surveil.web import Web

log = structlog.get_logger(__name__)

_LOOK_S = 1.0
"""How often the main thread looks after stages and cameras."""
_END_S = 9.0
"""How long the end may take, for all threads together: systemd kills what has not ended after 15 s. No stage has a
limit of its own, because a stage that is slow on a busy machine is no stage that hangs."""
_LEAST_S = 0.5
"""What each has nevertheless, when one before it hangs."""
_LAST_LOOKS_S = 2.0
"""How long frames that wait for the models at the end are still looked at; the rest is dropped."""
_FAILED = 1


class Daemon:
    """The whole program for one configuration. Built, run and ended by the main thread.

    Raises ConfigError, StateError or ModelError when it cannot start.
    """

    def __init__(
        self,
        config: Config,
        detector: Detector,
        clock: Clock | None = None,
        on_alerts: Callable[[Sequence[Alert]], None] = lambda _alerts: None,
    ) -> None:
        self.clock = clock or SystemClock()
        self.stop = Stop()
        self._stuck: list[str] = []
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self._shared = Shared(self.metrics, self.clock)
        self.detector = detector
        logs.hide(config.secrets)
        self._beats = Heartbeats(self.clock)
        self._group = ThreadGroup(self.stop)
        self._commit_stop = Stop()
        self._listener = bind(config.http.listen)
        self._state_dir = configured(config.state_dir, config.path)
        self._lock = StateLock(self._state_dir)
        self.outbox = Outbox.open(
            self._state_dir / "surveil.db", list(config.sinks), self.clock, config.outbox
        )
        self._archive = EvidenceStore(
            self._state_dir,
            self.outbox,
            config.storm,
            self.metrics,
            self.clock,
            self._wake,
            damage=damage,
            incidents=config.incidents,
        )
        self.pipeline = make_stages(
            detector,
            self._archive.writer,
            self._shared,
            counter=make_counter(self._state_dir, self.metrics),
            on_alerts=on_alerts,
        )
        self._decisions = DecisionRecorder(self._state_dir, self.pipeline.analyse.decisions.take, self.clock)
        self._models = ModelKeepers(self._shared, ModelPlace(self._state_dir, config.model))
        self.arming = Arming()
        self._switches = SwitchWatch(self._state_dir / "surveil.db", self.arming, self.clock)
        self._switches.look()
        self._factory = CameraFactory(detector, self._shared, self.arming, config.schedules)
        self._views = ViewWatch(self._state_dir / "surveil.db", self._shared.get(Views))
        self.fleet = Fleet(
            self.pipeline, self._archive, self._models, config.camera_lost, self._factory, self._group,
            Pins(self._state_dir / CERTIFICATES),
        )  # fmt: skip
        self.facts = StatusReporter(
            self.fleet,
            self.pipeline.ring.books,
            self.outbox,
            self._beats,
            detector,
            self.clock,
            lambda: self.reloader.last,
        )
        self.couriers = Couriers(
            self.outbox,
            config.outbox,
            self._state_dir,
            self.metrics,
            self.clock,
            self._group,
            self.facts.installation,
            config.instance,
        )
        self.web = Web(self._listener, config.http, self.facts, self.registry, self._state_dir)
        self.fleet.add(config.cameras.values())
        self._show(config)
        self.reloader = Reloader(
            config,
            partial(load, config.path, needs_model=True),
            self.fleet,
            self.couriers,
            self._archive,
            self.metrics,
            self.clock,
        )

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
        requests, notifier = Requests(), Notifier()
        requests.listen()
        self.start()
        notifier.ready(self.facts.summary())
        log.info(
            "surveil started",
            version=__version__,
            cameras=len(self.config.cameras),
            pages=f"http://{self.address}",
        )
        interval_s = min(notifier.watchdog_interval_s or _LOOK_S, _LOOK_S)
        while not self.stop:
            request = requests.next(interval_s)
            if request is ProcessRequest.END:
                break
            if request is ProcessRequest.RELOAD:
                notifier.reloading(self.clock.monotonic())
                self.reloader.reload(lambda: requests.ending)
                notifier.ready(self.facts.summary())
            self._look(notifier)
        notifier.stopping()
        clean = self.end()
        if self._group.failure:
            return _FAILED
        return 0 if clean else EXIT_UNCLEAN

    def _look(self, notifier: Notifier) -> None:
        """Look after stages and cameras."""
        stuck = self.facts.stuck()
        if not stuck:
            notifier.watchdog()
        elif stuck != self._stuck:
            log.error("pipeline stages do not advance", stages=stuck)
        self._stuck = stuck
        if notifier.is_listening:
            notifier.status(self.facts.summary())
        self.fleet.watch()
        self._switches.look()
        self._views.look()
        self._decisions.look()

    def start(self) -> None:
        """Start every thread, from sink to source."""
        ended = self.outbox.end_open_events(self.clock.wall())
        if ended:
            log.warning("ended events left open by a crash", events=len(ended))
        start = self._group.start
        stages = self.pipeline
        self._web_thread = start("web", self.web.run)
        self.couriers.add(self.config.sinks)
        self._commit_thread = start(
            "commit", lambda: stages.commit.run(self._beat("commit"), self._commit_stop)
        )
        self._analyse_thread = start("analyse", lambda: stages.analyse.run(self._beat("analyse")))
        self._detect_threads = [
            start(name, partial(stages.detect.run, self._beat(name)))
            for name in (f"detect-{k}" for k in range(stages.detect.workers))
        ]
        start("warm-up", self.detector.batches.grow)
        self._prepare_threads = [
            start(name, partial(stages.prepare.run, Stop(), self._beat(name)))
            for name in (f"prepare-{k}" for k in range(os.cpu_count() or 1))
        ]
        self._models.run_once()
        start("models", partial(self._models.run, self.stop, self.clock))
        self.fleet.start()

    def end(self) -> bool:
        """Stop from source to sink; return whether every thread ended."""
        self.stop.set()
        self.detector.batches.stop_growing()
        self._end_by = self.clock.monotonic() + _END_S
        stages = self.pipeline
        good = self.fleet.end(self._left_s())
        stages.ring.close()
        good &= self._end_looking()
        stages.analyse.inbox.close()
        good &= self._join([self._analyse_thread])
        stages.commit.inbox.close()
        good &= self._join([self._commit_thread])
        self._commit_stop.set()
        good &= self.couriers.end(self._left_s())
        self.web.stop()
        good &= self._join([self._web_thread])
        left = self._group.join_all(self._left_s(), self.clock)
        self._switches.close()
        self._views.close()
        self._decisions.flush()
        if not left:
            self.outbox.close()
            self._lock.release()
        self._listener.close()
        log.info("surveil stopped", clean=good and not left)
        return good and not left

    def _end_looking(self) -> bool:
        """Look at what waits for the models, if that is soon done; return whether their threads ended.

        A camera with a frame in the models and another that waits needs both stages until its slot is home.
        """
        detect, soon = self.pipeline.detect, self.clock.monotonic() + _LAST_LOOKS_S
        if self._group.join_those(self._prepare_threads, _LAST_LOOKS_S, self.clock):
            detect.inbox.close()
            if self._group.join_those(self._detect_threads, soon - self.clock.monotonic(), self.clock):
                return True
        log.warning("dropping pending frames: inference did not finish before shutdown")
        detect.abandon()
        prepared = self._join(self._prepare_threads)
        detect.inbox.close()
        return self._join(self._detect_threads) and prepared

    def _join(self, threads: Sequence[threading.Thread]) -> bool:
        return self._group.join_those(threads, self._left_s(), self.clock)

    def _left_s(self) -> float:
        """How long the next threads may take to end, s."""
        return max(_LEAST_S, self._end_by - self.clock.monotonic())

    def _wake(self) -> None:
        self.couriers.wake()

    def _beat(self, stage: str) -> Callable[[], None]:
        self._beats.beat(stage)
        return lambda: self._beats.beat(stage)

    def _show(self, config: Config) -> None:
        self.metrics.add_process(
            version=__version__,
            config=config.digest[:12],
            provider=self.detector.provider,
            model=self.detector.name,
            wanted="cuda" if wants_gpu(run_on(config.model)) else "cpu",
        )
        for collector in (
            RingCollector(self.pipeline.ring.books),
            OutboxCollector(self.outbox.queue.counts, self.outbox.queue.oldest_pending_s),
            EventCollector(self.outbox.open_events, self.fleet.rules),
            DiskCollector(self._state_dir, self.fleet.states, self.outbox.evidence.sizes),
            GpuCollector(),
            LogCollector(losses.counts),
            DamageCollector(damage.counts),
            LedgerCollector(self.pipeline.commit.books.totals, self.fleet.rules),
            RuleCollector(lambda: self.arming.states(self.config, self.clock.wall())),
        ):
            self.registry.register(collector)
        for standard in (ProcessCollector, PlatformCollector, GCCollector):
            standard(registry=self.registry)
