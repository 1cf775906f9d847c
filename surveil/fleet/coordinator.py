"""The coordinator: which node is to read which camera, from what the nodes report. Pure: the caller brings the time.

After its start it places nothing for one validity of a lease: by then it has heard of every lease that a coordinator
before it granted, or that lease has ended.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from surveil.clock import Every
from surveil.fleet.messages import RENEW_S, VALID_S, NodeReport, Orders, peers_digest
from surveil.fleet.placer import CameraLoad, NodeRoom, Placement, Unplaced
from surveil.fleet.roster import Roster
from surveil.fleet.seats import HOLD_S, Seats
from surveil.fleet.wishes import Wishes

ORDERS = 1_000_000_000_000
"""The orders of a coordinator are numbered from its term times this: enough for a century of a large fleet."""
_SOON_S = 0.25
"""How soon the next report is wanted while something moves."""
_COST_STEP = 0.25
"""Part of a camera's cost by which a measurement must differ to be used: placement does not follow noise."""

_FADE_S = 120.0
"""How often the cost of a camera that has no room is halved: longer than nodes take to measure cameras."""


@dataclass(slots=True, kw_only=True)
class _Node:
    """What is known of one node."""

    report: NodeReport
    cameras: frozenset[str]
    heard: float
    """When it reported last, s."""
    replaced: set[str]
    """Earlier runs of its daemon: one that still reports is a second daemon of the same name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """One node, for people."""

    name: str
    alive: bool
    draining: bool
    silent_s: float
    cameras: int
    capacity: float
    load: float
    pending: int
    digest: str
    version: str
    address: str
    store_age_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraView:
    """One camera, for people."""

    name: str
    node: str
    """Empty: none may read it."""
    epoch: int
    target: str
    """The node that is to read it; empty: none can."""
    why: str
    """Why there is none."""
    readers: tuple[str, ...]
    """Nodes that are alive and have said that they read it."""
    lost_readers: tuple[str, ...]
    """Nodes that are lost and said before that they read it: with `watch` they may do so still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetView:
    """The whole fleet at one moment, for people."""

    term: int
    waiting_s: float
    """How long nothing is placed yet: others may hold leases of a coordinator before."""
    superseded: bool
    """Another coordinator has taken over: this one orders nothing."""
    nodes: tuple[NodeView, ...] = ()
    cameras: tuple[CameraView, ...] = ()


class Coordinator:
    """Owned by one thread. Times are seconds of a clock that never steps.

    Args:
        cameras: what is to be placed.
        term: rises with every start of a coordinator of this fleet.
        now: the time, s.
    """

    def __init__(self, cameras: Mapping[str, CameraLoad], term: int, now: float) -> None:
        self._cameras = dict(cameras)
        self._costs = {name: camera.cost for name, camera in cameras.items()}
        self.term = term
        self._number = term * ORDERS
        self._places_from = now + HOLD_S
        self._seats = Seats(term)
        self._nodes: dict[str, _Node] = {}
        self._known: dict[str, frozenset[str]] = {}
        self._wishes = Wishes()
        self._placement = Placement({}, {})
        self._targets: Mapping[str, frozenset[str]] = {}
        """The cameras that each node is to read."""
        self._changed = True
        self._outdated = False
        """A cost has fallen while there is too little room, or has risen beyond the capacity of its node."""
        self._looks, self._retries, self._fades = Every(_SOON_S), Every(HOLD_S), Every(_FADE_S)
        self._next_end = now
        """When the leases of the node that has been silent for longest end."""
        self.superseded = False
        """Another coordinator has taken over; set by who sees it."""
        self.outdone = 0
        """The highest term of orders that a node has followed and that are newer than any of this one; 0: none."""

    # What nodes and operators ask.

    def report(self, report: NodeReport, now: float) -> Orders | None:
        """Take a node's report; return its orders, None: there are none yet, or another coordinator gives them."""
        if report.applied > self._number:
            self.superseded, self.outdone = True, max(self.outdone, report.applied // ORDERS)
        if self.superseded or not self._hear(report, now):
            return None
        if now < self._places_from:
            return self._renew(report, now)
        self._changed |= self._seats.release(report)
        self.look(now)
        return self._order(report, self._targets.get(report.node, frozenset()), now)

    def look(self, now: float) -> None:
        """Free what has ended and place what is free."""
        if self._looks.due(now):
            self._changed |= self._seats.expire(now)
            gone = [name for name, node in self._nodes.items() if not self._is_alive(node, now)]
            self._changed |= any(self._targets.get(name) for name in gone)
            self._next_end = min((seat.until for _, seat in self._seats), default=now + HOLD_S)
        if self._outdated and self._retries.due(now):
            self._changed, self._outdated = True, False
        if self._placement.unplaced and self._fades.due(now):
            self._changed |= self._lower_costs()
        if self._changed and now >= self._places_from:
            self._place(now)

    def _renew(self, report: NodeReport, now: float) -> Orders | None:
        """Renew the leases of a coordinator before, while others may hold what this node does not have."""
        self._seats.adopt(report, now)
        if not report.leases:
            return None
        return self._order(report, self._seats.of_node(report.node).keys() & report.leases.keys(), now)

    def _order(self, report: NodeReport, cameras: Collection[str], now: float) -> Orders:
        self._number += 1
        peers = {name: node.report.address for name, node in self._nodes.items() if node.report.address}
        return Orders(
            number=self._number,
            asked=report.asked,
            grants=self._seats.grant(report.node, cameras, self._number, now),
            again_s=self._again_s(report.node, now),
            peers=None if report.peers == peers_digest(peers) else peers,
            tell_cameras=report.digest not in self._known,
        )

    def configure(self, cameras: Mapping[str, CameraLoad]) -> None:
        """Place these cameras from now on."""
        self._costs = {n: c.cost if c.declared else self._costs.get(n, c.cost) for n, c in cameras.items()}
        self._cameras = dict(cameras)
        self._changed = True

    def move(self, camera: str, node: str) -> None:
        """Let a node read a camera as long as it can; an empty `node` ends that. Raises KeyError: no such name."""
        if camera not in self._cameras or (node and node not in self._nodes):
            raise KeyError(camera if camera not in self._cameras else node)
        self._wishes.move(camera, node)
        self._changed = True

    def drain(self, node: str, *, on: bool = True) -> None:
        """Take all cameras from a node, or let it have some again. Raises KeyError: no such node."""
        if node not in self._nodes:
            raise KeyError(node)
        self._wishes.drain(node, on=on)
        self._changed = True

    def rebalance(self) -> None:
        """Forget what was moved by hand."""
        self._wishes.stay_anywhere()
        self._changed = True

    def view(self, now: float) -> FleetView:
        """Return the fleet as it is."""
        return FleetView(
            term=self.term,
            waiting_s=max(0.0, self._places_from - now),
            superseded=self.superseded,
            nodes=tuple(self._node_view(name, now) for name in sorted(self._nodes)),
            cameras=tuple(self._camera_view(name, now) for name in sorted(self._cameras)),
        )

    def roster(self) -> Roster:
        """Return who has which camera, and where each node's pages are."""
        return Roster(
            owners={camera: seat.node for camera, seat in sorted(self._seats)},
            pages={name: node.report.pages for name, node in sorted(self._nodes.items())},
        )

    # Placement.

    def _place(self, now: float) -> None:
        rooms = [self._room(name, node) for name, node in self._nodes.items() if self._is_alive(node, now)]
        loads = [replace(camera, cost=self._costs[name]) for name, camera in self._cameras.items()]
        self._placement = self._wishes.place(loads, rooms, self._present())
        targets = defaultdict(set)
        for camera, node in self._placement.owners.items():
            targets[node].add(camera)
        self._targets = {node: frozenset(cameras) for node, cameras in targets.items()}
        self._changed = False

    def _lower_costs(self) -> bool:
        """Halve what cameras without room have cost, down to the usual: nobody measures them. Return whether any did.

        Step by step: the nodes that take some measure them before the next step.
        """
        full = [name for name, why in self._placement.unplaced.items() if why is Unplaced.NO_ROOM]
        high = [
            name for name in full if name in self._cameras and self._costs[name] > self._cameras[name].cost
        ]
        self._costs |= {name: max(self._costs[name] / 2, self._cameras[name].cost) for name in high}
        return bool(high)

    def _present(self) -> dict[str, str]:
        """Return who reads, or is to read, each camera now."""
        reading = {camera: name for name, node in self._nodes.items() for camera in node.report.reading}
        seated = {camera: seat.node for camera, seat in self._seats}
        return reading | seated | dict(self._placement.owners)

    def _room(self, name: str, node: _Node) -> NodeRoom:
        return NodeRoom(
            name=name,
            capacity=node.report.capacity,
            labels=node.report.labels,
            cameras=node.cameras,
            draining=self._wishes.drains(name) or node.report.draining,
        )

    # Nodes.

    def _hear(self, report: NodeReport, now: float) -> bool:
        """Note a report; return False for one of a daemon while another of the same name has its place.

        Until that one falls silent: what seemed to replace it may have been a late report of the run before.
        """
        if report.cameras is not None:
            self._known[report.digest] = report.cameras
        before = self._nodes.get(report.node)
        replaced = set() if before is None else before.replaced
        is_taken = report.run in replaced or not _may_follow(before, report, now)
        if before is not None and is_taken and self._is_alive(before, now):
            return False
        replaced.discard(report.run)
        if before is not None and before.report.run != report.run:
            replaced.add(before.report.run)
        cameras = self._known.get(report.digest, before.cameras if before else frozenset())
        able = cameras.difference(report.unable)
        node = _Node(report=report, cameras=able, heard=now, replaced=replaced)
        self._nodes[report.node] = node
        self._changed |= before is None or _offer(before) != _offer(node) or not self._is_alive(before, now)
        self._measure(report)
        return True

    def _measure(self, report: NodeReport) -> None:
        for name, cost in report.costs.items():
            known = self._costs.get(name)
            declared = name in self._cameras and self._cameras[name].declared
            if known is not None and not declared and cost > 0 and abs(cost - known) > _COST_STEP * known:
                self._costs[name] = cost
                self._outdated |= self._placement.short if cost < known else self._is_overfull(report)

    def _is_overfull(self, node: NodeReport) -> bool:
        cameras = self._targets.get(node.node, frozenset())
        return sum(self._costs.get(camera, 0.0) for camera in cameras) > node.capacity

    @staticmethod
    def _is_alive(node: _Node, now: float) -> bool:
        return now < node.heard + HOLD_S

    def _again_s(self, node: str, now: float) -> float:
        """Return how soon a node is to ask again: at once while its cameras move, or as leases of a silent one end."""
        own = self._seats.of_node(node)
        moves = self._targets.get(node, frozenset()) - own.keys()
        if moves or any(seat.left_at is not None for seat in own.values()):
            return _SOON_S
        return min(RENEW_S, max(_SOON_S, self._next_end - now))

    # For people.

    def _node_view(self, name: str, now: float) -> NodeView:
        node = self._nodes[name]
        held = self._seats.of_node(name)
        report = node.report
        return NodeView(
            name=name,
            alive=self._is_alive(node, now),
            draining=self._wishes.drains(name) or report.draining,
            silent_s=now - node.heard,
            cameras=len(held),
            capacity=report.capacity,
            load=sum(self._costs.get(camera, 0.0) for camera in held),
            pending=report.pending,
            digest=report.digest,
            version=report.version,
            address=report.address,
            store_age_s=report.store_age_s,
        )

    def _camera_view(self, name: str, now: float) -> CameraView:
        readers = sorted(n for n, node in self._nodes.items() if name in node.report.reading)
        alive = {n for n in readers if self._is_alive(self._nodes[n], now)}
        seat, why = self._seats.get(name), self._placement.unplaced.get(name, "")
        return CameraView(
            name=name,
            node=seat.node if seat else "",
            epoch=seat.epoch if seat else 0,
            target=self._placement.owners.get(name, ""),
            why=str(why),
            readers=tuple(n for n in readers if n in alive),
            lost_readers=tuple(n for n in readers if n not in alive),
        )


def _may_follow(before: _Node | None, report: NodeReport, now: float) -> bool:
    """Whether a report is of the same daemon or of one that was started on the same machine: by the same clock.

    A daemon on another machine does not end the one before it, which may still read.
    """
    if before is None or report.run == before.report.run:
        return True
    passed = report.asked - before.report.asked
    return abs(passed - (now - before.heard)) < VALID_S


def _offer(node: _Node) -> tuple[object, ...]:
    return (node.report.capacity, dict(node.report.labels), node.cameras, node.report.draining)
