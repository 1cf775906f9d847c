"""What operators have asked for by hand: it is followed as long as no camera is unwatched because of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from surveil.fleet.placer import CameraLoad, NodeRoom, Placement, place


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
        while True:
            found = place([_to(camera, pinned.get(camera.name)) for camera in cameras], rooms, owners)
            lost = found.unplaced.keys() & pinned.keys()
            if not lost:
                return found
            pinned = {camera: node for camera, node in pinned.items() if camera not in lost}


def _to(camera: CameraLoad, node: str | None) -> CameraLoad:
    return replace(camera, nodes=frozenset({node})) if node else camera
