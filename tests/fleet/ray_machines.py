"""A fleet under Ray on one machine: real daemons, `surveil fleet start` and `join`, and the processes that Ray makes.

Needs Ray. What ends is started again, as the units do.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from surveil.clock import Stop, SystemClock
from surveil.errors import StateError
from surveil.fleet.control import ask
from surveil.fleet.rayprocess import TOKEN
from tests.fleet.judge import Judge
from tests.fleet.machines import config, within
from tests.fleet.network import Network, Place
from tests.integration.world import Process, wait_for

_PORT = 26379
_MARK = "SURVEIL_TEST_NODE"
_RESTART_S = 5.0
_NODES = 3
SHORT_CHECKS = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}


class RayNode:
    """A daemon, and a command that keeps Ray's processes. A supervisor starts the command again.

    Args:
        path: of the configuration.
        does: what the command does.
        address: at which the other nodes reach it.
        checks: environment of Ray's processes.
        place: its network and its boot time; None: those of the tests.
    """

    def __init__(
        self, path: Path, does: list[str], address: str, checks: Mapping[str, str], place: Place | None
    ) -> None:
        self.path, self.name, self.state = path, path.parent.name, path.parent / "state"
        self.place, self._does, self._address = place, does, address
        self._command = self._fleet_command(does, path)
        self._checks, self._stop = checks, Stop()
        self._supervisor = threading.Thread(target=self._supervise, name=f"supervisor-{self.name}")
        self.start()

    # The daemon.

    def start(self) -> None:
        self.daemon = Process(self.path, by=within(self.place))

    def kill(self) -> None:
        self.daemon.end(signal.SIGKILL)

    def leases(self) -> dict[str, int]:
        """Epoch by camera of the leases that are fresh; empty while the daemon does not answer."""
        try:
            return ask(self.state, {"do": "status"})["leases"]
        except StateError:
            return {}

    # The processes of Ray.

    def supervise(self) -> None:
        self._supervisor.start()

    def lead(self) -> None:
        """Be a head beside the other, at an address of its own."""
        whole = json.loads(self.path.read_text())
        whole["fleet"]["listen"] = f"{self._address}:{_PORT}"
        own = self.path.with_name("head.yaml")
        own.write_text(json.dumps(whole))
        self._command = self._fleet_command(["start"], own)
        self._sweep()

    def follow(self) -> None:
        """Begin again as what it was made to be."""
        self._command = self._fleet_command(self._does, self.path)
        self._sweep()

    def _fleet_command(self, does: list[str], path: Path) -> list[str]:
        return [*within(self.place), "surveil", "fleet", *does, "--ip", self._address, "-c", str(path)]

    def processes(self, *words: str) -> list[int]:
        """Those of this node whose command line begins with, or whose program is, one of `words`; none: all."""
        found = []
        for folder in Path("/proc").iterdir():
            with suppress(OSError):
                if folder.name.isdecimal() and self._mark() in (folder / "environ").read_bytes().split(b"\0"):
                    line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    if not words or any(word in line.split(" ", 1)[0] for word in words):
                        found.append(int(folder.name))
        return found

    def _supervise(self) -> None:
        while not self._stop:
            with (self.path.parent / "ray.log").open("ab") as log:
                child = subprocess.Popen(
                    [sys.executable, *self._command],
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **self._checks, _MARK: str(self.path)},
                )
                while child.poll() is None and not self._stop.wait(0.2):
                    pass
            if self._stop:
                child.terminate()
                with suppress(subprocess.TimeoutExpired):
                    child.wait(60)
            self._sweep()
            child.wait()
            SystemClock().sleep(_RESTART_S, self._stop)

    def _sweep(self) -> None:
        """End what is left, as the service manager does with a unit's processes."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _mark(self) -> bytes:
        return f"{_MARK}={self.path}".encode()

    def end(self) -> None:
        self._stop.set()
        if self._supervisor.ident is not None:
            self._supervisor.join()
        self.kill()


class RayFleet:
    """Three nodes under Ray. A context manager.

    `checks`: environment of Ray's processes; `network` has a place for each node, None: all are on loopback.
    """

    def __init__(
        self,
        folder: Path,
        judge: Judge,
        policy: str,
        webhook: str,
        checks: Mapping[str, str],
        network: Network | None = None,
    ) -> None:
        self.judge, self.store = judge, folder / "store"
        self.store.mkdir()
        places = network.places if network else [None] * _NODES
        addresses = [place.fleet.there if place else f"127.0.0.{2 + i}" for i, place in enumerate(places)]
        at = f"{addresses[0]}:{_PORT}"
        paths = [config(f"node{i}", folder, judge, policy, webhook, at) for i in range(_NODES)]
        commands = [["start"], *[["join", at]] * (_NODES - 1)]
        self.machines = [
            RayNode(path, command, address, checks, place)
            for path, command, address, place in zip(paths, commands, addresses, places, strict=True)
        ]
        head, *others = self.machines
        head.supervise()
        wait_for((head.state / TOKEN).exists, 60)
        for machine in others:
            wait_for(machine.state.exists, 60)
            (machine.state / TOKEN).touch(0o600)
            (machine.state / TOKEN).write_bytes((head.state / TOKEN).read_bytes())
            machine.supervise()

    def settle(self, timeout_s: float = 300.0) -> None:
        """Wait until every camera has one fresh lease and one reader."""
        wait_for(lambda: self._is_whole() and self.judge.read_once(), timeout_s)

    def owner(self, camera: str) -> RayNode | None:
        return next((machine for machine in self.machines if camera in machine.leases()), None)

    def _is_whole(self) -> bool:
        held = sorted(camera for machine in self.machines for camera in machine.leases())
        return held == sorted(self.judge.cameras)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for machine in reversed(self.machines):
            machine.end()
