"""What couriers ask of the outbox: the next alert for their sink, and what became of it there."""

from __future__ import annotations

import sqlite3
from collections import Counter

import structlog

from surveil.alerts import rows
from surveil.alerts.database import foreign_errors, transaction
from surveil.alerts.delivery import Delivery
from surveil.alerts.ledgers import Ledgers
from surveil.alerts.links import present
from surveil.alerts.records import Row, alert_of
from surveil.alerts.settings import OutboxSettings
from surveil.damage import Damaged, found
from surveil.types import Alert

log = structlog.get_logger(__name__)

DAY_S = 86_400.0
_EXPIRE_EVERY_S = 60.0


class Deliveries(Ledgers):
    """Hands alerts to couriers. Any thread may call it; the outbox's lock serialises them."""

    _settings: OutboxSettings
    _pending: Counter[str]
    """By sink."""
    _expire_at: dict[str, float]
    """When a sink's old alerts are looked for again, s of running time."""
    _since_checkpoint: int
    _damaged_alerts: set[object]
    """Rows."""

    def next(self, sink: str) -> Delivery | None:
        """Return what `sink` should be given now, or None: oldest first, those that failed on their own last.

        An end waits for its start. Alerts that are too old become dead letters first.
        """
        with self._lock, foreign_errors():
            self._expire(sink)
            row = self._acks.execute(rows.NEXT, (sink,)).fetchone()
        return None if row is None else Delivery(self._whole(row[1:]), attempts=row[0], seq=row[1])

    def _whole(self, row: Row) -> Alert:
        """Return the alert of a row of `COLUMNS`, naming the evidence that is still there.

        A damaged one is counted, and told of once.
        """
        alert, is_whole = alert_of(row)
        if not is_whole and row[0] not in self._damaged_alerts:
            if not self._damaged_alerts:
                log.error("alert record damaged, sent without details", alert=alert.id)
            self._damaged_alerts.add(row[0])
            found.add(Damaged.ALERT)
        return present(alert, self._path.parent)

    def delivered(self, sink: str, seq: int) -> None:
        """The sink has said yes."""
        query = (
            "UPDATE deliveries SET state='delivered', attempts=attempts+1, error='', reason='' "
            "WHERE sink=? AND alert=?"
        )
        self._acknowledge(sink, query, (sink, seq), left=1)

    def failed(self, sink: str, seq: int, error: str, *, demerit: bool = False) -> None:
        """The sink could not; with `demerit` the alert goes behind those that never failed."""
        query = (
            "UPDATE deliveries SET attempts=attempts+1, demerits=demerits+?, error=? WHERE sink=? AND alert=?"
        )
        self._acknowledge(sink, query, (int(demerit), error, sink, seq), left=0)

    def rejected(self, sink: str, seq: int, error: str, reason: str = "rejected") -> None:
        """The sink has said never: the alert, and the end that follows it, become dead letters."""
        with self._lock, transaction(self._acks) as db:
            update = "UPDATE deliveries SET attempts=attempts+1, error=? WHERE sink=? AND alert=?"
            db.execute(update, (error, sink, seq))
            self._pending[sink] -= rows.bury(db, sink, [seq], reason)
            self._save_clock(db)

    def _acknowledge(self, sink: str, query: str, values: tuple[object, ...], left: int) -> None:
        with self._lock:
            with transaction(self._acks) as db:
                db.execute(query, values)
                self._save_clock(db)
            self._pending[sink] -= left
            self._since_checkpoint += 1

    def _expire(self, sink: str) -> None:
        """Bury what is too old. Once a minute: it reads every pending row, as an index would cost each commit."""
        if self.age_s() < self._expire_at.get(sink, 0.0):
            return
        self._expire_at[sink] = self.age_s() + _EXPIRE_EVERY_S
        oldest = self.age_s() - self._settings.expire_after_days * DAY_S
        old = rows.older(self._acks, sink, oldest)
        if old:
            with transaction(self._acks) as db:
                self._pending[sink] -= rows.bury(db, sink, old, "expired")
                self._save_clock(db)

    def _save_clock(self, db: sqlite3.Connection) -> None:
        rows.put(db, "clock_s", repr(self.age_s()))
