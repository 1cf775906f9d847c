"""Parts of the daemon that are created together and end together."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from surveil.alerts.camerawatch import RULE as CAMERA_LOST
from surveil.alerts.outbox import Outbox
from surveil.alerts.settings import OffsiteSettings
from surveil.app.arming import Arming, SwitchWatch
from surveil.app.assembly import Pipeline
from surveil.app.decisions import DecisionRecorder
from surveil.app.services import LEAST_S, ThreadSet
from surveil.app.state_dir import StateLock, configured
from surveil.capture.packets import PacketTaker
from surveil.capture.settings import RECORDINGS, RecordSettings
from surveil.clock import Clock, Stop
from surveil.config import CameraConfig, Config
from surveil.detect.detector import Detector
from surveil.features.base import ModelPlace, Shared
from surveil.features.health.channel import Views, ViewWatch
from surveil.features.registry import FEATURES
from surveil.metrics import Metrics
from surveil.pipeline.decisions import Minute
from surveil.threads import Heartbeats, ThreadGroup
from surveil.types import Alert
from surveil.versions import PERIOD_S, Keeper

if TYPE_CHECKING:
    from surveil.recording.recorder import Recorder

log = structlog.get_logger(__name__)

_LAST_LOOKS_S = 2.0
"""How long frames that wait for the models at the end are still looked at; the rest is dropped."""


class State:
    """The state directory, locked for this process, and the outbox in it.

    Raises ConfigError or StateError when either cannot be had.
    """

    def __init__(self, config: Config, clock: Clock) -> None:
        self.folder: Path = configured(config.state_dir, config.path)
        self._lock = StateLock(self.folder)
        self._clock = clock
        self.database = self.folder / "surveil.db"
        self.outbox = Outbox.open(self.database, list(config.sinks), clock, config.outbox)

    def end_open_events(self) -> None:
        """End what a crash left open."""
        ended = self.outbox.end_open_events(self._clock.wall())
        if ended:
            log.warning("ended events left open by a crash", events=len(ended))

    def close(self) -> None:
        """Close the outbox and let another process use the directory."""
        self.outbox.close()
        self._lock.release()


class Watches:
    """What the main thread reads from the database for the other threads, and writes for them."""

    def __init__(
        self, state: State, arming: Arming, shared: Shared, decisions: Callable[[], list[Minute]]
    ) -> None:
        self._decisions = DecisionRecorder(state.folder, decisions, shared.clock)
        self._switches = SwitchWatch(state.database, arming, shared.clock)
        self._switches.look()
        self._views = ViewWatch(state.database, shared.get(Views))

    def look(self) -> None:
        """Read what operators have asked for; write the decisions that are due."""
        self._switches.look()
        self._views.look()
        self._decisions.look()

    def close(self) -> None:
        """Close the connections; write the last decisions."""
        self._switches.close()
        self._views.close()
        self._decisions.flush()


class InferenceParts:
    """The threads that prepare frames and run the models. Owned by the main thread."""

    def __init__(
        self, pipeline: Pipeline, detector: Detector, group: ThreadGroup, beats: Heartbeats, clock: Clock
    ) -> None:
        self._stage = pipeline.detect
        self._clock = clock
        self._never = Stop()
        threads = partial(ThreadSet, group, clock)
        self._detect = threads(
            [f"detect-{k}" for k in range(pipeline.detect.workers)],
            lambda name: pipeline.detect.run(beats.of(name)),
        )
        self._warm_up = threads(["warm-up"], lambda _name: detector.batches.grow())
        self._prepare = threads(
            [f"prepare-{k}" for k in range(os.cpu_count() or 1)],
            lambda name: pipeline.prepare.run(self._never, beats.of(name)),
        )

    def start(self) -> None:
        """Start the threads."""
        self._detect.start()
        self._warm_up.start()
        self._prepare.start()

    def stop(self, patience_s: float) -> bool:
        """Look at what waits for the models, if that is soon done; return whether the threads ended.

        A camera with a frame in the models and another that waits needs both stages until its slot is home.
        """
        began = self._clock.monotonic()
        soon, end_by = began + _LAST_LOOKS_S, began + patience_s
        if self._prepare.join(_LAST_LOOKS_S):
            self._stage.inbox.close()
            if self._detect.join(soon - self._clock.monotonic()):
                return True
        log.warning("dropping pending frames: inference did not finish before shutdown")
        self._stage.abandon()
        prepared = self._prepare.join(self._left_s(end_by))
        self._stage.inbox.close()
        return self._detect.join(self._left_s(end_by)) and prepared

    def _left_s(self, end_by: float) -> float:
        return max(LEAST_S, end_by - self._clock.monotonic())


def _unknown(_camera: str) -> None:
    """Know nothing."""


class ModelKeepers:
    """What fits and loads models: one keeper for each feature that has some, made when the first camera uses it.

    `use` is the main thread's; the rest belongs to the models thread.
    """

    def __init__(self, shared: Shared, models: ModelPlace) -> None:
        self._shared = shared
        self._models = models
        self._used: tuple[str, ...] = ()
        self._keepers: dict[str, Keeper] = {}

    def use(self, feature: str) -> None:
        """Look after the models of a feature from now on."""
        if feature not in self._used:
            self._used = (*self._used, feature)

    def run_once(self) -> None:
        """Let every keeper do what is due."""
        for name in self._used:
            make = FEATURES[name].keeper
            if name not in self._keepers and make is not None:
                self._keepers[name] = make(self._shared, self._models)
            if name in self._keepers:
                self._keepers[name].run_once()

    def run(self, stop: Stop, clock: Clock) -> None:
        """Look every few seconds until `stop`."""
        while not clock.sleep(PERIOD_S, stop):
            self.run_once()


def _recorded(alerts: Iterable[Alert]) -> list[Alert]:
    """Leave out those during which there is no video."""
    return [alert for alert in alerts if alert.type != CAMERA_LOST]


class Recordings:
    """The cameras' recordings as the fleet and the commit thread know them. Owned by the main thread.

    What records is imported once a camera does.
    """

    def __init__(self, state: State, metrics: Metrics, clock: Clock, group: ThreadGroup) -> None:
        self.skew_of: Callable[[str], float | None] = _unknown
        """Clock of a camera minus that of this host, s; set by who knows."""
        self._state, self._metrics, self._clock, self._group = state, metrics, clock, group
        self._settings: dict[str, RecordSettings] = {}
        self._gone = RecordSettings()
        self._recorder: Recorder | None = None
        self._stop = Stop()
        self._threads: list[threading.Thread] = []
        self._runs = False
        # What was recorded before is deleted in its time, too.
        if (state.folder / RECORDINGS).exists():
            self._recorder = self._make()

    def follow(self, camera: CameraConfig) -> PacketTaker | None:
        """Record a camera by its settings from now on; return what takes its packets, None where it is not recorded.

        Raises StateError where the index of recordings cannot be used.
        """
        settings = self._settings[camera.name] = camera.recorded
        if self._recorder is None:
            if settings.mode == "off":
                return None
            self._recorder = self._make()
            self._recorder.keep_gone(self._gone)
            for name, one in self._settings.items():
                self._recorder.follow(name, one)
            if self._runs:
                self._run(self._recorder)
        return self._recorder.follow(camera.name, settings)

    def keep_others(self, cameras: Mapping[str, RecordSettings], gone: RecordSettings) -> None:
        """Keep what there is of cameras that are not watched by their settings, of those that are gone by `gone`."""
        self._gone = gone
        off = {name: settings.model_copy(update={"mode": "off"}) for name, settings in cameras.items()}
        self._settings |= off
        if self._recorder is not None:
            self._recorder.keep_gone(gone)
            for name, settings in off.items():
                self._recorder.follow(name, settings)

    def drop(self, camera: str) -> None:
        """Record a camera no more."""
        if self._recorder is not None:
            self._recorder.drop(camera)

    def committed(self, alerts: Iterable[Alert]) -> None:
        """Keep the video of events that begin or end. From the commit thread."""
        recorder = self._recorder
        if recorder is not None:
            recorder.committed(_recorded(alerts))

    def start(self) -> None:
        """Start the thread, where something is recorded."""
        self._runs = True
        if self._recorder is not None:
            self._run(self._recorder)

    def stop(self, patience_s: float) -> bool:
        """Write what is left and end the files; return whether that was done in time."""
        self._stop.set()
        return self._group.join_those(self._threads, patience_s, self._clock)

    def _make(self) -> Recorder:
        from surveil.alerts.history import EventSpan, History  # noqa: PLC0415 - see above
        from surveil.recording.recorder import PastEvents, Recorder  # noqa: PLC0415

        outbox, history = self._state.outbox, History(self._state.database)

        def of(camera: str, since: float) -> list[EventSpan]:
            return [span for span in history.spans(camera, since) if span.rule != CAMERA_LOST]

        # Before this program ends what a crash has left open: see `State.end_open_events`.
        past = PastEvents(() if self._runs else _recorded(outbox.open_events()), of)
        age_s: Callable[[], float] = outbox.db.age_s
        return Recorder(self._state.folder, self._metrics, self._clock, age_s, self._skew_of, past)

    def _skew_of(self, camera: str) -> float | None:
        return self.skew_of(camera)

    def _run(self, recorder: Recorder) -> None:
        self._threads = [self._group.start("recorder", lambda: recorder.run(self._stop))]


class Offsite:
    """What copies to a second place, where one is set; else nothing of it is imported. Owned by the main thread.

    Raises StateError where the queue cannot be opened.
    """

    def __init__(
        self, state: State, settings: OffsiteSettings, metrics: Metrics, clock: Clock, group: ThreadGroup
    ) -> None:
        self._stop = Stop()
        self._threads: ThreadSet | None = None
        if not settings.is_set:
            return
        from surveil.offsite.copier import Copier  # noqa: PLC0415 - see above
        from surveil.offsite.places import make_place  # noqa: PLC0415
        from surveil.recording.footage import unfinished  # noqa: PLC0415

        folder = state.folder
        place = make_place(settings, folder)
        copier = Copier(
            folder, settings, place, metrics, clock, state.outbox.db.age_s, partial(unfinished, folder)
        )

        def end() -> None:
            self._stop.set()
            place.abort()

        self._threads = ThreadSet(group, clock, ["offsite"], lambda _name: copier.run(self._stop), end)

    def start(self) -> None:
        """Start the thread."""
        if self._threads:
            self._threads.start()

    def stop(self, patience_s: float) -> bool:
        """End it; what is not copied waits for the next start. Return whether it ended in time."""
        return self._threads is None or self._threads.stop(patience_s)
