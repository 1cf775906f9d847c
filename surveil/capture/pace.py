"""When to look at a camera that is decoded on demand while nothing moves, and how much of it to keep."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

SLACK = 1.15
"""A look may come so much later than wanted, where a key frame comes then."""
_FORGET_S = 30.0
"""The length of a longer group fades this fast: a key frame that was lost must not count for ever."""
_LEAST_BYTES = 4 << 20
_MOST_OF_SHORT = 32 << 20
"""More than three groups may fill so much: three times what comes in 1.15 s at 77 Mbit/s."""
_GROUPS = 3
"""Groups of pictures that may be kept: the one since the last look, the one that comes, and one for a late look."""


class KeptPacket(NamedTuple):
    """One encoded picture with everything that its frame has beside the picture. A tuple: there are many."""

    seq: int
    data: bytes
    key: bool
    t: float
    t_wall: float
    arrived: float
    lag_s: float
    broken: bool


@dataclass(slots=True, kw_only=True)
class Pace:
    """How far apart key frames come and looks may be. Mutable: cameras may lengthen their groups in a quiet scene.

    `gop_s`, `gop_bytes`: the longest and the largest group of pictures so far.
    """

    gop_s: float
    reaction_s: float
    gop_bytes: int
    _key_t: float = field(default=inf, init=False)
    """Stream time of the last key frame, s; infinite before the first."""
    _look_t: float = field(default=-inf, init=False)
    """Stream time of the last picture that is to be looked at, s."""
    _planned_key_t: float = field(default=-inf, init=False)
    """Stream time of the last key frame that `due` was asked for, s."""
    _bytes: int = field(default=0, init=False)
    """Of the group that comes."""

    def follow(self, packet: KeptPacket) -> None:
        """Take note of a packet, each in order: how long groups are."""
        since_key = max(0.0, packet.t - self._key_t)
        if packet.key:
            self.gop_s -= max(0.0, self.gop_s - since_key) * min(1.0, since_key / _FORGET_S)
            self.gop_bytes = max(self.gop_bytes, self._bytes)
            self._key_t, self._bytes = packet.t, 0
        self.gop_s = max(self.gop_s, since_key)
        self._bytes += len(packet.data)

    def begin(self) -> None:
        """Look at the key frame that comes first now."""
        self._look_t = -inf

    def due(self, packet: KeptPacket) -> bool:
        """Whether to look at a packet's picture while nothing moves: a key frame unless the next is early enough.

        Each is asked for in order.
        """
        latest = self._look_t + SLACK * self.reaction_s
        if packet.key:
            self._planned_key_t = packet.t
            is_due = packet.t + self.gop_s > latest
        else:
            is_no_key_near = self._planned_key_t + self.gop_s > latest or packet.t > latest
            is_due = packet.t >= self._look_t + self.reaction_s and is_no_key_near
        self._look_t = packet.t if is_due else self._look_t
        return is_due

    @property
    def is_of_keys(self) -> bool:
        """Whether all looks are at key frames, because these come often enough."""
        return self.gop_s <= SLACK * self.reaction_s

    @property
    def most_bytes(self) -> int:
        """More is not kept. Where several groups fit between two looks, all of them count as one."""
        groups = _GROUPS * self.gop_bytes
        per_look = int(SLACK * self.reaction_s / self.gop_s) if self.gop_s > 0 else 1
        return max(_LEAST_BYTES, groups, min(_MOST_OF_SHORT, groups * per_look))

    @property
    def most_woken_bytes(self) -> int:
        """More is never kept: a third beyond, while a camera that was woken for want of room catches up."""
        return self.most_bytes * 4 // 3
