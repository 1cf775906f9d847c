"""The context of a request: the parts of the console, and the request itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request

from surveil.alerts.history import History
from surveil.clock import Clock
from surveil.console.access import Identity
from surveil.console.auth.parts import Auth
from surveil.console.drafts import Drafts
from surveil.console.drawnon import DrawnOn
from surveil.console.language import language_of, said
from surveil.console.live.hub import LiveHub
from surveil.console.probes import Probes
from surveil.console.refusal import Refusal, not_found
from surveil.console.running import RunningDaemon
from surveil.console.training.job import Trainings
from surveil.wording import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the console consists of."""

    daemon: RunningDaemon
    history: History
    evidence: Path
    """The folder of stored pictures and clips."""
    auth: Auth
    clock: Clock
    drafts: Drafts
    drawn_on: DrawnOn
    live: LiveHub
    trainings: Trainings
    probes: Probes


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One permitted request."""

    parts: Parts
    identity: Identity
    request: Request
    address: str
    """Of the client."""

    @property
    def language(self) -> Language:
        """The language that texts of alerts, and errors, are told in."""
        return language_of(self.request.headers.get("accept-language", ""))

    def said(self, error: str) -> str:
        """Return an error in that language."""
        return said(error, self.language)

    @property
    def camera(self) -> str:
        """The camera in the path. Raises Refusal where there is none of this name, or none for this user."""
        name = str(self.request.path_params["camera"])
        if name not in self.parts.daemon.config.cameras or not self.identity.sees(name):
            raise not_found("camera")
        return name

    def check_shown(self, camera: str, remedy: str) -> None:
        """Refuse a video of a camera of which areas are hidden now. Raises Refusal."""
        known = self.parts.daemon.config.cameras.get(camera)
        if known is not None and known.hides:
            raise Refusal(
                409, "hidden", "areas of this camera are hidden now; what was recorded before would show them",
                remedy=remedy,
            )  # fmt: skip
