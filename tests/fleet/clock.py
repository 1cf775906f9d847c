"""The time of day of one process, which another may set: what it is ahead, in s, is 8 bytes in a file."""

from __future__ import annotations

import mmap
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from surveil.clock import SystemClock

_AHEAD = struct.Struct("d")


@dataclass(frozen=True, slots=True)
class Step:
    """For a while the clock of a node was wrong. Times are Unix s of a right one."""

    node: str
    since: float
    until: float
    ahead_s: float

    def right(self, node: str, t_wall: float) -> float:
        """Return a time that the node has told, as it really was."""
        meanwhile = self.since <= t_wall - self.ahead_s <= self.until
        return t_wall - self.ahead_s if node == self.node and meanwhile else t_wall


def make(path: Path) -> None:
    """Make the file of a clock that is right."""
    path.write_bytes(_AHEAD.pack(0.0))


def follow(path: Path) -> None:
    """Let this process go by the clock of a file."""
    with path.open("rb") as file:
        ahead = mmap.mmap(file.fileno(), _AHEAD.size, prot=mmap.PROT_READ)
    right = time.time

    def wall() -> float:
        return right() + _AHEAD.unpack(ahead)[0]

    time.time = wall
    SystemClock.wall = staticmethod(wall)


@contextmanager
def stepped(path: Path, node: str, ahead_s: float, steps: list[Step]) -> Iterator[None]:
    """Set the clock of a node forward (or back), and right again; note that in `steps`."""
    since = time.time()
    _set(path, ahead_s)
    try:
        yield
    finally:
        _set(path, 0.0)
        steps.append(Step(node, since, time.time(), ahead_s))


def _set(path: Path, ahead_s: float) -> None:
    # In place: who follows it has the file mapped.
    with path.open("r+b") as file:
        file.write(_AHEAD.pack(ahead_s))
