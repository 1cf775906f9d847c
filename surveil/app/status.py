"""The status of the daemon, for the pages and for systemd."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from surveil import __version__, logs
from surveil.alerts.links import picture_link
from surveil.alerts.outbox import Outbox
from surveil.app.camera_set import CameraSet
from surveil.app.reload import Reloader
from surveil.clock import Clock
from surveil.detect.detector import Detector
from surveil.lane import FrameCounters
from surveil.threads import Heartbeats
from surveil.types import Alert

STUCK_S = 20.0
"""A stage that has not advanced for so long is stuck; the watchdog is no longer fed."""
_UP = ("streaming", "degraded", "catching_up")


class StatusReporter:
    """Reads what others own. Any thread may call any method."""

    def __init__(
        self,
        cameras: CameraSet,
        books: Callable[[], Mapping[str, FrameCounters]],
        outbox: Outbox,
        beats: Heartbeats,
        detector: Detector,
        clock: Clock,
        reloader: Reloader,
    ) -> None:
        self._cameras = cameras
        self._books = books
        self._outbox = outbox
        self._beats = beats
        self._detector = detector
        self._clock = clock
        self._reloader = reloader

    def summary(self) -> str:
        """One line for `systemctl status`."""
        states = self._cameras.states().values()
        up = sum(state in _UP for state in states)
        pending = sum(book["pending"] for book in self._outbox.queue.counts().values())
        refused = (
            ""
            if self._reloader.last.good
            else "; the new configuration was rejected, the previous one stays active"
        )
        return f"{up}/{len(states)} cameras up, {pending} alerts pending{refused}"

    def stuck(self) -> list[str]:
        """Return the stages that do not advance."""
        return self._beats.stuck(STUCK_S)

    def liveness(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether every required stage advances."""
        stuck = self.stuck()
        ages = {stage: round(age, 3) for stage, age in self._beats.ages().items()}
        return not stuck, {"stuck": stuck, "seconds_since": ages}

    def readiness(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether every enabled camera delivers."""
        states = self._cameras.states()
        good = all(state in (*_UP, "disabled") for state in states.values())
        told = {"cameras": states, "errors": logs.scrub(self._cameras.errors())}
        return good, told if states else {**told, "note": self._without_cameras()}

    def _without_cameras(self) -> str:
        """Say what to do where no camera is configured: the daemon itself is well."""
        where = "in the console" if self._reloader.config.http.console else "in the configuration file"
        return f"no camera is configured: add one {where}"

    def status(self) -> Mapping[str, Any]:
        """Everything worth a look."""
        books = {
            name: {
                "received": b.received,
                "processed": b.processed,
                "waiting": b.waiting,
                "dropped": b.dropped,
            }
            for name, b in self._books().items()
        }
        return {
            "version": __version__,
            "cameras": self._cameras.states(),
            "frames": books,
            "decoding": self._cameras.decoding(),
            "delivery": self._outbox.queue.counts(),
            "open_events": [_told(alert) for alert in self._outbox.open_events()],
            "provider": self._detector.provider,
            "reload": logs.scrub(asdict(self._reloader.last)),
        }

    def latest_picture(self, camera: str, rule: str, t_wall: float | None) -> str | None:
        """Return the newest picture's path below the state directory."""
        return self._outbox.latest_picture(camera, rule, self._clock.wall() if t_wall is None else t_wall)


def _told(alert: Alert) -> dict[str, Any]:
    """Return what `/status` says of an open event."""
    told = {"event": alert.event_id, "camera": alert.camera, "rule": alert.rule, "text": alert.text}
    return told | {"since": alert.t_wall, "picture": picture_link("/", alert)}
