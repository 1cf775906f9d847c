"""The commit stage's writer: stores evidence, commits the alerts as one group, and wakes the couriers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
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
from surveil.clock import Clock, Every
from surveil.damage import DamageCounts
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
class WriteJob:
    """The alerts of one frame, what belongs to it, and what became of its signals."""

    alerts: Sequence[Alert]
    context: FrameContext | None = None
    """None: there is no frame (a lost camera, a restart)."""
    counts: Mapping[Entry, int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class UnitOfWork:
    """What one transaction will hold. What was done for it is undone, last first, when it is not committed."""

    storm: StormCap
    alerts: list[Alert] = field(default_factory=list)
    counts: Counter[Entry] = field(default_factory=Counter)
    withheld: Counter[Entry] = field(default_factory=Counter)
    undo: list[Callable[[], None]] = field(default_factory=list)


class AlertWriter:
    """Puts alerts on the disk. Any thread may call it; a lock makes it one at a time.

    Nothing is committed in part: an alert, its counts, the storm cap's state and the names of its files are one
    transaction. A call that raises has changed nothing that a second call would not do again.
    """

    def __init__(
        self,
        outbox: Outbox,
        evidence: Attach,
        clips: Clips,
        retention: Retention,
        *,
        state_dir: Path,
        storm: StormSettings,
        metrics: Metrics,
        clock: Clock,
        wake: Callable[[], None],
        damage: DamageCounts,
        incidents: Incidents,
        stamp: Callable[[Alert], Alert] = lambda alert: alert,
    ) -> None:
        """`stamp` is applied to every alert before anything of it is stored."""
        self._outbox = outbox
        self._evidence = evidence
        self._clips = clips
        self._retention = retention
        self._state_dir = state_dir
        self._storm_settings = storm
        self._storm_state = usable(outbox.db.state(STATE_KEY))
        self._metrics = metrics
        self._clock = clock
        self._wake = wake
        self._damage = damage
        self._disk = DiskWatch()
        self._incidents = incidents
        self._stamp = stamp
        self._sweeps = Every(_SWEEP_S)
        self._lock = threading.Lock()

    def ledger(self) -> dict[Entry, int]:
        """Return the signals' counts as the database has them."""
        return self._outbox.ledger.totals()

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

    def write(self, jobs: Sequence[WriteJob]) -> list[Alert]:
        """Store the evidence of all jobs, then commit all their alerts as one; return those that were new.

        On the disk when it returns. Raises StateError when the database cannot be written.
        """
        with self._lock, self._unit() as work:
            for job in jobs:
                self._take(work, job)
            new = self._commit(work)
        self._committed(work, new)
        return new

    def tick(self) -> list[Alert]:
        """Do what is due without a frame: clips, digests, retention. Call it about once a second."""
        with self._lock:
            now = self._clock.monotonic()
            with self._unit() as work:
                work.alerts += work.storm.tick(self._clock.wall())
                self._take_damage(work)
                self._take_clips(work, now)
                new = self._commit(work)
            if self._sweeps.due(now):
                self._retention.sweep()
                self._outbox.committer.forget()
        self._committed(work, new)
        return new

    def finish(self) -> list[Alert]:
        """Commit the end alerts that wait for their clips, with what has been recorded by now."""
        with self._lock, self._unit() as work:
            self._incidents.closing = True
            self._take_clips(work, float("inf"))
            new = self._commit(work)
        self._committed(work, new)
        return new

    # One transaction.

    @contextmanager
    def _unit(self) -> Iterator[UnitOfWork]:
        """Yield an empty unit; its cap is made of what was committed, so a failed commit counts nothing."""
        work = UnitOfWork(storm=StormCap(self._storm_settings, self._storm_state))
        try:
            yield work
        except BaseException:
            for undo in reversed(work.undo):
                undo()
            raise

    def _take(self, work: UnitOfWork, job: WriteJob) -> None:
        """Add what is new and not withheld, with its evidence."""
        work.counts.update(job.counts)
        known = self._outbox.committer.known([a.id for a in job.alerts]) if job.alerts else set()
        fresh = [self._stamp(a) for a in job.alerts if a.id not in known]
        again = [a for a in job.alerts if a.id in known and a.phase == "start"]
        work.counts.update(Entry(a.camera, a.rule, REPEATED) for a in again)
        verdict = work.storm.admit(fresh)
        work.withheld.update(verdict.withheld)
        work.alerts += [a for a in verdict.alerts if a not in fresh]
        told = [a for a in verdict.alerts if a in fresh]
        work.alerts += self._with_evidence(told, job.context)

    def _take_damage(self, work: UnitOfWork) -> None:
        reports, t_wall = self._damage.take(), self._clock.wall()
        work.alerts += [damaged_file(one.kind, one.text, t_wall) for one in reports]
        work.undo.append(partial(self._damage.put_back, reports))

    def _take_clips(self, work: UnitOfWork, now: float) -> None:
        ends = self._clips.due(now)
        work.alerts += ends
        work.undo.append(partial(self._clips.again, ends))

    def _commit(self, work: UnitOfWork) -> list[Alert]:
        """Commit, with what there is to tell of the disk."""
        work.undo.append(partial(self._disk.reset, self._disk.open))
        work.alerts += self._disk.look(work.alerts, self._clock.monotonic(), self._clock.wall())
        counts, incidents = work.counts + work.withheld, self._incidents.copy()
        alerts = incidents.admit(work.alerts, self._clock.wall())
        if not alerts and not work.withheld:
            if counts:
                self._outbox.ledger.add(counts)
            self._incidents = incidents
            return []
        state = work.storm.dump()
        new = self._save(alerts, counts, {STATE_KEY: state})
        self._storm_state, self._incidents = state, incidents
        return new

    def _save(
        self, alerts: Sequence[Alert], counts: Mapping[Entry, int], state: Mapping[str, str]
    ) -> list[Alert]:
        files, commit = self._files(alerts), self._outbox.committer.commit
        try:
            return commit(alerts, counts, state, files)
        except NoRoomError:
            if not self._retention.make_room(_DATABASE_ROOM):
                raise
        return commit(alerts, counts, state, files)

    def _files(self, alerts: Iterable[Alert]) -> list[StoredAlert]:
        """Return the files that alerts name, for the retention."""
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
        return [a for a in (self._clips.see(a, self._moment(a, context)) for a in alerts) if a is not None]

    def _moment(self, alert: Alert, context: FrameContext | None) -> float:
        """Return the monotonic time at which what an alert is about arrived."""
        if context is None:
            return self._clock.monotonic()
        return context.frame.arrived - max(0.0, context.frame.t - alert.t)

    def _committed(self, work: UnitOfWork, alerts: Sequence[Alert]) -> None:
        for entry, n in work.withheld.items():
            self._metrics.withheld.labels(entry.camera, entry.reason).inc(n)
        for alert in alerts:
            self._metrics.alerts.labels(alert.camera, alert.rule).inc()
        if alerts:
            self._wake()
