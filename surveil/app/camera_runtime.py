"""One camera at run time: its threads, and the objects that are made from its settings."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

import structlog

from surveil.alerts.camerawatch import RULE as CAMERA_LOST
from surveil.alerts.delivery import Camera
from surveil.app.evidence_store import CameraRecorder, recorded_s
from surveil.capture.certificates import Pins
from surveil.capture.loop import CaptureLoop
from surveil.capture.opening import make_source
from surveil.capture.packets import PacketFork, PacketTaker
from surveil.capture.settings import StreamSettings
from surveil.capture.source import Source
from surveil.clock import Clock, Stop
from surveil.config import CameraConfig
from surveil.errors import Cause
from surveil.features.counting.settings import CountingSettings
from surveil.lane import Lost
from surveil.metrics import Metrics
from surveil.pipeline.work import Analyser, Work
from surveil.reasons import DecodeWhy
from surveil.ring import FrameRing
from surveil.rules.base import RuleSettings, WhyOff, rule_name
from surveil.threads import ThreadGroup

if TYPE_CHECKING:
    from surveil.capture.leased import MayRead
    from surveil.discovery.follow import Follower

log = structlog.get_logger(__name__)

CHANGEABLE = frozenset(
    {"url", "record_url", "stream", "record", "detect", "motion", "track", "sections", "masks", "zones",
     "lines", "rules", "sinks", "evidence", "recording", "site", "placement"}
)  # fmt: skip
"""Fields of a camera that `CameraSet.change` can bring about; with a change of any other the camera goes and comes."""

_HANGS = (
    "reading hangs: check the pipe or the network drive that the camera is read from, then restart surveil"
)


@dataclass(slots=True, kw_only=True)
class CameraRuntime:
    """One camera. Owned by the camera set."""

    camera: CameraConfig
    off: Mapping[str, WhyOff] = field(default_factory=dict)
    """By rule, what says why it may not alert."""
    recorder: CameraRecorder | None = None
    capture: CaptureLoop | None = None
    """None: the camera is disabled."""
    record: CaptureLoop | None = None
    """Reads the packets of the second stream; nothing of it is decoded."""
    stop: Stop = field(default_factory=Stop)
    """Ends the threads of this camera."""
    threads: list[threading.Thread] = field(default_factory=list)

    @property
    def state(self) -> str:
        """The state of the stream, or that the camera is disabled. Any thread may ask."""
        if self.capture is None:
            return "disabled"
        return "lost" if self.capture.hangs else self.capture.status.state

    @property
    def cause(self) -> str:
        """Why the stream was lost, as the metric names it; empty while it runs. Any thread may ask."""
        if self.capture is None:
            return ""
        return Cause.STALLED.value if self.capture.hangs else self.capture.status.cause

    @property
    def error(self) -> str:
        """Why streams are lost, for those that are; without credentials. Any thread may ask."""
        told = [_HANGS if self.capture.hangs else self.capture.status.error] if self.capture else []
        if self.record and self.record.status.error:
            told.append(f"second stream (clips, recordings): {self.record.status.error}")
        return "; ".join(filter(None, told))

    def as_sinks_know_it(self) -> Camera:
        """Return the camera as messages describe it. Any thread may ask."""
        return Camera(
            state=self.state,
            zones=tuple(self.camera.zones),
            rules=tuple(map(rule_name, self.camera.rules)),
            site=self.camera.site,
            titles=self.camera.titles,
        )

    def connect(
        self,
        ring: FrameRing[Work],
        metrics: Metrics,
        clock: Clock,
        pins: Pins,
        tap: PacketTaker | None = None,
        recording: PacketTaker | None = None,
        t: float = 0.0,
        may_read: MayRead | None = None,
        follower: Follower | None = None,
    ) -> None:
        """Make what reads the streams.

        Args:
            ring: takes the frames.
            metrics: of the daemon.
            clock: of the daemon.
            pins: keep the certificates of cameras.
            tap: who shows the packets.
            recording: who writes them.
            t: stream time to begin at.
            may_read: whether the camera may be read now; None: always.
            follower: knows where the camera is now; None: at the address of its settings.
        """
        make: Callable[[StreamSettings], Source] = partial(make_source, pins=pins)
        if may_read is not None:
            make = partial(_leased, make, may_read)
        if follower is not None:
            make = partial(_at_its_place, make, follower)
        camera = self.camera
        kept = _fork(self.recorder.packets if self.recorder else None, recording)
        of_detect = _fork(kept if camera.record is None else None, tap)
        self.stop = Stop()
        self.capture = CaptureLoop(
            camera.name, camera.stream, ring.put, _told(ring.lose, follower), metrics, clock, self.stop,
            packets=of_detect, wants=ring.wants, taker=ring, full=lambda: why_full(self.camera, self.off, clock.wall()),
            t=t, make=make,
        )  # fmt: skip
        self.record = None
        if camera.record is not None and kept is not None:
            self.record = CaptureLoop(
                camera.name, camera.record, ring.put, _told(lambda _lost: None, follower), metrics, clock, self.stop,
                packets=kept, make=make,
            )  # fmt: skip

    def run(self, group: ThreadGroup) -> None:
        """Start the threads that read the streams."""
        if self.record:
            self.threads.append(group.start(f"record-{self.camera.name}", self.record.run))
        if self.capture:
            self.threads.append(group.start(f"capture-{self.camera.name}", self.capture.run))

    def record_by(self, camera: CameraConfig) -> None:
        """Keep as many packets as these settings ask for; what is kept already stays."""
        seconds = recorded_s(camera)
        if self.recorder is None or seconds is None:
            self.recorder = make_recorder(camera)
        else:
            self.recorder.packets.keep(seconds)


def why_full(camera: CameraConfig, off: Mapping[str, WhyOff], t_wall: float) -> DecodeWhy | None:
    """Say why every picture is decoded by the settings and the armed rules at a Unix time; None: that need not be.

    `off`: by rule, what says why it may not alert; a rule that is missing always may.
    """

    def wants_all(rule: RuleSettings) -> bool:
        why_off = off.get(rule_name(rule))
        return rule.decode == "full" and (why_off is None or not why_off(t_wall))

    if camera.stream.decode == "full" or not camera.motion.enabled:
        return DecodeWhy.SETTING
    return DecodeWhy.RULE if any(map(wants_all, camera.rules)) else None


def _fork(*takers: PacketTaker | None) -> PacketTaker | None:
    """Return what hands packets to all takers that there are; None where there is none."""
    there = [one for one in takers if one is not None]
    return PacketFork(there) if len(there) > 1 else there[0] if there else None


class LiveCameras(Protocol):
    """The cameras' side of the live view."""

    def follow(self, camera: CameraConfig) -> None:
        """Show a camera by these settings from now on."""

    def drop(self, camera: str) -> None:
        """Show a camera no more."""

    def tap(self, camera: str) -> PacketTaker:
        """Return what takes the packets of a camera that is shown."""

    def look(self, camera: str) -> Analyser:
        """Return what takes the pictures of a camera that is shown."""


def _leased(make: Callable[[StreamSettings], Source], may_read: MayRead, settings: StreamSettings) -> Source:
    from surveil.capture.leased import LeasedSource  # noqa: PLC0415 - only a fleet has leases

    return LeasedSource(make(settings), may_read)


def _at_its_place(
    make: Callable[[StreamSettings], Source], follower: Follower, settings: StreamSettings
) -> Source:
    return make(follower.moved(settings))


def _told(on_lost: Callable[[Lost], None], follower: Follower | None) -> Callable[[Lost], None]:
    """Return what tells the follower of losses, too: after everybody else, because it may search for seconds."""
    if follower is None:
        return on_lost

    def tell(lost: Lost) -> None:
        on_lost(lost)
        follower.lost(lost.cause)

    return tell


def make_recorder(camera: CameraConfig) -> CameraRecorder | None:
    """Make what keeps the packets of the last seconds, where the settings ask for it."""
    seconds = recorded_s(camera)
    return None if seconds is None else CameraRecorder(seconds)


def rules_of(camera: CameraConfig) -> tuple[str, ...]:
    """Name the rules of a camera, the watch over the camera itself included."""
    return (*(rule_name(rule) for rule in camera.rules), CAMERA_LOST)


def counts_of(camera: CameraConfig) -> tuple[object, ...]:
    """Return the settings that counting depends on; empty where nothing is counted."""
    settings = camera.section(CountingSettings)
    return (settings, camera.zones, camera.lines) if settings.enabled else ()


def reconnects(old: CameraConfig, new: CameraConfig) -> bool:
    """Whether a change of settings takes a new connection."""

    def connection(camera: CameraConfig) -> tuple[object, ...]:
        return (camera.stream, camera.record, recorded_s(camera) is None, camera.recorded.mode == "off")

    return connection(old) != connection(new)


class Failures:
    """Collects the exceptions of steps for several cameras: one that fails keeps none of the others.

    Each is logged as `event`. Owned by one thread.
    """

    def __init__(self, event: str) -> None:
        self._event = event
        self._first: Exception | None = None

    @contextmanager
    def of(self, camera: str) -> Iterator[None]:
        """Run a step for a camera; an exception in it ends that step alone."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, the other cameras go on
            log.error(self._event, camera=camera, why=str(error))  # noqa: TRY400 - raised in the end
            self._first = self._first or error

    def raise_first(self) -> None:
        """Raise the first exception that there was."""
        if self._first is not None:
            raise self._first
