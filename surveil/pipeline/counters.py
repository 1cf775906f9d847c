"""The ledger of signals: every raised signal has one outcome or is pending.

raised == opened + joined + suppressed + pending, for every rule, in every snapshot and across restarts.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

from surveil.alerts.rows import RAISED, Entry
from surveil.engine import Step
from surveil.metrics import OUTCOMES


class SignalCounters:
    """What became of signals. Any thread may call any method; one lock makes each a snapshot.

    `kept` is what the database holds at the start.
    """

    def __init__(self, kept: Mapping[Entry, int]) -> None:
        self._lock = threading.Lock()
        self._total = Counter({e: n for e, n in kept.items() if e.outcome in (RAISED, *OUTCOMES)})
        self._unwritten: Counter[Entry] = Counter()

    def enter(self, camera: str, step: Step) -> Counter[Entry]:
        """Add what one step of an engine gave; return what is to be written with its alerts, if it has any.

        In the same transaction, so that nothing has opened that was not committed. The camera's next step comes
        after that, so its books are never ahead of themselves.
        """
        if not step.raised and not step.outcomes:  # most frames of most cameras
            return Counter()
        entries = Counter({Entry(camera, rule, RAISED): n for rule, n in step.raised.items()})
        entries.update({Entry(camera, *outcome): n for outcome, n in step.outcomes.items()})
        if entries:
            with self._lock:
                self._total.update(entries)
                if not step.alerts:
                    self._unwritten.update(entries)
        return entries if step.alerts else Counter()

    def take(self) -> Counter[Entry]:
        """Return what the database does not have yet, for the thread that writes it there."""
        with self._lock:
            taken, self._unwritten = self._unwritten, Counter()
        return taken

    def put_back(self, entries: Mapping[Entry, int]) -> None:
        """Take back what could not be written."""
        with self._lock:
            self._unwritten.update(entries)

    def totals(self) -> Counter[Entry]:
        """Return all outcomes since the database was made, those that wait as `pending`."""
        with self._lock:
            totals = Counter(self._total)
        for entry, n in list(totals.items()):
            sign = 1 if entry.outcome == RAISED else -1
            totals[Entry(entry.camera, entry.rule, "pending")] += sign * n
        return totals
