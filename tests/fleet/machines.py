"""A fleet on one machine: real daemons, real agents, real cameras, and faults."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

from surveil.clock import Stop, SystemClock, boot_s
from surveil.errors import StateError
from surveil.fleet.agent import Agent, CoordinatorLostError
from surveil.fleet.control import ask
from surveil.fleet.coordinator import Coordinator
from surveil.fleet.messages import NodeReport
from surveil.fleet.placer import CameraLoad
from surveil.fleet.terms import take_term
from tests.fleet.judge import Judge
from tests.integration.world import Process, wait_for


class Desk:
    """A coordinator whose callers are threads of this process: Ray's part without Ray."""

    def __init__(self, names: list[str], store: Path) -> None:
        self._loads = {name: CameraLoad(name=name, cost=0.1) for name in names}
        self._store = store
        self._lock = threading.Lock()
        self.away = False
        self.begin()

    def begin(self) -> None:
        """Start anew, as after a crash: with nothing but the next term."""
        with self._lock:
            self.coordinator = Coordinator(self._loads, take_term(self._store), boot_s())

    def report(self, plain):
        if self.away:
            raise CoordinatorLostError("away")
        with self._lock:
            orders = self.coordinator.report(NodeReport.of(plain), boot_s())
        return None if orders is None else orders.plain()


class Machine:
    """A node: one daemon, one agent, its own state directory."""

    def __init__(self, name: str, folder: Path, judge: Judge, policy: str, desk: Desk, webhook: str) -> None:
        self.name, self.folder = name, folder / name
        self.path = config(name, folder, judge, policy, webhook)
        self.cut = False
        """Whether its link to the coordinator is down."""
        self._desk = desk
        self._stop = Stop()
        self.daemon = Process(self.path)
        self._agent = threading.Thread(target=self._run, name=f"agent-{name}")
        self._agent.start()

    def _run(self) -> None:
        def report(plain):
            if self.cut:
                raise CoordinatorLostError("cut off")
            return self._desk.report(plain)

        Agent(self.folder / "state", report, SystemClock()).run(self._stop)

    def kill(self) -> None:
        self.daemon.end(signal.SIGKILL)

    def start(self) -> None:
        self.daemon = Process(self.path)

    def freeze(self) -> None:
        os.kill(self.daemon.child.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.daemon.child.pid, signal.SIGCONT)

    def is_up(self) -> bool:
        try:
            return bool(ask(self.folder / "state", {"do": "status"}))
        except StateError:
            return False

    def end(self) -> None:
        self._stop.set()
        self._agent.join()
        self.daemon.end(signal.SIGKILL)


class Fleet:
    """Machines around one coordinator. A context manager."""

    def __init__(self, folder: Path, judge: Judge, policy: str, webhook: str, machines: int = 3) -> None:
        self.judge = judge
        (folder / "store").mkdir()
        self.desk = Desk(list(judge.cameras), folder / "store")
        self.machines = [
            Machine(f"node{i}", folder, judge, policy, self.desk, webhook) for i in range(machines)
        ]

    def settle(self, timeout_s: float = 60.0) -> None:
        """Wait until every camera has one reader."""
        wait_for(self.judge.read_once, timeout_s)

    def owner(self, camera: str) -> Machine | None:
        seat = self.desk.coordinator._seats.get(camera)
        return next((machine for machine in self.machines if seat and machine.name == seat.node), None)

    def moved(self, camera: str, away: Machine) -> None:
        """Wait until another machine has the camera, and every camera is read again."""
        wait_for(lambda: self.owner(camera) not in (None, away), 60)
        self.settle()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for machine in self.machines:
            machine.end()


def config(name: str, folder: Path, judge: Judge, policy: str, webhook: str, head: str = "") -> Path:
    """Write the configuration of a node below `folder`; return its path."""
    yard = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    cameras = {
        camera: {
            "url": server.url,
            "detect": {"fps": 2},
            "zones": {"yard": yard},
            "rules": [{"type": "intrusion", "zone": "yard", "after_s": 0.5}],
        }
        for camera, server in judge.cameras.items()
    }
    fleet = {"node": name, "store": str(folder / "store"), "on_lost_coordinator": policy}
    whole = {
        "version": 1,
        "cameras": cameras,
        "sinks": {"ops": {"type": "webhook", "url": webhook}},
        "state_dir": str(folder / name / "state"),
        "http": {"listen": "127.0.0.1:0"},
        "fleet": fleet | ({"listen": head} if head else {}),
    }
    path = folder / name / "config.yaml"
    path.parent.mkdir()
    path.write_text(json.dumps(whole))
    return path
