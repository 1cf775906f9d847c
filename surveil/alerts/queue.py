"""The couriers' view of the outbox: the next alert for their sink, and the result of its delivery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from surveil.alerts import rows
from surveil.alerts.database import OutboxDb, foreign_errors, transaction
from surveil.alerts.delivery import Delivery
from surveil.alerts.rows import Dead
from surveil.alerts.settings import OutboxSettings
from surveil.clock import DAY_S, Every
from surveil.metrics import DELIVERY
from surveil.types import Alert

_EXPIRE_EVERY_S = 60.0


class DeliveryQueue:
    """Alerts by sinks, and their deliveries. Any thread may call any method."""

    def __init__(self, db: OutboxDb, settings: OutboxSettings) -> None:
        self._db = db
        self._settings = settings
        self._expiries: dict[str, Every] = {}
        """When a sink's old alerts are looked for again, by running time."""

    def next(self, sink: str, *, new: bool = False) -> Delivery | None:
        """Return what `sink` should be given now, or None: oldest first, those that failed on their own last.

        An end waits for its start. Alerts that are too old become dead letters first. `new`: only what was never tried.
        """
        with self._db.lock, foreign_errors():
            self._expire(sink)
            row = self._db.acks.execute(rows.NEXT_NEW if new else rows.NEXT, (sink,)).fetchone()
        if row is None:
            return None
        attempts, suspect_failures, seq = row[:3]
        alert = self._db.alert_of(row[2:])
        return Delivery(alert, attempts=attempts, suspect_failures=suspect_failures, seq=seq)

    def delivered(self, sink: str, seq: int) -> None:
        """The sink has said yes."""
        query = (
            "UPDATE deliveries SET state='delivered', attempts=attempts+1, error='', reason='' "
            "WHERE sink=? AND alert=?"
        )
        self._acknowledge(sink, query, (sink, seq), left=1)

    def failed(self, sink: str, seq: int, error: str, *, suspect: bool = False) -> None:
        """The sink could not; with `suspect` the alert goes behind those that never failed."""
        query = (
            "UPDATE deliveries SET attempts=attempts+1, suspect_failures=suspect_failures+?, error=? "
            "WHERE sink=? AND alert=?"
        )
        self._acknowledge(sink, query, (int(suspect), error, sink, seq), left=0)

    def rejected(self, sink: str, seq: int, error: str, reason: Dead = Dead.REJECTED) -> None:
        """The sink has said never: the alert, and the end that follows it, become dead letters."""
        with self._db.lock:
            with transaction(self._db.acks) as db:
                update = "UPDATE deliveries SET attempts=attempts+1, error=? WHERE sink=? AND alert=?"
                db.execute(update, (error, sink, seq))
                gone = rows.dead_letter(db, sink, [seq], reason)
                self._db.save_clock(db)
            self._db.pending[sink] -= gone

    def open_at(self, sink: str) -> list[Alert]:
        """Return the start alerts of open events that `sink` has taken, or taken as a part of an incident."""
        with self._db.lock, foreign_errors():
            return [self._db.alert_of(row) for row in self._db.writer.execute(rows.OPEN_AT, (sink, sink))]

    def counts(self) -> dict[str, dict[str, int]]:
        """Return sink → state → number of alerts, those deleted since included."""
        counts = {sink: dict.fromkeys(DELIVERY, 0) for sink in self._db.sinks}
        with self._db.lock, foreign_errors():
            found = rows.deliveries(self._db.writer)
            pending = {sink: n for sink, state, n, gone in found if state == "pending" and not gone}
            self._db.pending = Counter(pending)
        for sink, state, n, _ in found:
            counts.setdefault(sink, dict.fromkeys(DELIVERY, 0))[state] += n
        return counts

    def oldest_pending_s(self) -> Mapping[str, float]:
        """Return sink → age of the oldest alert it has not taken, s of running time; 0 when it has all."""
        query = "SELECT sink, min(created_s) FROM deliveries WHERE state = 'pending' GROUP BY sink"
        created = dict(self._db.read_aside(query))
        now = self._db.age_s()
        return {sink: max(0.0, now - created.get(sink, now)) for sink in self._db.sinks}

    def _acknowledge(self, sink: str, query: str, values: tuple[object, ...], left: int) -> None:
        with self._db.lock:
            with transaction(self._db.acks) as db:
                db.execute(query, values)
                self._db.save_clock(db)
            self._db.pending[sink] -= left
            self._db.has_grown()

    def _expire(self, sink: str) -> None:
        """Make dead letters of what is too old.

        Once a minute: it reads every pending row, as an index would cost each commit.
        """
        if not self._expiries.setdefault(sink, Every(_EXPIRE_EVERY_S)).due(self._db.age_s()):
            return
        oldest = self._db.age_s() - self._settings.expire_after_days * DAY_S
        old = rows.older(self._db.acks, sink, oldest)
        if old:
            with transaction(self._db.acks) as db:
                gone = rows.dead_letter(db, sink, old, Dead.EXPIRED)
                self._db.save_clock(db)
            self._db.pending[sink] -= gone
