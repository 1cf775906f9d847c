"""The one-to-one pairing of rows and columns with the least total cost.

The shortest augmenting path method (Jonker and Volgenant, 1987; Crouse, "On implementing 2D rectangular
assignment algorithms", 2016), O(n² m). SciPy has it too, but importing its package costs 48 MB of resident
memory, a fifth of the whole daemon; for the few dozen objects of a picture this takes well under a millisecond.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np

from surveil.geometry import iou_matrix
from surveil.types import Doubles

Matrix = Sequence[Sequence[float]]
Pairs = list[tuple[int, int]]


def least_cost(cost: Matrix) -> list[tuple[int, int]]:
    """Return (row, column) pairs, sorted by row; every row or every column is paired, whichever are fewer.

    `cost` is finite, rows × columns.
    """
    if not cost or not cost[0]:
        return []
    if len(cost) > len(cost[0]):
        turned = [list(column) for column in zip(*cost, strict=True)]
        return sorted((row, column) for column, row in least_cost(turned))
    pairing = _Pairing(cost)
    for row in range(len(cost)):
        pairing.add(row)
    return sorted((row, column) for column, row in enumerate(pairing.row_of) if row >= 0)


class _Pairing:
    """A growing optimal pairing with its dual prices: `prices` of columns and `gains` of rows."""

    def __init__(self, cost: Matrix) -> None:
        self._cost = cost
        self._gains = [0.0] * len(cost)
        self._prices = [0.0] * len(cost[0])
        self.row_of = [-1] * len(cost[0])

    def add(self, row: int) -> None:
        """Pair one more row, re-pairing those before along the cheapest path to a free column."""
        columns = range(len(self._prices))
        distance, came_from, done = [inf] * len(columns), [-1] * len(columns), [False] * len(columns)
        current, column = row, -1
        while current >= 0:
            reached = column
            base = distance[reached] if reached >= 0 else 0.0
            if reached >= 0:
                done[reached] = True
            for j in columns:
                if not done[j]:
                    length = base + self._cost[current][j] - self._gains[current] - self._prices[j]
                    if length < distance[j]:
                        distance[j], came_from[j] = length, reached
            column = min((j for j in columns if not done[j]), key=distance.__getitem__)
            current = self.row_of[column]
        self._reprice(row, distance, done, distance[column])
        while column >= 0:
            before = came_from[column]
            self.row_of[column] = self.row_of[before] if before >= 0 else row
            column = before

    def _reprice(self, row: int, distance: list[float], done: list[bool], least: float) -> None:
        self._gains[row] += least
        for j, was_reached in enumerate(done):
            if was_reached:
                change = least - distance[j]
                self._gains[self.row_of[j]] += change
                self._prices[j] -= change


def similarity(tracks: Doubles, margins: Doubles, detections: Doubles) -> Doubles:
    """How well each track (n, 4) fits each detection (m, 4): 0..1, (n, m).

    Intersection over union after both boxes grew by the doubt about the track's place (`margins`,
    (n, 2) px). At 2 fps a walker leaves his own box between two frames and plain overlap is 0; growing
    both keeps the order of the candidates (Yang et al., buffered IoU, 2023). The doubt comes from the
    filter, so a track that is well known is matched as strictly as ever.
    """
    grow = np.concatenate([-margins, margins], axis=1)[:, None, :]
    return iou_matrix(tracks[:, None, :] + grow, detections[None, :, :] + grow)


def assign(score: Doubles, least: float) -> Pairs:
    """The one-to-one pairs (row, column) with the greatest total score, none of them below `least`."""
    if score.size == 0:
        return []
    allowed = np.where(score >= least, score, 0.0)
    return [(row, column) for row, column in least_cost((-allowed).tolist()) if allowed[row, column] > 0]
