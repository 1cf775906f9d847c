"""The attribute `place`: how seldom a place was occupied, in decades, for what is there now.

A place that never saw anything has no usual speed or direction of its own and is judged by the scene's: a person who
walks over the lawn would be as usual as on the path. The seconds in which a place was occupied are sums that the
attribute `static` keeps anyway; they are smoothed over a neighbouring cell, as no two people walk the same line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surveil.features.normality.cells import SAMPLE_S, Sums, smooth
from surveil.features.normality.features import Features
from surveil.features.normality.words import duration_words
from surveil.types import Floats
from surveil.wording import Said, say

PLACE = "place"
"""Name of the attribute."""
SIGMA = (1.0, 1.0)
"""Rows and columns of cells."""
PSEUDO_S = 1.0
"""Seconds of occupation that every place is granted: what was never seen in an hour is rarer than in a minute."""


@dataclass(frozen=True, slots=True)
class PlaceFinding:
    """The place that is least often occupied of those that are now."""

    raw: float
    """Decades."""
    cell: tuple[int, int]
    """Row and column."""
    scores: Floats
    """Decades of every occupied cell (rows, columns), 0 elsewhere."""


class PlaceScorer:
    """How seldom each cell was occupied, applied to frames. Holds no state between frames."""

    def __init__(self, occupied: Sums, watched_s: float) -> None:
        """`occupied`: samples of occupation (rows, columns), in `watched_s` seconds of footage."""
        reach = smooth(np.ones_like(occupied), SIGMA)
        self._seconds = SAMPLE_S * smooth(occupied, SIGMA) / reach
        self._watched = watched_s
        share = (self._seconds + PSEUDO_S) / (watched_s + PSEUDO_S)
        self._decades: Floats = (-np.log10(np.minimum(share, 1.0))).astype(np.float32)

    def score(self, features: Features) -> PlaceFinding | None:
        """Return the least usual place that is occupied; None: none is."""
        if features.occupied is None:
            return None
        scores = self._decades * features.occupied
        cell = divmod(int(scores.argmax()), scores.shape[1])
        return PlaceFinding(float(scores[cell]), cell, scores)

    def words(self, cell: tuple[int, int]) -> Said:
        """Say how long there was something at a cell."""
        seconds = float(self._seconds[cell])
        watched = duration_words(max(1.0, self._watched))
        if seconds < 1.0:
            return say("there was never anything here in {watched}", watched=watched)
        return say(
            "there was something here for {seen} of {watched} only",
            seen=duration_words(seconds),
            watched=watched,
        )
