"""A network for each node of a fleet: namespaces of the kernel, and links that are cut both ways or one way.

Each node has two links, as on a site: one to cameras and receivers (the plant), one to the coordinator and the other
nodes (the fleet). Each has another boot time, too: no clock of one means anything to another.

Needs a network namespace of our own in which we may do anything; `python -m tests.system.fleet` makes it.
"""

from __future__ import annotations

import subprocess
from enum import Enum, auto
from pathlib import Path

from tests.integration.world import wait_for

PLANT = "10.79.0.1"
"""Where cameras and receivers listen."""
DESK = "10.79.0.2"
"""Where the coordinator listens."""
_NOBODY = "02:00:00:00:00:99"
"""What is sent there, the kernel of the other end drops: it is another machine's."""
_BOOT_APART_S = 3600


class Way(Enum):
    """What a cut link loses."""

    BOTH = auto()
    TO_THE_NODE = auto()
    FROM_THE_NODE = auto()


class Link:
    """One cable to a node. `here` and `there` are the addresses of its ends."""

    def __init__(self, kind: str, net: int, node: int, pid: int) -> None:
        self._near, self._far = f"{kind}{node}", kind
        self.here, self.there = f"10.{net}.{node}.1", f"10.{net}.{node}.2"
        self._inside = ["nsenter", "--target", str(pid), "--net"]
        _ip("link", "add", self._near, "type", "veth", "peer", "name", self._far, "netns", str(pid))
        self._begin([], self._near, self.here)
        self._begin(self._inside, self._far, self.there)

    @staticmethod
    def _begin(where: list[str], name: str, address: str) -> None:
        _ip("address", "add", f"{address}/24", "dev", name, where=where)
        _ip("link", "set", name, "up", where=where)

    def leads_to(self, network: str) -> None:
        """Let the node reach a network, or an address, by this link."""
        _ip("route", "add", network, "via", self.here, where=self._inside)

    def cut(self, way: Way) -> None:
        match way:
            case Way.BOTH:
                _ip("link", "set", self._near, "down")
            case Way.TO_THE_NODE:
                self._neighbour("replace", [], self._near, self.there)
            case Way.FROM_THE_NODE:
                self._neighbour("replace", self._inside, self._far, self.here)

    def mend(self, way: Way) -> None:
        match way:
            case Way.BOTH:
                _ip("link", "set", self._near, "up")
            case Way.TO_THE_NODE:
                self._neighbour("delete", [], self._near, self.there)
            case Way.FROM_THE_NODE:
                self._neighbour("delete", self._inside, self._far, self.here)

    @staticmethod
    def _neighbour(do: str, where: list[str], name: str, address: str) -> None:
        what = ["lladdr", _NOBODY, "nud", "permanent"] if do == "replace" else []
        _ip("neighbour", do, address, "dev", name, *what, where=where)


class Place:
    """The network and the boot time of one node. A process that sleeps keeps them."""

    def __init__(self, number: int) -> None:
        boot = ["--time", "--boottime", str(_BOOT_APART_S * (number + 1))]
        self._keeper = subprocess.Popen(
            ["unshare", "--net", *boot, "--fork", "--kill-child", "sleep", "infinity"]
        )
        children = Path(f"/proc/{self._keeper.pid}/task/{self._keeper.pid}/children")
        self.pid = int(wait_for(children.read_text))
        _ip("link", "set", "lo", "up", where=["nsenter", "--target", str(self.pid), "--net"])
        self.plant = Link("plant", 78, number, self.pid)
        self.fleet = Link("fleet", 77, number, self.pid)
        self.plant.leads_to(PLANT)
        self.fleet.leads_to(DESK)
        self.fleet.leads_to("10.77.0.0/16")

    @property
    def sockets(self) -> Path:
        """The table of the TCP sockets of the node."""
        return Path(f"/proc/{self.pid}/net/tcp")

    def close(self) -> None:
        self._keeper.kill()
        self._keeper.wait()


class Network:
    """The places of some nodes. A context manager."""

    def __init__(self, nodes: int) -> None:
        self._nodes = nodes
        self.places: list[Place] = []

    def __enter__(self):
        _ip("link", "set", "lo", "up")
        for address in (PLANT, DESK):
            _ip("address", "add", f"{address}/32", "dev", "lo")
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        self.places = [Place(number) for number in range(self._nodes)]
        return self

    def __exit__(self, *exc):
        for place in self.places:
            place.close()


def _ip(*words: str, where: list[str] | None = None) -> None:
    subprocess.run([*(where or []), "ip", *words], check=True, capture_output=True)
