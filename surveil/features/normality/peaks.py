"""How often a score stream would raise an alarm at any threshold, counted on events, in bounded memory.

The stream is the *sustained* fused score (its minimum over the debounce). Time is cut into slots as
long as the gap that merges alarms; the highest slots are kept with their place. Alarms at a threshold
are the runs of neighbouring slots above it: runs declustering (Leadbetter et al., 1989), which makes
autocorrelated frames into independent events.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappush, heappushpop

import numpy as np
from numpy.typing import NDArray

SLOT_S = 5.0
"""Alarms closer than this are one."""
KEEP = 4096
"""Slots kept: the highest. 8 bytes each."""


@dataclass(slots=True, kw_only=True)
class Peaks:
    """The highest slots of a score stream and how long it was watched. Owned by one learner."""

    seconds: float = 0.0
    """Held-out footage watched."""
    _top: list[tuple[float, int]] = field(default_factory=list)
    _slot: int = 0
    _filled: float = 0.0
    _highest: float = 0.0

    def add(self, sustained: float, dt: float) -> None:
        """Take the score that holds for the next `dt` seconds."""
        self.seconds += dt
        self._highest = max(self._highest, sustained)
        self._filled += dt
        if self._filled >= SLOT_S:
            skipped = int(self._filled / SLOT_S) - 1
            self.close_slot()
            self._slot += skipped

    def gap(self) -> None:
        """End the run: what follows is not the next moment."""
        self.close_slot()
        self._slot += 1

    def close_slot(self) -> None:
        """Keep the slot if it is among the highest and open the next; an empty slot stays open."""
        if self._filled <= 0.0:
            return
        if self._highest > 0.0:
            entry = (self._highest, self._slot)
            if len(self._top) < KEEP:
                heappush(self._top, entry)
            else:
                heappushpop(self._top, entry)
        self._slot += 1
        self._filled = self._highest = 0.0

    def merge(self, other: Peaks) -> None:
        """Append another record, as later footage."""
        self.gap()
        for value, slot in other.pack()[1:].tolist():
            entry = (value, self._slot + int(slot))
            if len(self._top) < KEEP:
                heappush(self._top, entry)
            else:
                heappushpop(self._top, entry)
        self._slot += other._slot + 2
        self.seconds += other.seconds

    def ladder(self) -> Ladder:
        """Return alarms against threshold."""
        last = [(self._highest, self._slot)] if self._highest > 0.0 else []
        order = sorted([*self._top, *last], key=lambda entry: (-entry[0], entry[1]))
        return Ladder.climb(
            np.array([v for v, _ in order], np.float64),
            np.array([s for _, s in order], np.int64),
            self.seconds,
        )

    def pack(self) -> NDArray[np.float64]:
        """Return the record as (n, 2) rows of value and slot, after a first row (seconds, next slot)."""
        last = [(self._highest, self._slot)] if self._highest > 0.0 else []
        following = self._slot + (1 if self._filled > 0.0 else 0)
        top = sorted([*self._top, *last])
        rows = [(self.seconds, float(following)), *((v, float(s)) for v, s in top)]
        return np.array(rows, np.float64)

    @classmethod
    def unpack(cls, rows: NDArray[np.float64]) -> Peaks:
        """Return the record that `pack` wrote."""
        peaks = cls(seconds=float(rows[0, 0]))
        peaks._slot = int(rows[0, 1])
        peaks._top = [(float(v), int(s)) for v, s in rows[1:]]
        return peaks


@dataclass(frozen=True, slots=True)
class Ladder:
    """Slot values in falling order and the number of alarms with the threshold just below each."""

    values: NDArray[np.float64]
    alarms: NDArray[np.int64]
    """Cumulative maximum of the runs among the slots so far: never falls."""
    seconds: float

    @classmethod
    def climb(cls, values: NDArray[np.float64], slots: NDArray[np.int64], seconds: float) -> Ladder:
        """Count runs of neighbouring slots while the threshold falls past one slot after the other."""
        seen: set[int] = set()
        runs, counts = 0, []
        for slot in slots.tolist():
            runs += 1 - (slot - 1 in seen) - (slot + 1 in seen)
            seen.add(slot)
            counts.append(runs)
        alarms = np.maximum.accumulate(np.array(counts, np.int64)) if counts else np.zeros(0, np.int64)
        return cls(values, alarms, seconds)

    def count(self, threshold: float) -> int:
        """Return the alarms there would have been at `threshold`."""
        above = int(np.searchsorted(-self.values, -threshold, side="right"))
        return int(self.alarms[above - 1]) if above else 0

    def events(self, n: int) -> tuple[float, NDArray[np.float64]]:
        """Return a base and the peaks above it, at most `n`: the values at which a new run began."""
        new = np.flatnonzero(np.diff(self.alarms, prepend=0) > 0)[: n + 1]
        if len(new) <= n:
            base = float(self.values[-1]) if len(self.values) else 0.0
            return base, self.values[new]
        return float(self.values[new[n]]), self.values[new[:n]]
