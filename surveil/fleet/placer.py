"""Which node watches which camera: a pure function of cameras, nodes and present owners.

A camera stays where it is as long as it may, and where no other node has room for it. One that has no owner goes to
the less full of the two nodes that it likes best by rendezvous hashing, among those that it would not fill beyond their
share. A node far above its share gives cameras away and one far below takes some, only where that makes the fuller of
the two less full.

Rendezvous (highest random weight) hashing: Thaler and Ravishankar, "Using name-based mappings to increase hit rates",
1998; the bound on a node's share follows "Consistent hashing with bounded loads" by Mirrokni and others, 2018, the
second choice "The power of two choices in randomized load balancing" by Mitzenmacher, 2001.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from surveil.types import BoolMap, Doubles

_SLACK = 0.1
"""How far a node may be above its share, as a part of it, before it gives cameras away."""
_IDLE = 0.25
"""How far a node may be below its share before it is filled up to it."""
_CHOICES = 2
"""Of how many liked nodes the least full is taken: two balance far better than one."""
_DONORS = 16
"""How many nodes may have nothing to give before a node, or a camera, is left as it is: bounds the work where labels
keep cameras from it."""
_TRIES = 200
"""For how many cameras in vain room is made by moving others: bounds the work where all nodes are full."""
_ROUNDING = 1e-9
"""Sums of costs differ by so little with the order in which they were added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraLoad:
    """What one camera asks of a node."""

    name: str
    cost: float = 1.0
    """In the unit of `NodeRoom.capacity`; positive."""
    declared: bool = False
    """Whether an operator says so, and no measurement changes it."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels that its node must have, such as `site: east` or `gpu: "true"`."""
    nodes: frozenset[str] | None = None
    """Nodes that may watch it; None: any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRoom:
    """What one node offers."""

    name: str
    capacity: float = 1.0
    """Sum of the costs of the cameras that it should watch at most; positive."""
    labels: Mapping[str, str] = field(default_factory=dict)
    cameras: frozenset[str] | None = None
    """Cameras that it can watch: those of its configuration that it reaches; None: any."""
    draining: bool = False
    """It shall have no cameras."""


class Unplaced(StrEnum):
    """Why no node watches a camera: a closed set, because it is a metric label."""

    NO_NODE = "no_node"
    """There is no node, or all of them are being drained."""
    NOT_ELIGIBLE = "not_eligible"
    """No node has its labels and reaches it."""
    NO_ROOM = "no_room"
    """The nodes that may watch it are full."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Which node is to watch which camera."""

    owners: Mapping[str, str]
    """Node by camera."""
    unplaced: Mapping[str, Unplaced]
    short: bool = False
    """Whether more room would help: cameras are unplaced, on a node that is full beyond its capacity or on one that is
    being drained."""


def place(cameras: Collection[CameraLoad], nodes: Sequence[NodeRoom], owners: Mapping[str, str]) -> Placement:
    """Return which node is to watch which camera, given which watches it now (`owners`).

    A camera that no other node has room for stays on a node that can watch it, also above its capacity and while it is
    drained: frames that are late are better than a camera that nobody watches. The result depends on the names and not
    on the order of `cameras` and `nodes`.
    """
    usable = sorted((node for node in nodes if not node.draining), key=lambda node: node.name)
    wanted = sorted(cameras, key=lambda camera: (-camera.cost, camera.name))
    found = _plan(wanted, usable, owners) if usable else _nowhere(wanted)
    drained = {node.name: node for node in nodes if node.draining}
    staying = {
        camera.name: node.name
        for camera in wanted
        if camera.name in found.unplaced
        and (node := drained.get(owners.get(camera.name, "")))
        and may_watch(camera, node)
    }
    unplaced = {name: why for name, why in found.unplaced.items() if name not in staying}
    return Placement({**found.owners, **staying}, unplaced, short=found.short or bool(staying or unplaced))


def _plan(wanted: Sequence[CameraLoad], nodes: Sequence[NodeRoom], owners: Mapping[str, str]) -> Placement:
    plan = _Plan(nodes, sum(camera.cost for camera in wanted))
    homeless = plan.keep(wanted, owners)
    unplaced = plan.settle(homeless)
    plan.shed()
    plan.balance()
    # What has moved since has made room.
    unplaced = plan.settle(camera for camera in homeless if camera.name in unplaced)
    return Placement(plan.owners(), unplaced, short=bool(plan.overfull()))


def _nowhere(cameras: Iterable[CameraLoad]) -> Placement:
    return Placement({}, {camera.name: Unplaced.NO_NODE for camera in cameras})


class _Plan:
    """A placement while it is made. Arrays have one entry per node, in the order of the nodes' names."""

    def __init__(self, nodes: Sequence[NodeRoom], cost: float) -> None:
        self._nodes = nodes
        self._index = {node.name: i for i, node in enumerate(nodes)}
        self._hashes = np.array([_hash(node.name) for node in nodes], np.uint64)
        self._capacity: Doubles = np.array([node.capacity for node in nodes], np.float64)
        self._load: Doubles = np.zeros(len(nodes), np.float64)
        share = cost / float(self._capacity.sum())
        self._bound: Doubles = share * (1 + _SLACK) * self._capacity + _ROUNDING
        self._share: Doubles = share * self._capacity
        self._held: dict[int, list[CameraLoad]] = defaultdict(list)
        self._tries = _TRIES
        self._fits: dict[object, BoolMap] = {}
        self._lists = tuple({node.cameras for node in nodes if node.cameras is not None})

    def owners(self) -> dict[str, str]:
        """Return node by camera."""
        return {camera.name: self._nodes[i].name for i, held in self._held.items() for camera in held}

    def keep(self, cameras: Iterable[CameraLoad], owners: Mapping[str, str]) -> list[CameraLoad]:
        """Leave cameras where they are; return those that have no owner, or one that may not watch them."""
        homeless = []
        for camera in cameras:
            i = self._index.get(owners.get(camera.name, ""))
            if i is not None and self._eligible(camera)[i]:
                self._give(camera, i)
            else:
                homeless.append(camera)
        return homeless

    def settle(self, homeless: Iterable[CameraLoad]) -> dict[str, Unplaced]:
        """Find a node for each camera; return why some have none."""
        unplaced = {}
        for camera in homeless:
            room = self._room(camera)
            if not room.any() and self._tries:
                room = self._make_room(camera)
                self._tries -= not room.any()
            if room.any():
                self._give(camera, self._choose(camera, room))
            else:
                eligible = self._eligible(camera).any()
                unplaced[camera.name] = Unplaced.NO_ROOM if eligible else Unplaced.NOT_ELIGIBLE
        return unplaced

    def overfull(self) -> list[int]:
        """Return the nodes that have more than they should watch."""
        return [int(i) for i in np.flatnonzero(self._load > self._capacity + _ROUNDING)]

    def shed(self) -> None:
        """Let nodes that have too much give away what another has room for."""
        for i in self.overfull():
            for camera in self._least_attached(i):
                if self._load[i] <= self._capacity[i] + _ROUNDING:
                    break
                room = self._room(camera)
                if room.any():
                    self._take(camera, i)
                    self._give(camera, self._choose(camera, room))

    def balance(self) -> None:
        """Let nodes above their share give cameras away, and those below it take some."""
        for i in np.argsort(-self._load / self._capacity, kind="stable"):
            self._relieve(int(i))
        for i in np.argsort(self._load / self._capacity, kind="stable"):
            self._fill(int(i))

    def _relieve(self, i: int) -> None:
        for camera in self._least_attached(i):
            if self._load[i] <= self._bound[i]:
                return
            after = (self._load + camera.cost) / self._capacity
            fits = self._eligible(camera) & (after <= 1 + _ROUNDING)
            fits[i] = False
            to = int(np.argmin(np.where(fits, after, np.inf)))
            if fits[to] and after[to] < self._load[i] / self._capacity[i] - _ROUNDING:
                self._take(camera, i)
                self._give(camera, to)

    def _fill(self, i: int) -> None:
        """Take cameras from the fullest nodes up to the share of this one."""
        if not self._is_idle()[i]:
            return
        fullness, poor = self._load / self._capacity, 0
        while self._load[i] < self._share[i] - _ROUNDING and poor < _DONORS:
            donor = int(np.argmax(fullness))
            if self._take_from(donor, i):
                fullness[donor] = self._load[donor] / self._capacity[donor]
            else:
                fullness[donor], poor = 0, poor + 1

    def _is_idle(self) -> BoolMap:
        """Which nodes are so far below their share that they are filled up to it."""
        return self._load < self._share * (1 - _IDLE)

    def _take_from(self, donor: int, i: int) -> bool:
        """Take the camera of another node that likes this one best; False: none would lower the fuller of the two."""
        full = min(self._load[donor] / self._capacity[donor], 1) - _ROUNDING
        fits = [
            camera
            for camera in self._held[donor]
            if (self._load[i] + camera.cost) / self._capacity[i] < full and self._eligible(camera)[i]
        ]
        if fits:
            camera = max(fits, key=lambda camera: (int(self._liking(camera)[i]), camera.name))
            self._take(camera, donor)
            self._give(camera, i)
        return bool(fits)

    def _choose(self, camera: CameraLoad, room: BoolMap) -> int:
        """Return the less full of the two nodes that the camera likes best, of idle ones or of those below their bound.

        Where there are none, the least full.
        """
        after = self._load + camera.cost
        modest = room & (after <= self._bound)
        # Who has no owner fills nodes that `balance` would fill with cameras of others.
        idle = modest & self._is_idle()
        among = np.flatnonzero(idle if idle.any() else modest)
        if not among.size:
            return int(np.argmin(np.where(room, after / self._capacity, np.inf)))
        liking = self._liking(camera)[among]
        best = among[np.argsort(liking)[: -_CHOICES - 1 : -1]]
        return int(best[np.argmin(self._load[best] / self._capacity[best])])

    def _least_attached(self, i: int) -> list[CameraLoad]:
        """Return the cameras of a node, those that like it least first."""
        return sorted(self._held[i], key=lambda camera: (int(self._liking(camera)[i]), camera.name))

    def _give(self, camera: CameraLoad, i: int) -> None:
        self._held[i].append(camera)
        self._load[i] += camera.cost

    def _take(self, camera: CameraLoad, i: int) -> None:
        self._held[i].remove(camera)
        self._load[i] -= camera.cost

    def _liking(self, camera: CameraLoad) -> NDArray[np.uint64]:
        """Return how much the camera likes each node: a hash of both names that is at least 1."""
        return _mix(self._hashes ^ np.uint64(_hash(camera.name))) | np.uint64(1)

    def _room(self, camera: CameraLoad) -> BoolMap:
        """Return which nodes may watch the camera beside what they have."""
        return self._eligible(camera) & (self._load + camera.cost <= self._capacity + _ROUNDING)

    def _make_room(self, camera: CameraLoad) -> BoolMap:
        """Move another camera, if that makes room for this one; return which nodes have room then."""
        eligible = np.flatnonzero(self._eligible(camera))
        fullness = self._load[eligible] / self._capacity[eligible]
        for i in eligible[np.argsort(fullness, kind="stable")][:_DONORS]:
            lacks = self._load[i] + camera.cost - self._capacity[i] - _ROUNDING
            if self._move_one(int(i), lacks):
                break
        return self._room(camera)

    def _move_one(self, i: int, cost: float) -> bool:
        """Move the smallest camera of a node that costs so much to where there is room; False: there is none."""
        free = float(np.delete(self._capacity - self._load, i).max(initial=0.0)) + _ROUNDING
        fits = [camera for camera in self._held[i] if cost <= camera.cost <= free]
        for camera in sorted(fits, key=lambda camera: (camera.cost, camera.name)):
            room = self._room(camera)
            room[i] = False
            if room.any():
                self._take(camera, i)
                self._give(camera, self._choose(camera, room))
                return True
        return False

    def _eligible(self, camera: CameraLoad) -> BoolMap:
        """Return which nodes may watch the camera; cameras that ask for the same share one answer."""
        known = tuple(camera.name in one for one in self._lists)
        key = (tuple(sorted(camera.labels.items())), camera.nodes, known)
        found = self._fits.get(key)
        if found is None:
            found = self._fits[key] = np.array([may_watch(camera, node) for node in self._nodes], np.bool_)
        return found


def may_watch(camera: CameraLoad, node: NodeRoom) -> bool:
    """Whether a node has the camera's labels and reaches it, however full it is."""
    return (
        camera.labels.items() <= node.labels.items()
        and (camera.nodes is None or node.name in camera.nodes)
        and (node.cameras is None or camera.name in node.cameras)
    )


def _hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")


def _mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return well-mixed bits (the finaliser of SplitMix64, by Steele, Lea and Flood, 2014)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
