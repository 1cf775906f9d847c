"""The thread that writes the recordings of all cameras, and deletes those beyond the limits."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from surveil.capture.settings import RecordSettings
from surveil.clock import Clock, Every, Stop
from surveil.errors import StateError
from surveil.logs import LogThrottle
from surveil.metrics import Metrics
from surveil.reasons import Reason
from surveil.recording.camera import CameraRecording, Place
from surveil.recording.files import open_index
from surveil.recording.index import FOREVER
from surveil.recording.keeping import Keeping
from surveil.recording.metrics import RecordingMetrics
from surveil.recording.tap import RecordTap
from surveil.recording.updates import RowUpdates
from surveil.types import Alert

if TYPE_CHECKING:
    from surveil.alerts.history import EventSpan

log = structlog.get_logger(__name__)
_PAUSE_S = 0.5
"""How often packets are fetched: captures do not wake the thread, which would cost them time."""
_SWEEP_S = 10.0
_MOST_ALERTS = 10_000
"""That wait for an index that cannot be written: an hour and more of a busy site."""


def _no_events(_camera: str, _since: float) -> Sequence[EventSpan]:
    return ()


@dataclass(frozen=True, slots=True)
class PastEvents:
    """What is known of events when recording begins: the index may be new, or may not have been told of the last."""

    cut_off: Sequence[Alert] = ()
    """The starts of those that a crash left open."""
    of: Callable[[str, float], Sequence[EventSpan]] = _no_events
    """Returns those of a camera that go on, or ended after a moment (Unix s). May raise StateError."""


class Recorder:
    """Records cameras. `run` belongs to one thread; any thread may call the other methods.

    `skew_of`: clock of a camera minus that of this host, s, where it is known. Raises StateError where the index cannot
    be opened.
    """

    def __init__(
        self,
        state_dir: Path,
        metrics: Metrics,
        clock: Clock,
        age_s: Callable[[], float],
        skew_of: Callable[[str], float | None] = lambda _camera: None,
        past: PastEvents | None = None,
    ) -> None:
        self._index = open_index(state_dir, age_s())
        self._past: PastEvents | None = past or PastEvents()
        """Until the index knows of them."""
        self._end_cut_off(self._past.cut_off, clock.wall())
        self._keeping = Keeping(state_dir, self._index, age_s)
        self._metrics, self._clock = metrics.of(RecordingMetrics), clock
        self._place = Place(
            state_dir=state_dir, index=self._index, updates=RowUpdates(self._index), clock=clock, age_s=age_s,
            skew_of=skew_of, make_room=self._keeping.make_room,
        )  # fmt: skip
        self._lock = threading.Lock()
        self._settings: dict[str, RecordSettings] = {}
        self._gone = RecordSettings()
        self._cameras: dict[str, CameraRecording] = {}
        self._leaving: list[CameraRecording] = []
        self._alerts: deque[Alert] = deque(maxlen=_MOST_ALERTS)
        self._sweeps = Every(_SWEEP_S)
        self._failures, self._bugs = LogThrottle(clock), LogThrottle(clock)

    def _end_cut_off(self, starts: Iterable[Alert], now: float) -> None:
        for alert in starts:
            self._index.hold(alert.event_id, alert.camera, alert.t_wall)
        self._index.end_holds(now)

    # From any thread.

    def follow(self, camera: str, settings: RecordSettings) -> RecordTap | None:
        """Record a camera by these settings from now on; return what takes its packets, None where it is off."""
        with self._lock:
            self._settings[camera] = settings
            if settings.mode == "off":
                self._leave(camera)
                return None
            there = self._cameras.get(camera)
            if there is None:
                there = CameraRecording(camera, settings, self._place, self._metrics)
                self._cameras[camera] = there
            there.settings = settings
            return there.tap

    def keep_gone(self, settings: RecordSettings) -> None:
        """Keep the recordings of cameras that were gone before this start by `settings` from now on."""
        with self._lock:
            self._gone = settings

    def drop(self, camera: str) -> None:
        """Record a camera no more; what is there is kept by its last settings."""
        with self._lock:
            self._leave(camera)

    def _leave(self, camera: str) -> None:
        if (gone := self._cameras.pop(camera, None)) is not None:
            self._leaving.append(gone)

    def committed(self, alerts: Iterable[Alert]) -> None:
        """Keep what belongs to events that begin or end."""
        with self._lock:
            self._alerts += alerts

    # The thread.

    def run(self, stop: Stop) -> None:
        """Write until `stop`, then end every file. Nothing of the disk or the database ends the program, and no bug."""
        while not self._clock.sleep(_PAUSE_S, stop):
            self._guarded(self.step)
        self._guarded(self.finish)
        self._guarded(self._index.close)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (StateError, OSError) as error:
            if n := self._failures.take():
                log.error("recordings not updated", why=str(error), times=n)  # noqa: TRY400 - it says where
        except Exception:
            # Cameras are watched whatever becomes of their recordings.
            if n := self._bugs.take():
                log.exception("bug in the recorder", times=n)

    def step(self) -> None:
        """Write what has come since the last time. Raises StateError when the index cannot be used."""
        with self._lock:
            cameras, leaving, self._leaving = list(self._cameras.values()), self._leaving, []
        self._guarded(self._hold_events)
        for one in cameras:
            self._guarded(one.step)
        self._guarded(self._place.updates.write)
        for one in leaving:
            self._guarded(one.step)
            self._guarded(one.finish)
            if one.camera not in self._cameras:
                self._metrics.forget(camera=one.camera)
        # What an event needs must not go before the index knows of the event.
        if self._past is None and not self._alerts and self._sweeps.due(self._clock.monotonic()):
            self.sweep()

    def finish(self) -> None:
        """Write what is left and end every file."""
        self._guarded(self.step)
        for one in self._cameras.values():
            self._guarded(one.finish)

    def sweep(self) -> None:
        """Delete what need not be kept any more, and show what there is."""
        with self._lock:
            settings, gone, recorded = dict(self._settings), self._gone, list(self._cameras)
        self._keeping.sweep(settings, gone)
        totals = self._index.totals()
        for camera in recorded:
            size, oldest = totals.get(camera, (0, 0.0))
            self._metrics.stored.labels(camera).set(size)
            self._metrics.oldest.labels(camera).set(oldest)

    def _hold_events(self) -> None:
        """Keep what events need. What the index does not take waits for the next step."""
        past, self._past = self._past, None
        try:
            if past is not None:
                self._recall(past)
        except StateError:
            self._past = past
            raise
        while self._alerts:
            alert = self._alerts.popleft()
            try:
                self._hold(alert)
            except StateError:
                self._alerts.appendleft(alert)
                raise

    def _recall(self, past: PastEvents) -> None:
        with self._lock:
            known, gone = dict(self._settings), self._gone
        totals = self._index.totals()
        for camera in known.keys() | totals.keys():
            settings = known.get(camera, gone)
            _, oldest = totals.get(camera, (0, math.inf))
            spans = past.of(camera, oldest - settings.post_s)
            self._index.widen_holds(_held(camera, span, settings) for span in spans)

    def _hold(self, alert: Alert) -> None:
        settings = self._settings.get(alert.camera)
        if settings is None:
            return
        has_end = alert.phase == "start" and alert.reason != Reason.INSTANT
        until = FOREVER if has_end else alert.t_wall + settings.post_s
        self._index.hold(alert.event_id, alert.camera, alert.t_wall - settings.pre_s, until)


def _held(camera: str, span: EventSpan, settings: RecordSettings) -> tuple[str, str, float, float]:
    until = FOREVER if span.end is None else span.end + settings.post_s
    return span.event_id, camera, span.start - settings.pre_s, until
