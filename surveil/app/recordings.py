"""Joins the recorder to the daemon. What records is imported once a camera does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from surveil.alerts.camerawatch import RULE as CAMERA_LOST
from surveil.app.parts import State
from surveil.capture.address import device_number
from surveil.capture.packets import PacketTaker
from surveil.clock import Clock, Stop
from surveil.config import CameraConfig
from surveil.metrics import Metrics
from surveil.recording.settings import DATABASE, RecordSettings
from surveil.threads import ThreadGroup
from surveil.types import Alert

if TYPE_CHECKING:
    from surveil.recording.recorder import Recorder

_OFF = RecordSettings()


def recorded_by(camera: CameraConfig) -> RecordSettings:
    """Return by which settings a camera is recorded: mode `off` where it cannot be.

    Packets cannot be masked without encoding them anew (docs/adr/0014), and a webcam gives none.
    """
    hides = bool(camera.unstored or camera.evidence.hides_faces)
    is_webcam = device_number((camera.record or camera.stream).url) is not None
    if camera.enabled and not hides and not is_webcam:
        return camera.recording
    return camera.recording.model_copy(update={"mode": _OFF.mode})


class Recordings:
    """The cameras' recordings as the fleet and the commit thread know them. Owned by the main thread."""

    def __init__(self, state: State, metrics: Metrics, clock: Clock, group: ThreadGroup) -> None:
        self._state, self._metrics, self._clock, self._group = state, metrics, clock, group
        self._settings: dict[str, RecordSettings] = {}
        self._recorder: Recorder | None = None
        self._stop = Stop()
        self._threads: list[threading.Thread] = []
        self._runs = False
        # What was recorded before is deleted in its time, too.
        if (state.folder / DATABASE).exists():
            self._recorder = self._make()

    def follow(self, camera: CameraConfig) -> PacketTaker | None:
        """Record a camera by its settings from now on; return what takes its packets, None where it is not recorded.

        Raises StateError where the index of recordings cannot be used.
        """
        settings = self._settings[camera.name] = recorded_by(camera)
        if self._recorder is None:
            if settings.mode == "off":
                return None
            self._recorder = self._make()
            for name, one in self._settings.items():
                self._recorder.follow(name, one)
            if self._runs:
                self._run(self._recorder)
        return self._recorder.follow(camera.name, settings)

    def drop(self, camera: str) -> None:
        """Record a camera no more."""
        if self._recorder is not None:
            self._recorder.drop(camera)

    def committed(self, alerts: Iterable[Alert]) -> None:
        """Keep the video of events that begin or end. From the commit thread."""
        recorder = self._recorder
        if recorder is not None:
            recorder.committed([alert for alert in alerts if alert.type != CAMERA_LOST])

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
        from surveil.recording.recorder import Recorder  # noqa: PLC0415 - see above

        age_s: Callable[[], float] = self._state.outbox.db.age_s
        return Recorder(self._state.folder, self._metrics, self._clock, age_s)

    def _run(self, recorder: Recorder) -> None:
        self._threads = [self._group.start("recorder", lambda: recorder.run(self._stop))]
