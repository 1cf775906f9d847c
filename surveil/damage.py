"""What was found damaged on the disk and set aside, counted for the whole process.

One damaged thing must not keep the rest from working: who finds it puts it aside, adds it here, says so once and
goes on.
"""

from __future__ import annotations

import threading
from enum import StrEnum


class Damaged(StrEnum):
    """What can be damaged."""

    DATABASE = "database"
    """A whole database."""
    ALERT = "alert"
    """The record of one alert; it is delivered without what cannot be read."""
    RECORD = "record"
    """Any other row: a delivery, a switch, a line of the books."""
    COUNTS = "counts"
    NORMALITY = "normality_model"
    CLASSIFIER = "classifier"
    DESCRIPTION = "model_description"


class DamageCounts:
    """Counts by kind. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(Damaged, 0)

    def add(self, kind: Damaged, n: int = 1) -> None:
        """Count damaged things."""
        with self._lock:
            self._counts[kind] += n

    def counts(self) -> dict[Damaged, int]:
        """Return how many were found since the start, by kind."""
        with self._lock:
            return dict(self._counts)


found = DamageCounts()
"""Of this process."""
