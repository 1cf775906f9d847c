"""The coordinator's record of leases: one seat per camera, given on when no node can hold the lease any more.

A seat is renewed with every answer to its node that names the camera. It is free when its node has said that it reads
the camera no more, or when every lease that was granted on it has ended. Pure: the caller brings the time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from surveil.fleet.messages import VALID_S, NodeReport

MARGIN_S = 0.5
"""What is added to the validity before a camera is handed on: clocks of two machines run at different speeds."""
HOLD_S = VALID_S + MARGIN_S
"""How long after an answer its node may still read."""
TERM = 1_000_000_000
"""Epochs of a coordinator begin at its term times this."""


@dataclass(slots=True, kw_only=True)
class Seat:
    """The right of one node to read one camera."""

    node: str
    epoch: int
    until: float
    """When the last lease on it has ended for certain, s of the coordinator's clock."""
    left_at: int | None = None
    """Number of the orders that first left it out; None: it is granted."""


class Seats:
    """The seats of all cameras. Epochs rise with every hand-over."""

    def __init__(self, term: int) -> None:
        self._seats: dict[str, Seat] = {}
        self._of_node: dict[str, set[str]] = defaultdict(set)
        self._epoch = term * TERM

    def __iter__(self) -> Iterator[tuple[str, Seat]]:
        """Iterate over cameras and their seats."""
        return iter(self._seats.items())

    def get(self, camera: str) -> Seat | None:
        """Return the seat of a camera; None: no node can be reading it with a fresh lease."""
        return self._seats.get(camera)

    def of_node(self, node: str) -> Mapping[str, Seat]:
        """Return the seats of one node by camera."""
        return {camera: self._seats[camera] for camera in self._of_node[node]}

    def adopt(self, report: NodeReport, now: float) -> None:
        """Leave cameras to the node that has fresh leases of a coordinator before; the highest epoch wins."""
        for camera, epoch in report.leases.items():
            seat = self._seats.get(camera)
            if seat is None or seat.epoch < epoch:
                self._free(camera)
                self._sit(camera, Seat(node=report.node, epoch=epoch, until=now + HOLD_S))

    def release(self, report: NodeReport) -> bool:
        """Free what a node has let go; return whether there was anything."""
        own = self.of_node(report.node)
        gone = [camera for camera, seat in own.items() if _has_let_go(camera, seat, report)]
        for camera in gone:
            self._free(camera)
        return bool(gone)

    def expire(self, now: float) -> bool:
        """Free the seats on which every lease has ended; return whether there were any."""
        gone = [camera for camera, seat in self._seats.items() if seat.until <= now]
        for camera in gone:
            self._free(camera)
        return bool(gone)

    def grant(self, node: str, wanted: Collection[str], number: int, now: float) -> dict[str, int]:
        """Return what a node may read of the cameras that it is to read: epoch by camera.

        `number` is that of the orders which say so. What others still hold is not among it.
        """
        for camera in sorted(set(wanted) - self._seats.keys()):
            self._epoch += 1
            self._sit(camera, Seat(node=node, epoch=self._epoch, until=now))
        granted = {}
        for camera, seat in self.of_node(node).items():
            if camera in wanted:
                seat.until, seat.left_at = now + HOLD_S, None
                granted[camera] = seat.epoch
            elif seat.left_at is None:
                seat.left_at = number
        return granted

    def _sit(self, camera: str, seat: Seat) -> None:
        self._seats[camera] = seat
        self._of_node[seat.node].add(camera)

    def _free(self, camera: str) -> None:
        seat = self._seats.pop(camera, None)
        if seat is not None:
            self._of_node[seat.node].discard(camera)


def _has_let_go(camera: str, seat: Seat, report: NodeReport) -> bool:
    return seat.left_at is not None and report.applied >= seat.left_at and camera not in report.reading
