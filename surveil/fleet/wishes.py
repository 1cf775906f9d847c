"""What operators have asked for by hand.

Moves are followed as long as no camera is unwatched because of them. A node that is being drained takes no camera, also
where no other node can watch it: it is about to be stopped.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from surveil.fleet.placer import CameraLoad, NodeRoom, Placement, Unplaced, may_watch, place


class Wishes:
    """Cameras that were moved to a node, and nodes that are to have none."""

    def __init__(self) -> None:
        self._pinned: dict[str, str] = {}
        self._draining: set[str] = set()

    def move(self, camera: str, node: str) -> None:
        """Let a node watch a camera; an empty `node` ends that."""
        self._pinned.pop(camera, None)
        if node:
            self._pinned[camera] = node

    def stay_anywhere(self) -> None:
        """Forget all moves."""
        self._pinned.clear()

    def drain(self, node: str, *, on: bool) -> None:
        """Take all cameras from a node, or let it have some again."""
        (self._draining.add if on else self._draining.discard)(node)

    def drains(self, node: str) -> bool:
        """Whether a node is to be without cameras."""
        return node in self._draining

    def place(
        self, cameras: Collection[CameraLoad], rooms: Sequence[NodeRoom], owners: Mapping[str, str]
    ) -> Placement:
        """Place as `placer.place` does, with cameras where they were moved to if they can be watched there."""
        usable = {room.name for room in rooms if not room.draining}
        pinned = {camera: node for camera, node in self._pinned.items() if node in usable}
        return _place(cameras, rooms, owners, pinned)


def _place(
    cameras: Collection[CameraLoad],
    rooms: Sequence[NodeRoom],
    owners: Mapping[str, str],
    pinned: Mapping[str, str],
) -> Placement:
    """Place with the `pinned` cameras on their nodes (node by camera), except where that leaves more unwatched."""
    found = place([_to(camera, pinned.get(camera.name)) for camera in cameras], rooms, owners)
    lost = found.unplaced.keys() & pinned.keys()
    if lost:
        return _place(cameras, rooms, owners, _without(pinned, lost))
    full = [camera for camera in cameras if found.unplaced.get(camera.name) is Unplaced.NO_ROOM]
    near = [room for room in rooms if room.name in pinned.values()]
    wanted = {room.name for room in near if any(may_watch(camera, room) for camera in full)}
    in_the_way = {camera for camera, node in pinned.items() if node in wanted}
    if not in_the_way:
        return found
    freed = _place(cameras, rooms, owners, _without(pinned, in_the_way))
    return min(found, freed, key=lambda placement: len(placement.unplaced))


def _without(pinned: Mapping[str, str], cameras: Collection[str]) -> Mapping[str, str]:
    return {camera: node for camera, node in pinned.items() if camera not in cameras}


def _to(camera: CameraLoad, node: str | None) -> CameraLoad:
    """Limit a camera to one of the nodes that may watch it."""
    if node is None:
        return camera
    nodes = frozenset({node})
    return replace(camera, nodes=nodes if camera.nodes is None else nodes & camera.nodes)
