"""The work of `surveil fleet start` and `surveil fleet join`: Ray on this machine, and the actors in it."""

from __future__ import annotations

import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import structlog

from surveil.clock import Every, Stop, SystemClock
from surveil.config import Config, load
from surveil.config.file import FleetSettings
from surveil.errors import ConfigError, StateError
from surveil.filesystem import make_folders
from surveil.fleet import ray_backend, rayprocess
from surveil.systemd import Notifier

log = structlog.get_logger(__name__)
_LOOK_S = 2.0
_CONNECT_S = 60.0
_REVIVE_S = 15.0
"""How long the coordinator may be silent: Ray takes some seconds to start it again."""
_END_S = 40.0
"""Ray may take half a minute to drain a node."""


class Member:
    """A node of a fleet. Owned by the main thread."""

    is_head = False

    def __init__(self, config: Config, fleet: FleetSettings, head: str, own_ip: str) -> None:
        self._config, self._fleet = config, fleet
        self._head, self._own_ip = head, own_ip
        self._token = config.state_dir / rayprocess.TOKEN
        self._name = fleet.node or config.instance
        self._stop, self._clock = Stop(), SystemClock()
        self._actors: list[str] = []
        """Those that live on this node."""

    def run(self) -> int:
        """Run until SIGTERM or SIGINT (0), or until Ray ends here (1: another start may help)."""
        self._listen()
        self.prepare()
        processes = rayprocess.start_ray(
            head=self._head,
            own_ip=self._own_ip,
            token=self._token,
            temp=rayprocess.FOLDER,
            is_head=self.is_head,
        )
        try:
            return self._serve(processes)
        finally:
            if processes.poll() is None:
                ray_backend.leave(self._actors)
                _end(processes)

    def prepare(self) -> None:
        """Raise StateError when something is missing."""
        if not self._token.is_file():
            raise StateError(f"{self._token} is missing: copy it from the head, mode 0600")

    def settle(self) -> None:
        """Have what belongs on this node."""
        self._actors.append(ray_backend.run_agent(self._name, self._config.state_dir))

    def look(self) -> None:
        """Do what is due; called every two seconds."""

    def _serve(self, processes: subprocess.Popen[bytes]) -> int:
        self._connect(processes)
        self._listen()  # Ray has taken the signals for itself.
        self.settle()
        notifier = Notifier()
        notifier.ready(f"in the fleet at {self._head}")
        log.info("in the fleet", head=self._head, node=self._name)
        while not self._stop.wait(_LOOK_S):
            if processes.poll() is not None:
                log.error("Ray has ended on this node", code=processes.returncode)
                return 1
            self.look()
        notifier.stopping()
        return 0

    def _connect(self, processes: subprocess.Popen[bytes]) -> None:
        """Wait for Ray. Raises StateError when it does not come up."""
        until = self._clock.monotonic() + _CONNECT_S
        while True:
            try:
                # Asked for a head that is not there, Ray waits for minutes and does not see that its own processes end.
                rayprocess.reach(self._head)
                return ray_backend.connect(self._head, self._own_ip)
            except StateError:
                if self._clock.monotonic() > until or self._stop:
                    raise
            if processes.poll() is not None:
                raise StateError(f"Ray has not come up on this node: it ended with {processes.returncode}")
            self._clock.sleep(1.0, self._stop)

    def _listen(self) -> None:
        def end(_number: int, _frame: FrameType | None) -> None:
            self._stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)


class FleetHead(Member):
    """The node with the coordinator."""

    is_head = True

    def __init__(self, config: Config, fleet: FleetSettings, own_ip: str) -> None:
        super().__init__(config, fleet, fleet.listen, own_ip)
        self._changed_at = _changed_at(config.path)
        self._term = 0
        self._revives = self._patience()

    def prepare(self) -> None:
        """Make the token."""
        make_folders(self._config.state_dir)
        rayprocess.make_token(self._token)

    def settle(self) -> None:
        """Have the coordinator here, too."""
        self._actors.append(ray_backend.run_coordinator(loads(self._config), self._fleet.store))
        super().settle()
        self._revives = self._patience()

    def look(self) -> None:
        """Follow the configuration file, tell a coordinator that was started again, and start one that has ended.

        Ray starts it again, but gives up when it cannot take a term: for as long as the store is away.
        """
        if _changed_at(self._config.path) != self._changed_at:
            self._changed_at = _changed_at(self._config.path)
            self._reload()
        try:
            self._tell()
        except StateError as error:
            if self._revives.due(self._clock.monotonic()):
                log.error("no coordinator, starting one", why=str(error))  # noqa: TRY400 - as for the file
                with suppress(StateError):
                    ray_backend.run_coordinator(loads(self._config), self._fleet.store)

    def _tell(self) -> None:
        term = ray_backend.ask_coordinator("term")
        self._revives = self._patience()
        if term != self._term:
            self._term = ray_backend.ask_coordinator("configure", loads(self._config))

    def _patience(self) -> Every:
        return Every(_REVIVE_S, self._clock.monotonic())

    def _reload(self) -> None:
        try:
            self._config, self._term = load(self._config.path, needs_secrets=False), 0
        except ConfigError as error:
            log.error("configuration refused, the fleet goes on by the one before", problems=error.messages)  # noqa: TRY400


def loads(config: Config) -> list[dict[str, Any]]:
    """Return what the cameras of a configuration ask of a node, as JSON types; `CameraLoad` says what it means."""
    return [
        {
            "name": name,
            "cost": camera.placement.cost or _USUAL_COST,
            "declared": camera.placement.cost is not None,
            "labels": dict(camera.placement.labels),
            "nodes": camera.placement.nodes,
        }
        for name, camera in config.cameras.items()
        if camera.enabled
    ]


_USUAL_COST = 0.1
"""Cores that a camera is thought to take before it is measured."""


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _end(processes: subprocess.Popen[bytes]) -> None:
    processes.terminate()
    try:
        processes.wait(_END_S)
    except subprocess.TimeoutExpired:
        processes.kill()
        processes.wait()
