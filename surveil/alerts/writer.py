"""What the commit stage calls: evidence, then the alerts as one group, then the couriers are woken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from surveil.alerts.evidence import Scenery
from surveil.alerts.outbox import Outbox
from surveil.alerts.rows import Entry
from surveil.metrics import Metrics
from surveil.types import Alert


@dataclass(frozen=True, slots=True)
class Job:
    """The alerts of one frame, what belongs to it, and what became of its signals."""

    alerts: Sequence[Alert]
    scenery: Scenery | None = None
    """None: there is no frame (a lost camera, a restart)."""
    counts: Mapping[Entry, int] = field(default_factory=dict)


class Attaches(Protocol):
    """Stores the pictures of alerts."""

    def attach(self, alerts: Sequence[Alert], scenery: Scenery) -> list[Alert]:
        """Return the alerts naming their synced pictures."""


class AlertWriter:
    """Puts alerts on the disk. Any thread may call `write`; a lock makes it one at a time."""

    def __init__(
        self,
        outbox: Outbox,
        evidence: Attaches,
        wake: Callable[[], None] = lambda: None,
        metrics: Metrics | None = None,
    ) -> None:
        self._outbox = outbox
        self._evidence = evidence
        self._wake = wake
        self._metrics = metrics
        self._lock = threading.Lock()

    def write(self, jobs: Sequence[Job]) -> list[Alert]:
        """Store the evidence of all jobs, then commit all their alerts as one; return those that were new.

        On the disk when it returns. Raises StateError when the database cannot be written.
        """
        with self._lock:
            alerts = [alert for job in jobs for alert in self._with_evidence(job)]
            counts = _sum(job.counts for job in jobs)
            if not alerts:
                if counts:
                    self._outbox.count(counts)
                return []
            new = self._outbox.commit(alerts, counts)
        self._committed(new)
        return new

    def _with_evidence(self, job: Job) -> list[Alert]:
        known = self._outbox.known([a.id for a in job.alerts]) if job.alerts else set()
        fresh = [a for a in job.alerts if a.id not in known]
        return self._evidence.attach(fresh, job.scenery) if fresh and job.scenery else fresh

    def _committed(self, alerts: Sequence[Alert]) -> None:
        if self._metrics:
            for alert in alerts:
                self._metrics.alerts.labels(alert.camera, alert.rule).inc()
        if alerts:
            self._wake()


def _sum(many: object) -> dict[Entry, int]:
    total: dict[Entry, int] = {}
    for counts in many:  # type: ignore[attr-defined]
        for entry, n in counts.items():
            total[entry] = total.get(entry, 0) + n
    return total
