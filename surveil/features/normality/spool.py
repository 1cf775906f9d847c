"""Features of normal footage kept for held-out scoring, in bounded memory however long the footage.

Footage is cut into blocks, which go round the folds. When the memory is full every second block is
handed out for scoring as things stand, and dropped, a round of folds at a time: what stays is spread
evenly.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from surveil.features.normality.features import Features
from surveil.features.normality.objects import ObjectSample

FOLDS = 4
BLOCK_S = 30.0
"""Longer than most visits, so that a fold does not know the person it is asked about."""
CHANNELS = 7
"""Values kept per active cell: vx, vy, cover, energy, ground, stay, shape."""
_OVERHEAD = 200
_NO_CELLS = np.zeros(0, np.uint16)
_NO_VALUES = np.zeros((CHANNELS, 0), np.float16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """One frame's active cells, or a stretch of frames without any."""

    t: float
    dt: float
    cells: NDArray[np.uint16]
    values: NDArray[np.float16]
    """(CHANNELS, n)."""
    objects: tuple[ObjectSample, ...] = ()
    hour: int = 0
    """Of the day."""

    @property
    def size(self) -> int:
        """Bytes, roughly."""
        return self.cells.nbytes + self.values.nbytes + _OVERHEAD * (1 + len(self.objects))


def block_s(footage_s: float) -> float:
    """Return how long blocks of `footage_s` seconds are: what fits into one is cut into two rounds of folds."""
    return BLOCK_S if footage_s > BLOCK_S else max(1.0, footage_s / (2 * FOLDS))


def pack(features: Features, objects: tuple[ObjectSample, ...] = (), hour: int = 0) -> Packed:
    """Keep what any attribute can use."""
    if features.occupied is None:
        return Packed(
            t=features.t, dt=features.dt, cells=_NO_CELLS, values=_NO_VALUES, objects=objects, hour=hour
        )
    cells = np.flatnonzero(features.occupied).astype(np.uint16)
    planes = (
        features.vx, features.vy, features.cover, features.energy, features.ground, features.stay, features.shape
    )  # fmt: skip
    values = np.stack([plane.ravel()[cells] for plane in planes]).astype(np.float16)
    return Packed(t=features.t, dt=features.dt, cells=cells, values=values, objects=objects, hour=hour)


def unpack(packed: Packed, rows: int, columns: int) -> Features:
    """Return features with zeros where nothing was active."""
    planes = np.zeros((CHANNELS, rows * columns), np.float32)
    planes[:, packed.cells] = packed.values
    return Features(packed.t, packed.dt, *planes.reshape(CHANNELS, rows, columns))


@dataclass(slots=True, kw_only=True)
class Block:
    """A contiguous stretch of footage."""

    fold: int
    seconds: float = 0.0
    frames: list[Packed] = field(default_factory=list)
    size: int = 0
    follows: bool = True
    """Whether it continues the block before without a gap."""

    def add(self, packed: Packed) -> None:
        """Append a frame; frames without anything active are merged."""
        self.seconds += packed.dt
        last = self.frames[-1] if self.frames else None
        still = not len(packed.cells) and not packed.objects
        if last is not None and still and not len(last.cells) and not last.objects:
            self.frames[-1] = Packed(t=packed.t, dt=last.dt + packed.dt, cells=last.cells, values=last.values)
            return
        self.frames.append(packed)
        self.size += packed.size


class Spool:
    """Blocks in the order of the footage. Owned by one learner."""

    def __init__(self, max_bytes: int, block_s: float = BLOCK_S) -> None:
        # Two rounds of folds stay whatever the bound: with fewer there is nothing to judge by.
        self._max = max_bytes
        self._block_s = block_s
        self._fold = 0
        self._cursor = 1
        self._in_fold = 0.0
        self.blocks: list[Block] = []
        self.bytes = 0

    def fold(self) -> int:
        """Return the fold that the next frame belongs to."""
        if self._in_fold >= self._block_s:
            self._fold, self._in_fold = (self._fold + 1) % FOLDS, 0.0
            self.blocks.append(Block(fold=self._fold))
        elif not self.blocks:
            self.blocks.append(Block(fold=self._fold))
        return self._fold

    def add(self, packed: Packed) -> list[Block]:
        """Append a frame; return blocks that had to go."""
        self.fold()
        block = self.blocks[-1]
        before = block.size
        block.add(packed)
        self._in_fold += packed.dt
        self.bytes += block.size - before
        if self.bytes <= self._max or len(self.blocks) < 2 * FOLDS + 1:
            return []
        return self._thin()

    def _thin(self) -> list[Block]:
        # Whole rounds of folds go, so that those that stay still cover every fold.
        # One round at a time, the second, the fourth …, because whoever scores them keeps a camera waiting.
        first = self._cursor * FOLDS
        if first + FOLDS >= len(self.blocks):
            self._cursor, first = 1, FOLDS
        drop = self.blocks[first : first + FOLDS]
        del self.blocks[first : first + FOLDS]
        self._cursor += 1
        self.bytes -= sum(block.size for block in drop)
        return drop

    def gap(self) -> None:
        """Note that the footage was interrupted: what comes next does not follow."""
        if self.blocks and self.blocks[-1].frames:
            self.blocks.append(Block(fold=self._fold, follows=False))
