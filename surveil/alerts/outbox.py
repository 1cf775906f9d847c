"""The outbox: SQLite, in which alerts wait for their sinks. It survives everything except loss of the disk.

An alert is committed with one row for each sink in one synced transaction. It leaves only when its sink
has said yes, or said never, or after days of running time. Everything is counted from the database, so the
counts are true after a restart.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import structlog

from surveil.alerts import rows
from surveil.alerts.database import OutboxDb, closed_on_error, foreign_errors, set_aside, transaction
from surveil.alerts.disk import damaged, damaged_records
from surveil.alerts.ledger import EvidenceIndex, Ledger
from surveil.alerts.links import picture_path
from surveil.alerts.queue import DeliveryQueue
from surveil.alerts.records import alert_of
from surveil.alerts.repair import repair
from surveil.alerts.rows import COMMITTED, Entry, StoredAlert
from surveil.alerts.salvage import damage, salvage
from surveil.alerts.settings import OutboxSettings
from surveil.clock import DAY_S, Clock
from surveil.damage import Damaged, found
from surveil.errors import StateError
from surveil.filesystem import keep_private, sync_folder
from surveil.reasons import Reason
from surveil.types import Alert

log = structlog.get_logger(__name__)


def end_id(event_id: str) -> str:
    """Return the id of the alert that ends an event: the same id, however the event ends."""
    try:
        return str(uuid.uuid5(uuid.UUID(event_id), "end"))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_id}/end"))


class Committer:
    """Puts alerts on the disk. Any thread may call it.

    Capacity: `max_pending` rows for each sink; a start beyond it is a dead letter at once, which is counted.
    """

    def __init__(self, db: OutboxDb, settings: OutboxSettings) -> None:
        self._db = db
        self._settings = settings

    def commit(
        self,
        alerts: Sequence[Alert],
        counts: Mapping[Entry, int] | None = None,
        state: Mapping[str, str] | None = None,
        files: Sequence[StoredAlert] = (),
    ) -> list[Alert]:
        """Put alerts, ledger entries, small state and names of evidence on the disk as one; return the new alerts.

        Alerts whose ids are there already are ignored. Raises NoRoomError when the disk is full.
        """
        with self._db.lock:
            before = Counter(self._db.pending)
            try:
                with transaction(self._db.writer) as db:
                    new = [alert for alert in alerts if self._insert(db, alert)]
                    starts = Counter(Entry(a.camera, a.rule, COMMITTED) for a in new if rows.begins(a))
                    rows.add(db, starts + Counter(counts or {}))
                    rows.store(db, files, self._db.age_s())
                    for key, value in (state or {}).items():
                        rows.put(db, key, value)
                    self._db.save_clock(db)
            except StateError:
                self._db.pending = before
                raise
            self._db.has_grown()
        return new

    def known(self, ids: Collection[str]) -> set[str]:
        """Return those ids that were committed before."""
        with self._db.lock, foreign_errors():
            query = "SELECT 1 FROM alerts WHERE id = ?"
            return {i for i in ids if self._db.writer.execute(query, (i,)).fetchone()}

    def forget(self) -> int:
        """Delete alerts that are done with and older than `keep_days` of running time; return how many."""
        oldest = self._db.age_s() - self._settings.keep_days * DAY_S
        with self._db.lock, transaction(self._db.acks) as db:
            self._db.save_clock(db)
            return rows.forget_before(db, oldest)

    def _insert(self, db: sqlite3.Connection, alert: Alert) -> bool:
        seq = rows.insert(db, alert, self._db.age_s())
        if seq is None:
            return False
        for sink in self._db.sinks if alert.sinks is None else alert.sinks:
            if sink in self._db.sinks:
                full = self._db.pending[sink] >= self._settings.max_pending
                self._db.pending[sink] += rows.address(db, alert, seq, sink, self._db.age_s(), full=full)
        return True


class Outbox:
    """Alerts by sinks, on disk: one database and what is done with it. Any thread may call any method."""

    def __init__(
        self,
        path: Path,
        sinks: Sequence[str],
        clock: Clock,
        settings: OutboxSettings,
        damaged_one: Path | None = None,
    ) -> None:
        self._clock = clock
        self.db = OutboxDb(path, clock)
        self.committer = Committer(self.db, settings)
        self.queue = DeliveryQueue(self.db, settings)
        self.ledger = Ledger(self.db)
        self.evidence = EvidenceIndex(self.db)
        self.set_aside = damaged_one
        """Where a damaged database was moved to when this one was opened."""
        with closed_on_error(self.db.writer), closed_on_error(self.db.acks):
            self._begin(damaged_one, tuple(sinks))

    def _begin(self, damaged_one: Path | None, sinks: Sequence[str]) -> None:
        with transaction(self.db.writer) as db:
            self.salvaged = salvage(damaged_one, db, tuple(sinks)) if damaged_one else 0
            """Alerts that were taken over from it."""
            self.repaired = repair(db)
            """Rows that were put right or left out."""
        self.db.go_on()
        self.set_sinks(sinks)
        with transaction(self.db.writer) as db:
            rows.settle_orphans(db)

    @classmethod
    def open(
        cls, path: Path, sinks: Sequence[str], clock: Clock, settings: OutboxSettings | None = None
    ) -> Outbox:
        """Open or create the database; a damaged one is set aside and replaced, which is an alert of its own.

        Raises StateError when the directory cannot be written or a newer surveil wrote the file.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            moved = cls._replace_damaged(path, clock)
            keep_private(path)
            with foreign_errors():
                outbox = cls(path, sinks, clock, settings or OutboxSettings(), moved)
            sync_folder(path.parent)
            outbox._tell_damage()
        except OSError as error:
            raise StateError(f"the state directory {path.parent} cannot be used: {error.strerror}") from error
        except StateError as error:
            raise StateError(f"{path}: {error}") from error
        return outbox

    @staticmethod
    def _replace_damaged(path: Path, clock: Clock) -> Path | None:
        why = damage(path)
        if not why:
            return None
        stamp = datetime.fromtimestamp(clock.wall(), UTC).strftime("%Y%m%dT%H%M%SZ")
        moved = set_aside(path, stamp)
        found.add(Damaged.DATABASE)
        log.error(
            "outbox database damaged and set aside, started a new one",
            moved_to=str(moved),
            why=why,
        )
        return moved

    def _tell_damage(self) -> None:
        """Make what was found damaged an alert of its own."""
        t_wall = self._clock.wall()
        if self.set_aside:
            log.warning("alerts recovered from the damaged database", alerts=self.salvaged)
            self.committer.commit([damaged(self.set_aside, t_wall, self.salvaged)])
        elif self.repaired:
            found.add(Damaged.RECORD, self.repaired)
            log.error("damaged database records repaired or dropped", records=self.repaired)
            self.committer.commit([damaged_records(self.repaired, t_wall)])

    def close(self) -> None:
        """Save the outbox's clock and close the file."""
        self.db.close()

    def set_sinks(self, sinks: Sequence[str]) -> None:
        """Address alerts to these sinks from now on; what waits for any other becomes a dead letter."""
        with self.db.lock:
            with transaction(self.db.writer) as db:
                rows.remove_sinks(db, sinks)
            self.db.sinks = tuple(sinks)
            self.db.pending = Counter(rows.count_pending(self.db.writer))

    def end_open_events(self, t_wall: float, reason: Reason = Reason.RESTART) -> list[Alert]:
        """End what a crash left open: commit and return one end for each open event."""
        ends = [_end(start, t_wall, reason) for start in self.open_events()]
        return self.committer.commit(ends) if ends else []

    def open_events(self) -> list[Alert]:
        """Return the start alerts of events without an end, in order of commit."""
        with self.db.lock, foreign_errors():
            return [self.db.alert_of(row) for row in self.db.writer.execute(rows.OPEN)]

    def latest_picture(self, camera: str, rule: str, t_wall: float) -> str | None:
        """Return the path of the newest picture of a camera, and rule unless it is empty, up to a moment.

        None when the last twenty alerts have none.
        """
        with self.db.lock, foreign_errors():
            found = self.db.writer.execute(rows.LATEST, (camera, rule, rule, t_wall)).fetchall()
        return next((path for row in found if (path := picture_path(alert_of(row)[0]))), None)


def _end(start: Alert, t_wall: float, reason: str) -> Alert:
    """Return the alert that ends the event of `start`; never earlier than it."""
    t_wall = max(t_wall, start.t_wall)
    return replace(start, id=end_id(start.event_id), phase="end", t_wall=t_wall, reason=reason, evidence={})
