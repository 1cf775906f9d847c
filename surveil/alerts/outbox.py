"""The place where alerts are handed over: SQLite, and it survives anything but the disk.

An alert is committed with one row for each sink in one synced transaction. It leaves only when its sink
has said yes, or said never, or after days of running time. Everything is counted from the database, so the
books are true after a restart.
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import structlog

from surveil.alerts import rows
from surveil.alerts.database import (
    closed_on_error,
    connect,
    foreign_errors,
    migrate,
    set_aside,
    transaction,
)
from surveil.alerts.deliveries import DAY_S, Deliveries
from surveil.alerts.disk import damaged, damaged_records
from surveil.alerts.links import picture_path
from surveil.alerts.records import alert_of
from surveil.alerts.repair import repair
from surveil.alerts.rows import COMMITTED, Entry, StoredAlert
from surveil.alerts.salvage import damage, salvage
from surveil.alerts.settings import OutboxSettings
from surveil.clock import Clock
from surveil.damage import Damaged, found
from surveil.errors import StateError
from surveil.filesystem import keep_private, sync_folder
from surveil.metrics import DELIVERY
from surveil.types import Alert

log = structlog.get_logger(__name__)
_CHECKPOINT_EVERY = 500
"""Transactions between checkpoints; a transaction writes a few pages of 4 KiB."""


def end_id(event_id: str) -> str:
    """Return the id of the alert that ends an event: the same one, whoever ends it."""
    try:
        return str(uuid.uuid5(uuid.UUID(event_id), "end"))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_id}/end"))


class Outbox(Deliveries):
    """Alerts by sinks, on disk. Any thread may call any method; one lock serialises them.

    Capacity: `max_pending` rows for each sink; a start beyond it is a dead letter at birth, which is counted.
    `commit` syncs before it returns. Acknowledgements are not synced: they survive the process, and
    losing one with the power only repeats a delivery under the same id.
    """

    def __init__(
        self,
        path: Path,
        sinks: Sequence[str],
        clock: Clock,
        settings: OutboxSettings,
        damaged_one: Path | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._sinks = tuple(sinks)
        self._path = path
        self._lock = threading.Lock()
        self._checkpointing = threading.Lock()
        self._since_checkpoint = 0
        self._expire_at: dict[str, float] = {}
        self._damaged_alerts: set[object] = set()
        self.set_aside = damaged_one
        """Where a damaged database was moved to when this one was opened."""
        self._writer = connect(path)
        with closed_on_error(self._writer):
            migrate(self._writer)
            self._acks = connect(path, synchronous="NORMAL")
        with closed_on_error(self._writer), closed_on_error(self._acks):
            self._opened = clock.monotonic()
            with transaction(self._writer) as db:
                self.salvaged = salvage(damaged_one, db, self._sinks) if damaged_one else 0
                """Alerts that were taken over from it."""
                self.repaired = repair(db)
                """Rows that were put right or left out."""
            self._base_s = float(self.get_state("clock_s") or 0.0)
            with transaction(self._writer):
                rows.remove_sinks(self._writer, self._sinks)
                rows.settle_orphans(self._writer, "restart")
            self._pending = Counter(rows.count_pending(self._writer))

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
            self.commit([damaged(self.set_aside, t_wall, self.salvaged)])
        elif self.repaired:
            found.add(Damaged.RECORD, self.repaired)
            log.error("damaged database records repaired or dropped", records=self.repaired)
            self.commit([damaged_records(self.repaired, t_wall)])

    def close(self) -> None:
        """Save the outbox's clock and close the file, even where nothing can be saved in it."""
        with self._lock, closing(self._writer), closing(self._acks), transaction(self._acks) as db:
            self._save_clock(db)

    def set_sinks(self, sinks: Sequence[str]) -> None:
        """Address alerts to these sinks from now on; what waits for any other becomes a dead letter."""
        with self._lock:
            with transaction(self._writer) as db:
                rows.remove_sinks(db, sinks)
            self._sinks = tuple(sinks)
            self._pending = Counter(rows.count_pending(self._writer))

    def age_s(self) -> float:
        """Seconds of running time since the outbox was created: the clock that alerts age by."""
        return self._base_s + self._clock.monotonic() - self._opened

    # Committing.

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
        with self._lock:
            before = Counter(self._pending)
            try:
                with transaction(self._writer) as db:
                    new = [alert for alert in alerts if self._insert(db, alert)]
                    starts = Counter(Entry(a.camera, a.rule, COMMITTED) for a in new if rows.begins(a))
                    rows.add(db, starts + Counter(counts or {}))
                    rows.store(db, files, self.age_s())
                    for key, value in (state or {}).items():
                        rows.put(db, key, value)
                    self._save_clock(db)
            except StateError:
                self._pending = before
                raise
            self._since_checkpoint += 1
        return new

    def known(self, ids: Collection[str]) -> set[str]:
        """Return those ids that were committed before."""
        with self._lock, foreign_errors():
            query = "SELECT 1 FROM alerts WHERE id = ?"
            return {i for i in ids if self._writer.execute(query, (i,)).fetchone()}

    def end_open_events(self, t_wall: float, reason: str = "restart") -> list[Alert]:
        """End what a crash left open: commit and return one end for each open event."""
        ends = [_end(start, t_wall, reason) for start in self.open_events()]
        return self.commit(ends) if ends else []

    def open_events(self) -> list[Alert]:
        """Return the start alerts of events without an end, in order of commit."""
        with self._lock, foreign_errors():
            return [self._whole(row) for row in self._writer.execute(rows.OPEN)]

    def latest_picture(self, camera: str, rule: str, t_wall: float) -> str | None:
        """Return the path of the newest picture of a camera, and rule unless it is empty, up to a moment.

        None when the last twenty alerts have none.
        """
        with self._lock, foreign_errors():
            found = self._writer.execute(rows.LATEST, (camera, rule, rule, t_wall)).fetchall()
        return next((path for row in found if (path := picture_path(alert_of(row)[0]))), None)

    def open_at(self, sink: str) -> list[Alert]:
        """Return the start alerts of open events that `sink` has taken, or taken as a part of an incident."""
        with self._lock, foreign_errors():
            return [self._whole(row) for row in self._writer.execute(rows.OPEN_AT, (sink, sink))]

    def checkpoint(self, *, force: bool = False) -> None:
        """Move the log into the database when it has grown. Couriers call it: no commit waits for it."""
        if self._since_checkpoint < _CHECKPOINT_EVERY and not force:
            return
        if not self._checkpointing.acquire(blocking=False):
            return
        try:
            self._since_checkpoint = 0
            with foreign_errors(), closing(connect(self._path, synchronous="NORMAL")) as db:
                # PASSIVE never makes a writer wait.
                db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        finally:
            self._checkpointing.release()

    # Books.

    def counts(self) -> dict[str, dict[str, int]]:
        """Return sink → state → number of alerts, those deleted since included."""
        books = {sink: dict.fromkeys(DELIVERY, 0) for sink in self._sinks}
        query = "SELECT sink, state, count(*) FROM deliveries GROUP BY sink, state"
        with self._lock, foreign_errors():
            live = self._writer.execute(query).fetchall()
            self._pending = Counter({sink: n for sink, state, n in live if state == "pending"})
            purged = self._writer.execute("SELECT sink, state, n FROM purged").fetchall()
        for sink, state, n in (*live, *purged):
            book = books.setdefault(sink, dict.fromkeys(DELIVERY, 0))
            book[state] += n
        return books

    def forget(self) -> int:
        """Delete alerts that are done with and older than `keep_days` of running time; return how many."""
        oldest = self.age_s() - self._settings.keep_days * DAY_S
        with self._lock, transaction(self._acks) as db:
            self._save_clock(db)
            return rows.forget_before(db, oldest)

    def _insert(self, db: sqlite3.Connection, alert: Alert) -> bool:
        seq = rows.insert(db, alert, self.age_s())
        if seq is None:
            return False
        for sink in self._sinks if alert.sinks is None else alert.sinks:
            if sink in self._sinks:
                full = self._pending[sink] >= self._settings.max_pending
                self._pending[sink] += rows.address(db, alert, seq, sink, self.age_s(), full=full)
        return True


def _end(start: Alert, t_wall: float, reason: str) -> Alert:
    """Return the alert that ends the event of `start`; never earlier than it."""
    t_wall = max(t_wall, start.t_wall)
    return replace(start, id=end_id(start.event_id), phase="end", t_wall=t_wall, reason=reason, evidence={})
