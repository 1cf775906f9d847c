"""What a courier hands to a sink, and what a sink may know about the installation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from surveil.alerts.links import stored_file
from surveil.clock import Clock, Stop, SystemClock
from surveil.titles import Titles
from surveil.types import Alert

STOP_GRACE_S = 0.5
"""How long a delivery under way may go on after the end was asked for."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One alert on its way to one sink."""

    alert: Alert
    attempts: int = 0
    """How often it was tried before."""
    suspect_failures: int = 0
    """How many of these tries failed for a reason that may lie in the alert."""
    seq: int = 0
    """Its row in the outbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """What sinks that describe the installation (Home Assistant, retained states) know of a camera."""

    state: str = "connecting"
    zones: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    site: str = ""
    """The place that it watches with others; empty: its events are never joined."""
    titles: Titles = field(default_factory=Titles)


@dataclass(frozen=True, slots=True)
class InstallationStatus:
    """The installation as of now: what `maintain` is given."""

    cameras: Mapping[str, Camera] = field(default_factory=dict)
    open: Sequence[Alert] = ()
    """Start alerts of open events that this sink has taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What every sink is given beside its settings."""

    name: str = "sink"
    """The sink's name in the configuration."""
    state_dir: Path = Path()
    """Evidence paths are relative to it."""
    instance: str = "surveil"
    """Names this daemon among others."""
    clock: Clock = field(default_factory=SystemClock)
    stop: Stop = field(default_factory=Stop)

    def picture(self, alert: Alert, kind: str = "snapshot") -> Path | None:
        """Return the file of a piece of evidence that exists, or None."""
        relative = alert.evidence.get(kind, "missing:")
        path = None if relative.startswith("missing:") else stored_file(self.state_dir, relative)
        return path if path and path.is_file() else None

    def read_picture(self, alert: Alert) -> tuple[bytes, str]:
        """Return the snapshot, empty where there is none, and why it cannot be read, where that is so (a bad disk)."""
        try:
            path = self.picture(alert)
            return path.read_bytes() if path else b"", ""
        except OSError as error:
            return b"", f"cannot be read: {error.strerror}"
