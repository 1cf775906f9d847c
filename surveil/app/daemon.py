"""The daemon: starts every thread in order, watches them, and stops them from source to sink."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from surveil import __version__, logs
from surveil.alerts.camerawatch import RULE as CAMERA_LOST
from surveil.alerts.camerawatch import CameraWatch, Sight
from surveil.alerts.courier import Courier
from surveil.alerts.delivery import Camera, Status
from surveil.alerts.links import picture_link
from surveil.alerts.outbox import Outbox
from surveil.app.arming import Arming, SwitchWatch
from surveil.app.assembly import make_couriers, make_pipeline, make_recorders, make_scenes, make_writer
from surveil.app.classifying import make_keeper
from surveil.app.collectors import (
    DiskCollector,
    EventCollector,
    OutboxCollector,
    RingCollector,
    RuleCollector,
)
from surveil.app.gpu import GpuCollector
from surveil.capture.loop import CaptureLoop
from surveil.clock import Clock, Stop, SystemClock
from surveil.config import CameraConfig, Config
from surveil.detect.detector import Detector, run_on
from surveil.detect.session import wants_gpu
from surveil.engine import Step
from surveil.errors import StateError
from surveil.learn.auto import NormalityKeeper, look_after
from surveil.metrics import Metrics
from surveil.pipeline.commit import Outcome
from surveil.rules.base import rule_name
from surveil.systemd import Notifier
from surveil.threads import Heartbeats, ThreadGroup
from surveil.train.shelf import Shelf
from surveil.types import Alert
from surveil.web import Web, bind

log = structlog.get_logger(__name__)

STUCK_S = 20.0
"""A stage that has not advanced for so long is stuck; the watchdog is no longer fed."""
_LOOK_S = 1.0
"""How often the main thread looks after stages and cameras."""
_CAPTURES_S = 3.2
_STAGE_S = 2.0
_COURIERS_S = 1.5
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
        self.config = config
        self.clock = clock or SystemClock()
        self.stop = Stop()
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.beats = Heartbeats(self.clock)
        self.detector = detector
        logs.hide(config.secrets)
        self._couriers_stop = Stop()
        self._group = ThreadGroup(self.stop)
        self._listener = bind(config.http.listen)
        self._state_dir = _usable(config.state_dir)
        self.outbox = Outbox.open(
            self._state_dir / "surveil.db", list(config.sinks), self.clock, config.outbox
        )
        self.couriers: list[Courier] = make_couriers(
            config, self.outbox, self.metrics, self.clock, self._couriers_stop, self._sink_status
        )
        self._recorders = make_recorders(config)
        writer = make_writer(
            config, self.outbox, self.metrics, self._wake, self._state_dir, self.clock, self._recorders
        )
        self._scenes, self._shelf = make_scenes(config), Shelf()
        self.arming = Arming()
        self._switches = SwitchWatch(self._state_dir / "surveil.db", self.arming, self.clock)
        self._switches.look()
        self.pipeline = make_pipeline(
            config,
            detector,
            writer,
            self.metrics,
            self.clock,
            scenes=self._scenes,
            shelf=self._shelf,
            arming=self.arming,
            on_alerts=on_alerts,
        )
        self.captures: dict[str, CaptureLoop] = {
            name: self._capture(camera) for name, camera in config.cameras.items() if camera.enabled
        }
        self.web = Web(self._listener, config.http, self, self.registry, self._state_dir)
        self._watch = CameraWatch(
            config.camera_lost, {name: config.cameras[name].sinks for name in self.captures}
        )
        self._show()

    @property
    def address(self) -> str:
        """Where the pages are, as host:port."""
        host, port = self._listener.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    # Life.

    def run(self) -> int:
        """Run until a signal or a failure; return the exit code."""
        self._handle_signals()
        notifier = Notifier()
        self.start()
        notifier.ready(self.summary())
        log.info(
            "surveil runs", version=__version__, cameras=len(self.captures), pages=f"http://{self.address}"
        )
        interval_s = min(notifier.watchdog_interval_s or _LOOK_S, _LOOK_S)
        while not self.stop.wait(interval_s):
            if stuck := self.beats.stuck(STUCK_S):
                log.error("stages do not advance", stages=stuck)
            else:
                notifier.watchdog()
            if notifier.is_listening:
                notifier.status(self.summary())
            self.watch_cameras()
            self._switches.look()
        notifier.stopping()
        clean = self.end()
        return _FAILED if self._group.failure or not clean else 0

    def watch_cameras(self) -> None:
        """Alert when a camera has been away for long, and when it is back."""
        sights = {name: Sight(c.status.state, c.status.cause) for name, c in self.captures.items()}
        for alert in self._watch.step(sights, self.clock.monotonic(), self.clock.wall()):
            self.pipeline.commit.offer(Outcome(alert.camera, Step((alert,))))

    def start(self) -> None:
        """Start every thread, from sink to source."""
        ended = self.outbox.end_open_events(self.clock.wall())
        if ended:
            log.warning("events left open by a crash are ended", events=len(ended))
        start = self._group.start
        stages = self.pipeline
        self._web_thread = start("web", self.web.run)
        self._courier_threads = [
            start(f"courier-{c.name}", partial(c.run, self._couriers_stop)) for c in self.couriers
        ]
        self._commit_thread = start(
            "commit", lambda: stages.commit.run(self._beat("commit"), self._couriers_stop)
        )
        self._analyse_thread = start("analyse", lambda: stages.analyse.run(self._beat("analyse")))
        self._detect_threads = [
            start(name, partial(stages.detect.run, self._beat(name)))
            for name in (f"detect-{k}" for k in range(stages.detect.workers))
        ]
        self._prepare_threads = [
            start(name, partial(stages.prepare.run, Stop(), self._beat(name)))
            for name in (f"prepare-{k}" for k in range(os.cpu_count() or 1))
        ]
        keepers = (
            NormalityKeeper(self._state_dir, self._scenes, _report_model),
            make_keeper(self._state_dir, self._shelf, self.config.model, self.metrics),
        )
        for keeper in keepers:
            keeper.run_once()
        start("models", partial(look_after, keepers, self.stop, self.clock))
        self._record_threads = [
            start(f"record-{name}", self._record(name).run)
            for name, camera in self.config.cameras.items()
            if camera.record is not None and name in self._recorders
        ]
        self._capture_threads = [
            start(f"capture-{name}", capture.run) for name, capture in self.captures.items()
        ]

    def end(self) -> bool:
        """Stop from source to sink; return whether every thread ended."""
        self.stop.set()
        stages = self.pipeline
        good = self._join([*self._capture_threads, *self._record_threads], _CAPTURES_S)
        stages.ring.close()
        good &= self._join(self._prepare_threads, _STAGE_S)
        stages.detect.inbox.close()
        good &= self._join(self._detect_threads, _STAGE_S)
        stages.analyse.inbox.close()
        good &= self._join([self._analyse_thread], _STAGE_S)
        stages.commit.inbox.close()
        good &= self._join([self._commit_thread], _STAGE_S)
        self._couriers_stop.set()
        self._wake()
        good &= self._join(self._courier_threads, _COURIERS_S)
        self.web.stop()
        good &= self._join([self._web_thread], _STAGE_S)
        left = self._group.join_all(0.1, self.clock)
        self._switches.close()
        if not left:
            self.outbox.close()
        self._listener.close()
        log.info("surveil has stopped", clean=good and not left)
        return good and not left

    def _join(self, threads: Sequence[threading.Thread], timeout_s: float) -> bool:
        deadline = self.clock.monotonic() + timeout_s
        ended = [self._group.join(t, max(0.05, deadline - self.clock.monotonic())) for t in threads]
        return all(ended)

    def _handle_signals(self) -> None:
        def end(_number: int, _frame: FrameType | None) -> None:
            if self.stop:
                os._exit(_FAILED)
            self.stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)

    # Parts.

    def _capture(self, camera: CameraConfig) -> CaptureLoop:
        ring, recorder = self.pipeline.ring, self._recorders.get(camera.name)
        return CaptureLoop(
            camera.name,
            camera.stream,
            ring.put,
            ring.lose,
            self.metrics,
            self.clock,
            self.stop,
            packets=recorder.packets if recorder and camera.record is None else None,
        )

    def _record(self, name: str) -> CaptureLoop:
        """Return what keeps the packets of a camera's second stream; nothing of it is decoded."""
        stream, recorder = self.config.cameras[name].record, self._recorders[name]
        assert stream is not None
        ring = self.pipeline.ring
        return CaptureLoop(
            name,
            stream,
            ring.put,
            lambda _lost: None,
            self.metrics,
            self.clock,
            self.stop,
            packets=recorder.packets,
        )

    def _beat(self, stage: str) -> Callable[[], None]:
        self.beats.beat(stage)
        return lambda: self.beats.beat(stage)

    def _wake(self) -> None:
        for courier in self.couriers:
            courier.wake()

    def _show(self) -> None:
        rules = {
            name: (*(rule_name(rule) for rule in camera.rules), CAMERA_LOST)
            for name, camera in self.config.cameras.items()
        }
        for name, camera in self.config.cameras.items():
            self.metrics.add_camera(name, rules[name])
            if not camera.enabled:
                self.metrics.camera_state.labels(name, "disabled").set(1)
        self.metrics.add_process(
            version=__version__,
            config=self.config.digest[:12],
            provider=self.detector.provider,
            model=self.detector.name,
            wanted="cuda" if wants_gpu(run_on(self.config.model)) else "cpu",
        )
        for collector in (
            RingCollector(self.pipeline.ring.books),
            OutboxCollector(self.outbox.counts, self.outbox.oldest_pending_s),
            EventCollector(self.outbox.open_events, rules),
            DiskCollector(self._state_dir, self.config.cameras, self.outbox.evidence_sizes),
            GpuCollector(),
            RuleCollector(lambda: self.arming.states(self.config, self.clock.wall())),
        ):
            self.registry.register(collector)
        for standard in (ProcessCollector, PlatformCollector, GCCollector):
            standard(registry=self.registry)

    # Facts for the pages.

    def states(self) -> dict[str, str]:
        """Each camera's state."""
        states = {name: capture.status.state for name, capture in self.captures.items()}
        return {name: states.get(name, "disabled") for name in self.config.cameras}

    def summary(self) -> str:
        """One line for `systemctl status`."""
        states = list(self.states().values())
        up = sum(state in ("streaming", "degraded", "catching_up") for state in states)
        pending = sum(book["pending"] for book in self.outbox.counts().values())
        return f"{up}/{len(states)} cameras up, {pending} alerts pending"

    def liveness(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether every required stage advances."""
        stuck = self.beats.stuck(STUCK_S)
        ages = {stage: round(age, 3) for stage, age in self.beats.ages().items()}
        return not stuck, {"stuck": stuck, "seconds_since": ages}

    def readiness(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether every enabled camera delivers."""
        states = self.states()
        good = all(state in ("streaming", "degraded", "catching_up", "disabled") for state in states.values())
        errors = {name: c.status.error for name, c in self.captures.items() if c.status.error}
        return good, {"cameras": states, "errors": logs.scrub(errors)}

    def status(self) -> Mapping[str, Any]:
        """Everything worth a look."""
        books = {
            name: {
                "received": b.received,
                "processed": b.processed,
                "waiting": b.waiting,
                "dropped": b.dropped,
            }
            for name, b in self.pipeline.ring.books().items()
        }
        return {
            "version": __version__,
            "cameras": self.states(),
            "frames": books,
            "delivery": self.outbox.counts(),
            "open_events": [_told(alert) for alert in self.outbox.open_events()],
            "provider": self.detector.provider,
        }

    def latest_picture(self, camera: str, rule: str, t_wall: float | None) -> str | None:
        """Return the newest picture's path below the state directory."""
        return self.outbox.latest_picture(camera, rule, self.clock.wall() if t_wall is None else t_wall)

    def _sink_status(self) -> Status:
        states = self.states()
        return Status(
            cameras={
                name: Camera(states[name], tuple(camera.zones), tuple(rule_name(r) for r in camera.rules))
                for name, camera in self.config.cameras.items()
            }
        )


def _told(alert: Alert) -> dict[str, Any]:
    """Return what `/status` says of an open event."""
    told = {"event": alert.event_id, "camera": alert.camera, "rule": alert.rule, "text": alert.text}
    return told | {"since": alert.t_wall, "picture": picture_link("/", alert)}


def _report_model(camera: str, what: str) -> None:
    log.info("learned normality", camera=camera, what=what)


def _usable(folder: Path) -> Path:
    """Create the state directory and prove that it can be written. Raises StateError with the remedy."""
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = "make it writable for this user, or set another `state_dir`"
        raise StateError(f"state_dir: {folder} cannot be written ({reason}); {remedy}") from error
    return folder
