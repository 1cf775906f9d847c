"""Joins the console to the running daemon. Imported only where the console is on."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute

from surveil.alerts.evidence import FOLDER
from surveil.alerts.history import History
from surveil.app.arming import Arming
from surveil.app.camera_runtime import CameraRuntime
from surveil.app.fleet import Fleet
from surveil.app.parts import State
from surveil.app.reload import Reloader
from surveil.clock import Clock
from surveil.config import Config
from surveil.console.auth.gate import LoopbackGate
from surveil.console.context import Parts
from surveil.console.frontend import Frontend
from surveil.console.routes import routes
from surveil.console.running import CameraState
from surveil.rules.base import rule_name


class DaemonView:
    """The running daemon as the console sees it. Any thread may ask."""

    def __init__(self, reloader: Reloader, fleet: Fleet, arming: Arming, clock: Clock) -> None:
        self._reloader = reloader
        self._fleet = fleet
        self._arming = arming
        self._clock = clock

    @property
    def config(self) -> Config:
        """What runs."""
        return self._reloader.config

    def cameras(self) -> Sequence[CameraState]:
        """Return all cameras, in the order of the configuration."""
        runtimes = self._fleet.runtimes
        return [self._camera(runtimes[name]) for name in self.config.cameras if name in runtimes]

    def _camera(self, runtime: CameraRuntime) -> CameraState:
        camera, status = runtime.camera, runtime.capture.status if runtime.capture else None
        rules, now = tuple(map(rule_name, camera.rules)), self._clock.wall()
        info = status.info if status else None
        return CameraState(
            name=camera.name,
            title=camera.titles.camera,
            site=camera.site,
            state=runtime.state,
            cause=status.cause if status else "",
            error=status.error if status else "",
            since=status.since if status else self._reloader.last.at,
            lag_s=status.lag_s if status else 0.0,
            codec=info.codec if info else "",
            decoder=info.decoder if info else "",
            fps=camera.detect.fps,
            size=status.size if status else (0, 0),
            last_picture_at=status.last_picture_at if status else None,
            rules=rules,
            disarmed=tuple(rule for rule in rules if not self._arming.is_armed(camera.name, rule, now)),
        )


def make_console(
    reloader: Reloader, fleet: Fleet, arming: Arming, state: State, clock: Clock
) -> Sequence[BaseRoute]:
    """Return what the web server serves for the console."""
    parts = Parts(
        daemon=DaemonView(reloader, fleet, arming, clock),
        history=History(state.database),
        evidence=state.folder / FOLDER,
        gate=LoopbackGate(),
        clock=clock,
    )
    return routes(parts, Frontend())
