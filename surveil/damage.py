"""Data that was found damaged on the disk and set aside, counted for the whole process.

One damaged thing must not keep the rest from working: who finds it puts it aside, adds it here, says so once and
goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import structlog

log = structlog.get_logger(__name__)


class Damaged(StrEnum):
    """What can be damaged."""

    DATABASE = "database"
    """A whole database."""
    ALERT = "alert"
    """The record of one alert; it is delivered without what cannot be read."""
    RECORD = "record"
    """Any other row: a delivery, a switch, a line of the ledger."""
    COUNTS = "counts"
    CONSOLE = "console"
    """Users, tokens and the audit log of the console."""
    RECORDINGS = "recordings"
    OFFSITE = "offsite_queue"
    NORMALITY = "normality_model"
    CLASSIFIER = "classifier"
    DESCRIPTION = "model_description"


@dataclass(frozen=True, slots=True, kw_only=True)
class DamageReport:
    """One damaged thing, for an alert."""

    kind: Damaged
    text: str


class DamageCounts:
    """Counts by kind, and what was not told yet. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(Damaged, 0)
        self._untold: list[DamageReport] = []

    def add(self, kind: Damaged, n: int = 1) -> None:
        """Count damaged things."""
        with self._lock:
            self._counts[kind] += n

    def report(self, kind: Damaged, text: str) -> None:
        """Count one damaged thing that is to be an alert."""
        log.error("damaged data set aside", kind=kind.value, what=text)
        with self._lock:
            self._counts[kind] += 1
            self._untold.append(DamageReport(kind=kind, text=text))

    def take(self) -> list[DamageReport]:
        """Return what was not told yet."""
        with self._lock:
            untold, self._untold = self._untold, []
        return untold

    def put_back(self, reports: Sequence[DamageReport]) -> None:
        """Tell them later."""
        with self._lock:
            self._untold[:0] = reports

    def counts(self) -> dict[Damaged, int]:
        """Return how many were found since the start, by kind."""
        with self._lock:
            return dict(self._counts)


found = DamageCounts()
"""Of this process."""
