"""The set of cameras: adding, removing and changing cameras in the pipeline.

Start, reload and stop use the same verbs, and a camera that none of them names is not touched: its connection,
its slot and its open events live on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import structlog

from surveil.alerts.camerawatch import CameraWatch, CameraWatchSettings, StreamCondition
from surveil.alerts.delivery import InstallationStatus
from surveil.app.assembly import (
    CameraFactory,
    Pipeline,
    make_places,
    work_needs,
)
from surveil.app.camera_runtime import (
    CameraRuntime,
    Failures,
    LiveCameras,
    counts_of,
    make_recorder,
    reconnects,
    rules_of,
)
from surveil.app.evidence_store import EvidenceStore
from surveil.app.parts import ModelKeepers, Recordings
from surveil.capture.certificates import Pins
from surveil.clock import Stop
from surveil.config import CameraConfig, Config
from surveil.engine import Step
from surveil.errors import Cause
from surveil.features.registry import FEATURES
from surveil.lane import Lost
from surveil.pipeline.analyse import Dismiss, Retune
from surveil.pipeline.commit import CommitRequest
from surveil.reasons import Reason
from surveil.schedule import ScheduleSettings
from surveil.threads import ThreadGroup
from surveil.types import Alert

if TYPE_CHECKING:
    from surveil.discovery.follow import Follower, Searcher

log = structlog.get_logger(__name__)

CAPTURES_S = 3.2
"""How long captures may take to end: an opening that hangs takes its timeout."""
_HOME_S = 2.0
"""How long a camera's slot may take to come home, and its last alerts to be on the disk."""
_SEAM_S = 0.1
"""Stream time between the last frame of one connection and the first of the one that takes over."""


class CameraSet:
    """All cameras of the configuration. Owned by the main thread; `runtimes` may be read by any."""

    def __init__(
        self,
        pipeline: Pipeline,
        evidence: EvidenceStore,
        models: ModelKeepers,
        watch: CameraWatchSettings,
        factory: CameraFactory,
        group: ThreadGroup,
        pins: Pins,
        recordings: Recordings,
        live: LiveCameras | None = None,
        may_read: Callable[[str], bool] | None = None,
    ) -> None:
        """`may_read`: whether a camera may be read now, where a lease says so."""
        self.runtimes: Mapping[str, CameraRuntime] = {}
        """By name. Replaced as a whole, never changed in place."""
        self._pipeline = pipeline
        self._evidence = evidence
        self._models = models
        self._watch = CameraWatch(watch, {})
        self._factory = factory
        self._metrics = factory.shared.metrics
        self._clock = factory.shared.clock
        self._group = group
        self._pins = pins
        self._recordings = recordings
        self._live = live
        self._may_read = may_read
        self._searcher: Searcher | None = None
        self._runs = False

    # The verbs.

    def prepare(self, cameras: Iterable[CameraConfig]) -> None:
        """Do what may fail before cameras come or change. Raises ConfigError, ModelError or StateError."""
        for camera in cameras:
            make_places(camera)
            self._pipeline.counting.prepare(camera)

    def add(self, cameras: Iterable[CameraConfig]) -> None:
        """Take cameras in; their threads start at once when the set runs, else with it.

        One that fails is left out and keeps none of the others out; raises the first exception when all are through.
        """
        failures = Failures("camera cannot be added")
        for camera in cameras:
            with failures.of(camera.name):
                self._add(camera)
        failures.raise_first()

    def keep_others(self, config: Config) -> None:
        """Keep what there is of cameras that are not watched by their settings; of those that are gone by `defaults`.

        `config`: with all cameras of the file, also those that other nodes watch.
        """
        others = [camera for name, camera in config.cameras.items() if name not in self.runtimes]
        self._evidence.keep_others({one.name: one.evidence for one in others}, config.defaults.evidence)
        self._recordings.keep_others({one.name: one.recording for one in others}, config.defaults.record)

    def remove(self, names: Iterable[str], reason: Reason = Reason.CONFIG) -> None:
        """Let cameras go: their open events end, what is to be told of them is on the disk, their series vanish."""
        self._let_go([self.runtimes[name] for name in names], reason)

    def _let_go(self, gone: Collection[CameraRuntime], reason: Reason) -> None:
        self._halt(gone)
        deadline = self._clock.monotonic() + _HOME_S
        ended = [self._dismiss(runtime, deadline, reason) for runtime in gone]
        self._await(ended)
        for runtime in gone:
            self._evidence.drop(runtime.camera.name)
            self._recordings.drop(runtime.camera.name)
            self._factory.leave(runtime.camera.name, runtime.camera)
            if self._live:
                self._live.drop(runtime.camera.name)
            self._metrics.forget(camera=runtime.camera.name)
        names = {runtime.camera.name for runtime in gone}
        self.runtimes = {name: runtime for name, runtime in self.runtimes.items() if name not in names}

    def change(self, cameras: Iterable[CameraConfig]) -> None:
        """Let enabled cameras go on by other settings; only those whose stream is another one connect again.

        One that fails goes on by its old settings; raises the first exception when all are through.
        """
        failures, ended = Failures("camera cannot be changed"), list[Stop]()
        pairs = [(self.runtimes[camera.name], camera) for camera in cameras]
        reopened = [runtime for runtime, camera in pairs if reconnects(runtime.camera, camera)]
        self._halt(reopened)
        for runtime, camera in pairs:
            with failures.of(camera.name):
                ended.append(self._retune(runtime, camera))
        for runtime in reopened:
            with failures.of(runtime.camera.name):
                self._take_over(runtime)
        self._await(ended)
        failures.raise_first()

    def schedule(self, schedules: Mapping[str, ScheduleSettings]) -> None:
        """Use these schedules for cameras that come or change from now on."""
        self._factory.schedules = schedules

    def start(self) -> None:
        """Start the threads of all cameras."""
        self._runs = True
        for runtime in self.runtimes.values():
            runtime.run(self._group)

    def end(self, patience_s: float) -> bool:
        """End the threads of all cameras; return whether they ended in time."""
        return self._halt(self.runtimes.values(), patience_s)

    # What the main thread looks after.

    def watch(self) -> None:
        """Alert when a camera has been away for long, and when it is back."""
        sights = {
            name: StreamCondition(runtime.state, runtime.cause)
            for name, runtime in self.runtimes.items()
            if runtime.capture
        }
        self._tell(self._watch.step(sights, self._clock.monotonic(), self._clock.wall()))

    def watch_by(self, settings: CameraWatchSettings) -> None:
        """Watch by other settings from now on."""
        self._tell(self._watch.retune(settings, self._clock.monotonic()))

    def _tell(self, alerts: Iterable[Alert]) -> None:
        for alert in alerts:
            self._pipeline.commit.offer(CommitRequest(camera=alert.camera, step=Step(alerts=(alert,))))

    # The state of the cameras; any thread may ask.

    def states(self) -> dict[str, str]:
        """Each camera's state."""
        return {name: runtime.state for name, runtime in self.runtimes.items()}

    def decoding(self) -> dict[str, str]:
        """Return how each camera that has sent something is decoded, and why."""
        modes = {
            name: runtime.capture.status.decode for name, runtime in self.runtimes.items() if runtime.capture
        }
        return {name: f"{why.mode}: {why.value}" for name, why in modes.items() if why}

    def errors(self) -> dict[str, str]:
        """Return why cameras are lost, or their second stream is, for those that are."""
        return {name: runtime.error for name, runtime in self.runtimes.items() if runtime.error}

    def skew_of(self, camera: str) -> float | None:
        """Return the clock of a camera minus that of this host, s; None where the camera has not told."""
        runtime = self.runtimes.get(camera)
        capture = (runtime.record or runtime.capture) if runtime else None
        return capture.skew_s if capture else None

    def rules(self) -> dict[str, tuple[str, ...]]:
        """Name the rules of each camera, the watch over the camera itself included."""
        return {name: rules_of(runtime.camera) for name, runtime in self.runtimes.items()}

    def installation(self) -> InstallationStatus:
        """Return the cameras as sinks know them."""
        return InstallationStatus({name: one.as_sinks_know_it() for name, one in self.runtimes.items()})

    # One camera.

    def _add(self, camera: CameraConfig) -> None:
        """Take one camera in, or leave nothing of it behind."""
        self.prepare((camera,))
        runtime = CameraRuntime(camera=camera)
        try:
            self._admit(runtime)
            self.runtimes = {**self.runtimes, camera.name: runtime}
            if self._runs:
                runtime.run(self._group)
        except Exception:
            self._let_go((runtime,), Reason.CONFIG)
            raise

    def _admit(self, runtime: CameraRuntime) -> None:
        camera = runtime.camera
        self._metrics.add_camera(camera.name, rules_of(camera))
        if not camera.enabled:
            self._metrics.camera_state.labels(camera.name, "disabled").set(1)
            return
        runtime.off, runtime.recorder = self._factory.off(camera), make_recorder(camera)
        self._evidence.keep(camera, runtime.recorder)
        self._watch.follow(camera.name, camera.sinks, camera.titles.camera)
        if self._live:
            self._live.follow(camera)
        self._pipeline.open(camera, self._factory.work(camera), self._factory.engine(camera))
        self._keep_models(camera)
        self._connect(runtime)

    def _connect(self, runtime: CameraRuntime, t: float = 0.0) -> None:
        tap = self._live.tap(runtime.camera.name) if self._live else None
        recording = self._recordings.follow(runtime.camera)
        may_read = partial(self._may_read, runtime.camera.name) if self._may_read else None
        runtime.connect(
            self._pipeline.ring, self._metrics, self._clock, self._pins, tap, recording, t, may_read,
            self._follower(runtime.camera),
        )  # fmt: skip

    def _follower(self, camera: CameraConfig) -> Follower | None:
        """Return what looks for a camera whose serial number is known."""
        if not camera.stream.serial:
            return None
        from surveil.discovery.follow import Follower, Searcher  # noqa: PLC0415 - few cameras have one

        self._searcher = self._searcher or Searcher(clock=self._clock)
        found = self._metrics.address_changes.labels(camera.name).inc
        return Follower(camera.name, camera.stream, self._searcher, found, self._clock)

    def _halt(self, runtimes: Iterable[CameraRuntime], patience_s: float = CAPTURES_S) -> bool:
        """End the threads of cameras, all at once."""
        threads = []
        for runtime in runtimes:
            runtime.stop.set()
            threads += runtime.threads
            runtime.threads = []
        ended = self._group.join_those(threads, patience_s, self._clock)
        if not ended:
            log.error("captures did not end in time", threads=[t.name for t in threads if t.is_alive()])
        return ended

    def _dismiss(self, runtime: CameraRuntime, deadline: float, reason: Reason) -> Stop:
        """Take a camera out of the pipeline; return what is set once its last alerts are on the disk."""
        name, done = runtime.camera.name, Stop()
        if name not in self._pipeline.ring.books():
            done.set()
            return done
        if not self._pipeline.ring.remove(name, max(0.0, deadline - self._clock.monotonic())):
            log.error("frame of a removed camera still in the pipeline", camera=name)
        self._tell(self._watch.leave(name, self._clock.monotonic(), reason))
        self._pipeline.analyse.inbox.put(Dismiss(name, reason, done.set))
        return done

    def _retune(self, runtime: CameraRuntime, camera: CameraConfig) -> Stop:
        """Change everything about a camera but its connection; return what is set once that has happened."""
        self._recordings.follow(camera)  # the disk may refuse, and nothing has changed yet
        old, runtime.camera = runtime.camera, camera
        runtime.off = self._factory.off(camera)
        if self._live:
            self._live.follow(camera)
        work = None
        if work_needs(old) != work_needs(camera):
            self._factory.forget_metrics(camera.name)
            self._factory.leave(camera.name, old, camera)
            work = self._factory.work(camera)
        self._keep_models(camera)
        self._pipeline.ring.retune(camera.name, camera.detect.fps, work)
        runtime.record_by(camera)
        self._evidence.keep(camera, runtime.recorder)
        self._watch.follow(camera.name, camera.sinks, camera.titles.camera)
        self._metrics.add_rules(camera.name, rules_of(camera))
        if counts_of(old) != counts_of(camera):
            self._pipeline.count(camera)
        done = Stop()

        def finished() -> None:
            for rule in set(rules_of(old)) - set(rules_of(camera)):
                self._metrics.forget(camera=camera.name, rule=rule)
            done.set()

        change = self._factory.tuning(old, camera)
        self._pipeline.analyse.inbox.put(Retune(camera.name, change, make_places(camera), finished))
        return done

    def _keep_models(self, camera: CameraConfig) -> None:
        """Look after the models of the features that a camera uses."""
        for name, feature in FEATURES.items():
            if feature.needs(camera) is not None:
                self._models.use(name)

    def _take_over(self, runtime: CameraRuntime) -> None:
        """Connect again where the connection before has ended; events go on as through any short loss."""
        assert runtime.capture is not None
        t, name = runtime.capture.now(), runtime.camera.name
        self._pipeline.ring.lose(Lost(camera=name, t=t, t_wall=self._clock.wall(), cause=Cause.CHANGED.value))
        self._connect(runtime, t + _SEAM_S)
        runtime.run(self._group)

    def _await(self, done: Iterable[Stop]) -> None:
        """Wait until changes have happened; a disk that refuses is waited for in vain, and they happen later."""
        deadline = self._clock.monotonic() + _HOME_S
        late = [one for one in done if not one.wait(max(0.0, deadline - self._clock.monotonic()))]
        if late:
            log.error("alerts of a configuration change not committed yet", cameras=len(late))
