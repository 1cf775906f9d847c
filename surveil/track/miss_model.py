"""How often the detector finds an object, and whether a run of misses still can be chance."""

from __future__ import annotations

PRIOR_FINDS, PRIOR_MISSES = 1.0, 0.05
"""What is thought of an object before it was looked at: nearly every look finds it."""
MEMORY = 60.0
"""Looks that count: light changes, and with it how well an object is found."""
MOST_MISSED = 0.9
"""No object is taken for one that is missed more often: it could be gone for minutes before anybody knew."""


class MissModel:
    """The looks at one object. Mutable; owned by its tracklet.

    Each look is a draw with an unknown share of finds (beta-binomial), so that few looks allow for much doubt.
    """

    __slots__ = ("_finds", "_misses", "chance")

    def __init__(self) -> None:
        self._finds = PRIOR_FINDS
        self._misses = PRIOR_MISSES
        self.chance = 1.0
        """How likely so many misses in a row are since it was last known to be there, if it still is."""

    def found(self) -> None:
        """A look found it."""
        self._finds += 1.0
        self._end_run()

    def missed(self) -> None:
        """A look did not find it, and it may be gone."""
        self.chance *= min(MOST_MISSED, self._misses / (self._finds + self._misses))
        self._misses += 1.0

    def overlooked(self) -> None:
        """A look did not find it, and it is there."""
        self._misses += 1.0
        self._end_run()

    def _end_run(self) -> None:
        self.chance = 1.0
        fade = min(1.0, MEMORY / (self._finds + self._misses))
        self._finds *= fade
        self._misses *= fade
