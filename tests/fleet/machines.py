"""A fleet on one machine: real daemons, real agents, real cameras, and faults."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from surveil.clock import boot_s
from surveil.errors import StateError
from surveil.fleet.control import ask
from surveil.fleet.placer import CameraLoad
from tests import forked
from tests.fleet import clock
from tests.fleet.desk import Desk, Line
from tests.fleet.judge import Judge
from tests.fleet.network import DESK, Network, Place
from tests.integration.world import Process, wait_for

_NOWHERE = "rtsp://127.0.0.1:9/cam"
"""Nobody listens there."""


class Machine:
    """A node: one daemon and one agent, each a process of its own, and a state directory.

    `place`: its network and its boot time; None: those of the tests.
    """

    def __init__(self, path: Path, desk: Desk, place: Place | None = None) -> None:
        self.path, self.name, self.folder, self.place = path, path.parent.name, path.parent, place
        self.state = self.folder / "state"
        self.clock = self.folder / "clock"
        clock.make(self.clock)
        self.line = Line(desk, DESK if place else "127.0.0.1")
        self.start()
        self.start_agent()

    def start(self) -> None:
        self.daemon = Process(self.path, by=(*within(self.place), "--clock", str(self.clock)))

    def restart(self) -> None:
        """Start the daemon and wait until it answers."""
        self.start()
        wait_for(self.is_up, 90)

    def kill(self) -> None:
        self.daemon.end(signal.SIGKILL)

    def start_agent(self) -> None:
        host, port = self.line.address
        command = [*within(self.place), "tests.fleet.desk", str(self.state), host, str(port)]
        with (self.folder / "agent.log").open("ab") as log:
            self.agent = forked.Child(command, stdout=log, stderr=log)

    def kill_agent(self) -> None:
        self.agent.kill()
        self.agent.wait(15)

    def is_up(self) -> bool:
        try:
            return bool(ask(self.state, {"do": "status"}))
        except StateError:
            return False

    def end(self) -> None:
        self.kill_agent()
        self.kill()
        self.line.close()


def has_heard(state: Path, seconds: float) -> bool:
    """Whether a node has heard from a coordinator in the last `seconds`."""
    try:
        age_s = ask(state, {"do": "status"})["lease_age_s"]
    except StateError:
        return False
    return age_s is not None and age_s < seconds


def within(place: Place | None) -> tuple[str, ...]:
    """Return what runs a module at a place, as after `python`."""
    return ("-m", "tests.fleet.within", *(("--like", str(place.pid)) if place else ()))


@contextmanager
def frozen(child: forked.Child) -> Iterator[None]:
    """Stop a process and let it go on."""
    os.kill(child.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(child.pid, signal.SIGCONT)


class Fleet:
    """Machines around one coordinator. A context manager.

    Args:
        folder: below which each machine has its own; `node0/state` and so on may be there already.
        reached: for each camera that not all machines reach the names of those that do.
        network: has a place for each machine; None: all are on loopback.
        more: settings of every camera beside, or in the place of, the usual ones.
    """

    def __init__(
        self,
        folder: Path,
        judge: Judge,
        policy: str,
        webhook: str,
        machines: int = 3,
        reached: Mapping[str, list[str]] | None = None,
        network: Network | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        self.judge, self.store = judge, folder / "store"
        self.store.mkdir()
        reached = reached or {}
        loads = {
            name: CameraLoad(name=name, cost=0.1, nodes=frozenset(reached[name]) if name in reached else None)
            for name in judge.cameras
        }
        self.desk = Desk(loads, self.store)
        paths = [
            config(f"node{i}", folder, judge, policy, webhook, "", reached, more) for i in range(machines)
        ]
        places = network.places if network else [None] * machines
        self.machines = [Machine(path, self.desk, place) for path, place in zip(paths, places, strict=True)]

    def settle(self, timeout_s: float = 90.0) -> None:
        """Wait until every camera has one reader."""
        wait_for(self.judge.read_once, timeout_s)

    def owner(self, camera: str) -> Machine | None:
        seat = self.desk.coordinator._seats.get(camera)
        return next((machine for machine in self.machines if seat and machine.name == seat.node), None)

    def targets(self) -> dict[str, str]:
        """Return the node that is to read each camera; empty: none yet."""
        return {camera.name: camera.target for camera in self.desk.coordinator.view(boot_s()).cameras}

    def epoch(self, camera: str) -> int:
        """Return the epoch of the present owner."""
        return self.desk.coordinator._seats.get(camera).epoch

    def moved(self, camera: str, away: Machine) -> None:
        """Wait until another machine has the camera, and every camera is read again."""
        wait_for(lambda: self.owner(camera) not in (None, away), 60)
        self.settle()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for machine in self.machines:
            machine.end()


def config(
    name: str,
    folder: Path,
    judge: Judge,
    policy: str,
    webhook: str,
    head: str = "",
    reached: Mapping[str, list[str]] | None = None,
    more: Mapping[str, object] | None = None,
) -> Path:
    """Write the configuration of a node below `folder`; return its path."""
    yard = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    cameras = {
        camera: {
            "url": server.url if name in (reached or {}).get(camera, [name]) else _NOWHERE,
            "detect": {"fps": 2},
            "zones": {"yard": yard},
            "rules": [{"type": "intrusion", "zone": "yard", "after_s": 0.5, "linger_s": 0.5}],
            **(more or {}),
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
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(whole))
    return path
