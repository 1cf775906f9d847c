"""The interface of the running daemon that the console uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from surveil.config import Config
from surveil.reasons import DecodeWhy


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraState:
    """One camera as of now."""

    name: str
    title: str
    site: str
    state: str
    cause: str
    """Why it is lost; empty while it runs."""
    error: str
    """The same in words, without credentials."""
    since: float
    """Unix s: when the state began."""
    lag_s: float
    codec: str = ""
    decoder: str = ""
    decode: DecodeWhy | None = None
    """Why it is decoded in full or on demand; None before that is known."""
    fps: float
    """Frames analysed a second, as configured."""
    size: tuple[int, int] = (0, 0)
    """Pixels; zeros before the first picture."""
    last_picture_at: float | None = None
    """Unix s."""
    rules: tuple[str, ...] = field(default=())
    disarmed: tuple[str, ...] = field(default=())
    """Those of its rules that are switched off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraElsewhere:
    """A camera that another node of the fleet has, or none."""

    name: str
    title: str
    node: str
    """Empty: none."""
    pages: str
    """URL of that node's pages; empty: unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What a probe of one camera found."""

    detect: Mapping[str, Any] | None = None
    """The stream that is analysed, as `surveil check --probe --json` tells it."""
    record: Mapping[str, Any] | None = None
    """The stream that clips are cut from, where that is another one."""
    advice: Sequence[tuple[str, str]] = ()
    """Code and text."""
    picture: bytes | None = field(default=None, repr=False)
    """JPEG of what may be seen."""
    failure: str = ""
    """Why there is nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSeen:
    """The picture of one camera as of now."""

    faults: tuple[str, ...] = ()
    view_changed_at: float | None = None
    """Unix s: when another view was last taken for the usual one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkTried:
    """What became of a test message."""

    ok: bool
    text: str
    """What was shown, or what went wrong; without credentials."""


class RunningDaemon(Protocol):
    """Read by any thread."""

    @property
    def config(self) -> Config:
        """What runs."""

    def reload(self) -> str | None:
        """Have the configuration read again; return what went wrong, empty if nothing; None: it takes its time."""

    def cameras(self) -> Sequence[CameraState]:
        """Return all cameras, in the order of the configuration."""

    def elsewhere(self) -> Sequence[CameraElsewhere]:
        """Return the cameras that other nodes of the fleet have; none without a fleet."""

    def picture(self, camera: str) -> PictureSeen:
        """Return what is wrong with a camera's picture."""

    def not_learned_s(self, camera: str) -> Mapping[str, float]:
        """Return how long learned normality has not learned from a camera, s by reason."""

    def try_sink(self, name: str) -> SinkTried:
        """Send a test message to a sink."""
