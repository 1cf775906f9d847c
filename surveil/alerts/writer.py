"""What the commit stage calls: evidence, then the alerts as one group, then the couriers are woken."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from surveil.alerts.clips import Clips
from surveil.alerts.database import NoRoomError
from surveil.alerts.disk import DiskWatch, damaged_file
from surveil.alerts.evidence import FrameContext, safe_name
from surveil.alerts.incidents import Incidents
from surveil.alerts.outbox import Outbox
from surveil.alerts.retention import Retention
from surveil.alerts.rows import REPEATED, Entry, StoredAlert
from surveil.alerts.storm import STATE_KEY, StormCap, StormSettings, usable
from surveil.clock import Clock, SystemClock
from surveil.damage import DamageCounts
from surveil.errors import StateError
from surveil.metrics import Metrics
from surveil.types import Alert

_DATABASE_ROOM = 4 << 20
"""Space made for the database when it says that the disk is full."""
_SWEEP_S = 60.0


class Attach(Protocol):
    """What stores the pictures of alerts: `Evidence`, or one for each camera behind it."""

    def attach(self, alerts: Sequence[Alert], context: FrameContext) -> list[Alert]:
        """Return the alerts, naming their synced pictures."""


@dataclass(frozen=True, slots=True)
class Job:
    """The alerts of one frame, what belongs to it, and what became of its signals."""

    alerts: Sequence[Alert]
    context: FrameContext | None = None
    """None: there is no frame (a lost camera, a restart)."""
    counts: Mapping[Entry, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Batch:
    """What one transaction will hold."""

    storm: StormCap
    alerts: list[Alert] = field(default_factory=list)
    counts: Counter[Entry] = field(default_factory=Counter)
    withheld: Counter[Entry] = field(default_factory=Counter)


class AlertWriter:
    """Puts alerts on the disk. Any thread may call it; a lock makes it one at a time.

    Nothing is committed in part: an alert, its books, the storm cap's state and the names of its files are one
    transaction. A call that raises has changed nothing that a second call would not do again.
    """

    def __init__(
        self,
        outbox: Outbox,
        evidence: Attach,
        wake: Callable[[], None] = lambda: None,
        metrics: Metrics | None = None,
        *,
        state_dir: Path | None = None,
        storm: StormSettings | None = None,
        retention: Retention | None = None,
        clips: Clips | None = None,
        clock: Clock | None = None,
        damage: DamageCounts | None = None,
        incidents: Incidents | None = None,
    ) -> None:
        self._outbox = outbox
        self._evidence = evidence
        self._wake = wake
        self._metrics = metrics
        self._state_dir = state_dir
        self._storm_settings = storm or StormSettings(max_per_hour=0)
        self._storm_state = usable(outbox.get_state(STATE_KEY))
        self._retention = retention
        self._clips = clips
        self._clock = clock or SystemClock()
        self._damage = damage
        self._disk = DiskWatch()
        self._incidents = incidents or Incidents()
        self._swept = float("-inf")
        self._lock = threading.Lock()

    def ledger(self) -> dict[Entry, int]:
        """Return the signals' books as the database has them."""
        return self._outbox.ledger()

    def paused(self) -> AbstractContextManager[object]:
        """Hold back commits while what belongs to the writer (evidence, clips, retention) is changed."""
        return self._lock

    def cap(self, storm: StormSettings) -> None:
        """Cap storms by other settings from the next commit on; what was counted stays counted."""
        with self._lock:
            self._storm_settings = storm

    def place(self, sites: Mapping[str, str]) -> None:
        """Join the events of cameras by these sites (camera → site) from the next commit on; call it while paused."""
        self._incidents.sites = sites

    def write(self, jobs: Sequence[Job]) -> list[Alert]:
        """Store the evidence of all jobs, then commit all their alerts as one; return those that were new.

        On the disk when it returns. Raises StateError when the database cannot be written.
        """
        with self._lock:
            batch = self._batch()
            for job in jobs:
                self._take(batch, job)
            new = self._commit_watched(batch)
        self._committed(new)
        return new

    def tick(self) -> list[Alert]:
        """Do what is due without a frame: clips, digests, retention. Call it about once a second."""
        with self._lock:
            now = self._clock.monotonic()
            batch = self._batch()
            batch.alerts += batch.storm.tick(self._clock.wall())
            reports = self._damage.take() if self._damage else []
            batch.alerts += [damaged_file(one.kind, one.text, self._clock.wall()) for one in reports]
            try:
                new = self._commit_clips(batch, now)
            except StateError:
                if self._damage:
                    self._damage.put_back(reports)
                raise
            self._sweep(now)
        self._committed(new)
        return new

    def finish(self) -> list[Alert]:
        """Commit the end alerts that wait for their clips, with what has been recorded by now."""
        with self._lock:
            self._incidents.closing = True
            new = self._commit_clips(self._batch(), float("inf"))
        self._committed(new)
        return new

    # One transaction.

    def _batch(self) -> _Batch:
        """Return an empty batch; its cap is made of what was committed, so a failed commit counts nothing."""
        return _Batch(StormCap(self._storm_settings, self._storm_state))

    def _take(self, batch: _Batch, job: Job) -> None:
        """Add what is new and not withheld, with its evidence."""
        batch.counts.update(job.counts)
        known = self._outbox.known([a.id for a in job.alerts]) if job.alerts else set()
        fresh = [a for a in job.alerts if a.id not in known]
        again = [a for a in job.alerts if a.id in known and a.phase == "start"]
        batch.counts.update(Entry(a.camera, a.rule, REPEATED) for a in again)
        verdict = batch.storm.admit(fresh)
        batch.withheld.update(verdict.withheld)
        batch.alerts += [a for a in verdict.alerts if a not in fresh]
        told = [a for a in verdict.alerts if a in fresh]
        batch.alerts += self._with_evidence(told, job.context)

    def _commit_clips(self, batch: _Batch, now: float) -> list[Alert]:
        ends = self._clips.due(now) if self._clips else []
        batch.alerts += ends
        try:
            return self._commit_watched(batch)
        except StateError:
            if self._clips:
                self._clips.again(ends)
            raise

    def _commit_watched(self, batch: _Batch) -> list[Alert]:
        """Commit, with what there is to tell of the disk."""
        before = self._disk.open
        batch.alerts += self._disk.look(batch.alerts, self._clock.wall())
        try:
            return self._commit(batch)
        except StateError:
            self._disk.open = before
            raise

    def _commit(self, batch: _Batch) -> list[Alert]:
        counts = batch.counts + batch.withheld
        incidents = self._incidents.copy()
        alerts = incidents.admit(batch.alerts, self._clock.wall())
        if not alerts and not batch.withheld:
            if counts:
                self._outbox.count(counts)
            self._incidents = incidents
            return []
        state = batch.storm.dump()
        new = self._save(alerts, counts, {STATE_KEY: state})
        self._storm_state, self._incidents = state, incidents
        if self._metrics:
            for entry, n in batch.withheld.items():
                self._metrics.withheld.labels(entry.camera, entry.reason).inc(n)
        return new

    def _save(
        self, alerts: Sequence[Alert], counts: Mapping[Entry, int], state: Mapping[str, str]
    ) -> list[Alert]:
        files = self._files(alerts)
        try:
            return self._outbox.commit(alerts, counts, state, files)
        except NoRoomError:
            if not self._retention or not self._retention.make_room(_DATABASE_ROOM):
                raise
        return self._outbox.commit(alerts, counts, state, files)

    def _files(self, alerts: Iterable[Alert]) -> list[StoredAlert]:
        """Return the files that alerts name, for the retention."""
        if self._state_dir is None:
            return []
        named = {(path, safe_name(a.camera)) for a in alerts for path in a.evidence.values()}
        found = [
            (path, camera, self._state_dir / path)
            for path, camera in named
            if not path.startswith("missing:")
        ]
        return [
            StoredAlert(path, camera, file.stat().st_size) for path, camera, file in found if file.is_file()
        ]

    def _with_evidence(self, alerts: list[Alert], context: FrameContext | None) -> list[Alert]:
        """Return the alerts naming their pictures, without those that wait for their clips."""
        if alerts and context:
            alerts = self._evidence.attach(alerts, context)
        if self._clips is None:
            return alerts
        return [a for a in (self._clips.see(a, self._moment(a, context)) for a in alerts) if a is not None]

    def _moment(self, alert: Alert, context: FrameContext | None) -> float:
        """Return the monotonic time at which what an alert is about arrived."""
        if context is None:
            return self._clock.monotonic()
        return context.frame.arrived - max(0.0, context.frame.t - alert.t)

    def _sweep(self, now: float) -> None:
        if self._retention and now - self._swept >= _SWEEP_S:
            self._swept = now
            self._retention.sweep()
            self._outbox.forget()

    def _committed(self, alerts: Sequence[Alert]) -> None:
        if self._metrics:
            for alert in alerts:
                self._metrics.alerts.labels(alert.camera, alert.rule).inc()
        if alerts:
            self._wake()
