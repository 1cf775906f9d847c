"""The stores of the alert writer for each camera: pictures, clips, retention."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog

from surveil.alerts.clips import Clips, HeldPackets
from surveil.alerts.evidence import Evidence, FrameContext
from surveil.alerts.incidents import Incidents, IncidentSettings
from surveil.alerts.outbox import Outbox
from surveil.alerts.retention import Retention
from surveil.alerts.settings import EvidenceSettings
from surveil.alerts.storm import StormSettings
from surveil.alerts.writer import AlertWriter
from surveil.capture.address import device_number
from surveil.capture.packets import PacketRing, mux
from surveil.clock import Clock
from surveil.config import CameraConfig
from surveil.damage import DamageCounts
from surveil.errors import StateError
from surveil.features.registry import illustrate
from surveil.metrics import Metrics
from surveil.types import Alert

log = structlog.get_logger(__name__)
_LONG_GOP_S = 12.0


class CameraEvidence:
    """Evidence by camera: each has settings of its own. Used by the commit thread alone."""

    def __init__(self, state_dir: Path, make_room: Callable[[int], bool], metrics: Metrics) -> None:
        self._state_dir = state_dir
        self._make_room = make_room
        self._metrics = metrics
        self._by_camera: dict[str, Evidence] = {}

    def keep(self, camera: str, settings: EvidenceSettings) -> None:
        """Store a camera's pictures by `settings` from now on."""
        self._by_camera[camera] = Evidence(
            self._state_dir, settings, self._make_room, self._metrics, illustrate
        )

    def attach(self, alerts: Sequence[Alert], context: FrameContext) -> list[Alert]:
        """Store what belongs to the alerts of one camera's frame; return them naming it."""
        return self._by_camera[context.frame.camera].attach(alerts, context)


class CameraRecorder:
    """A camera's packet ring as clips want it."""

    def __init__(self, seconds: float) -> None:
        self.packets = PacketRing(seconds)

    def secure(self, since: float) -> HeldPackets:
        """Keep what arrived from `since` on."""
        return self.packets.secure(since)

    def mux(self, path: Path, since: float, until: float) -> tuple[str, ...]:
        """Write the packets of the span; return what is to be said of it. Raises SourceError or OSError."""
        cut = self.packets.cut(since, until)
        mux(cut.packets, path)
        return cut.notes


def recorded_s(camera: CameraConfig) -> float | None:
    """Return how much of a camera's packets is kept, s; None if there are none or no clips are wanted."""
    evidence = camera.evidence
    is_webcam = device_number((camera.record or camera.stream).url) is not None
    if not camera.enabled or not evidence.clip or is_webcam:
        return None
    # The longest wait before an event opens, and a long GOP, come before the pre-roll.
    waits = max((getattr(rule, "after_s", 0.0) for rule in camera.rules), default=0.0)
    return evidence.pre_s + evidence.post_s + min(waits, 60.0) + _LONG_GOP_S


class EvidenceStore:
    """Evidence, clips and retention of all cameras, and the writer that they belong to.

    `keep` and `drop` may come from any thread: they happen between two commits.
    """

    def __init__(
        self,
        state_dir: Path,
        outbox: Outbox,
        storm: StormSettings,
        metrics: Metrics,
        clock: Clock,
        wake: Callable[[], None] = lambda: None,
        *,
        clips: bool = True,
        damage: DamageCounts | None = None,
        incidents: IncidentSettings | None = None,
        stamp: Callable[[Alert], Alert] = lambda alert: alert,
    ) -> None:
        self._retention = Retention(state_dir, {}, outbox)
        self._retention.adopt()
        make_room = self._retention.make_room
        self._evidence = CameraEvidence(state_dir, make_room, metrics)
        self._clips = Clips(state_dir, make_room=make_room, metrics=metrics)
        self._makes_clips = clips
        self.writer = AlertWriter(
            outbox,
            self._evidence,
            self._clips,
            self._retention,
            state_dir=state_dir,
            storm=storm,
            metrics=metrics,
            clock=clock,
            wake=wake,
            damage=damage or DamageCounts(),
            incidents=Incidents(incidents or IncidentSettings(enabled=False)),
            stamp=stamp,
        )
        self._sites: dict[str, str] = {}

    def keep(self, camera: CameraConfig, recorder: CameraRecorder | None = None) -> None:
        """Store what `camera` wants stored from now on."""
        with self.writer.paused():
            self._sites[camera.name] = camera.site
            self.writer.place({name: site for name, site in self._sites.items() if site})
            self._retention.keep(camera.name, camera.evidence)
            self._evidence.keep(camera.name, camera.evidence)
            if self._makes_clips:
                # Packets cannot be masked without re-encoding (docs/adr/0014).
                self._clips.keep(camera.name, camera.evidence, recorder, masked=camera.hides)

    def keep_others(self, cameras: Mapping[str, EvidenceSettings], gone: EvidenceSettings) -> None:
        """Keep what there is of cameras that are not watched by their settings, of those that are gone by `gone`."""
        with self.writer.paused():
            self._retention.keep_gone(gone)
            for name, settings in cameras.items():
                self._retention.keep(name, settings)

    def drop(self, camera: str) -> None:
        """Finish the clips of a camera and begin no more; evidence stays for as long as its last settings say."""
        if not self._makes_clips:
            return
        with self.writer.paused():
            self._clips.drop(camera, at_once=True)
        try:
            self.writer.tick()
        except StateError as error:
            log.error("last clips pending: database not writable", camera=camera, why=str(error))  # noqa: TRY400
