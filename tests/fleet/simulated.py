"""A fleet without machines: real leases and a real coordinator, and messages that are late, lost or answered twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from surveil.fleet.coordinator import Coordinator
from surveil.fleet.lease import Leases
from surveil.fleet.messages import NodeReport, Orders, Policy
from surveil.fleet.placer import CameraLoad

STEP_S = 0.25


@dataclass
class Node:
    """A daemon with its agent. Its clock began elsewhere and runs at its own `rate`."""

    name: str
    policy: Policy
    cameras: frozenset[str]
    rate: float = 1.0
    offset: float = 0.0
    labels: dict[str, str] = field(default_factory=dict)
    capacity: float = 100.0
    cost: float | None = None
    """What it measures of each camera that it reads; None: nothing."""
    draining: bool = False
    """Whether it asks to be without cameras."""
    run: int = 0
    frozen: bool = False
    dead: bool = False
    cut: bool = False
    saved: Orders | None = None
    applied: int = 0
    reading: dict[str, int] = field(default_factory=dict)
    unable: set[str] = field(default_factory=set)
    next_report: float = 0.0
    sent: list[NodeReport] = field(default_factory=list)
    answers: list[Orders] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.leases = Leases(self.policy, self.clock(0.0))

    def clock(self, now: float) -> float:
        return self.offset + self.rate * now

    def may_read(self, now: float) -> set[str]:
        if self.dead:
            return set()
        return {camera for camera in self.cameras if self.leases.may_read(camera, self.clock(now))}

    def restart(self, now: float) -> None:
        self.run += 1
        self.frozen = self.dead = False
        self.reading = {}
        self.leases = Leases(self.policy, self.clock(now), self.saved)
        self.answers.clear()

    def look(self, now: float) -> None:
        self.leases.look(self.clock(now))
        wanted = self.leases.wanted(self.clock(now))
        self.reading = {camera: epoch for camera, epoch in wanted.items() if camera not in self.unable}
        self.applied = self.leases.number

    def report(self, now: float) -> NodeReport:
        at = self.clock(now)
        return NodeReport(
            node=self.name,
            run=f"{self.name}-{self.run}",
            asked=at,
            applied=self.applied,
            leases=dict(self.leases.fresh(at)),
            reading=dict(self.reading),
            capacity=self.capacity,
            labels=self.labels,
            costs=dict.fromkeys(self.reading, self.cost) if self.cost else {},
            draining=self.draining,
            digest="one",
            cameras=self.cameras,
            unable=sorted(self.unable),
        )

    def take(self, orders: Orders, now: float) -> None:
        if self.leases.follow(Orders.of(orders.plain()), self.clock(now)):
            self.saved = orders


class Sim:
    """All of it, stepped by hand."""

    def __init__(self, policy: Policy, nodes: int = 3, cameras: int = 6) -> None:
        names = frozenset(f"cam{i}" for i in range(cameras))
        self.loads = {name: CameraLoad(name=name) for name in names}
        self.now = 1000.0
        self.term = 1
        self.nodes = [
            Node(f"node{i}", policy, names, rate=1 + 0.02 * (i - 1), offset=500.0 * i) for i in range(nodes)
        ]
        for node in self.nodes:
            node.restart(self.now)
        self.coordinator = Coordinator(self.loads, self.term, self.now)

    def restart_coordinator(self) -> None:
        self.term += 1
        self.coordinator = Coordinator(self.loads, self.term, self.now)

    def send(self, node: Node) -> None:
        node.sent.append(NodeReport.of(node.report(self.now).plain()))

    def deliver(self, node: Node, which: int = 0) -> Orders | None:
        if not node.sent:
            return None
        orders = self.coordinator.report(node.sent.pop(which % len(node.sent)), self.now)
        if orders is not None:
            node.answers.append(orders)
        return orders

    def answer(self, node: Node, which: int = 0) -> None:
        if node.answers:
            node.take(node.answers.pop(which % len(node.answers)), self.now)

    def run(self, seconds: float) -> None:
        """Let time pass; nodes that are well look, report and follow."""
        end = self.now + seconds
        while self.now < end:
            self.now += STEP_S
            self.coordinator.look(self.now)
            for node in self.nodes:
                self._live(node)

    def _live(self, node: Node) -> None:
        if node.dead or node.frozen:
            return
        node.look(self.now)
        if not node.cut and self.now >= node.next_report:
            self.send(node)
            orders = self.deliver(node, -1)
            node.next_report = self.now + (orders.again_s if orders else 1.0)
            self.answer(node, -1)
            node.look(self.now)

    def readers(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {name: [] for name in self.loads}
        for node in self.nodes:
            for camera in node.may_read(self.now):
                found[camera].append(node.name)
        return found

    def leaseholders(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {name: [] for name in self.loads}
        for node in self.nodes:
            for camera in () if node.dead else node.leases.fresh(node.clock(self.now)):
                found[camera].append(node.name)
        return found

    def epochs(self) -> Iterable[tuple[str, int]]:
        for node in self.nodes:
            yield from node.leases.fresh(node.clock(self.now)).items()
