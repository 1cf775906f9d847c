"""The audit log: who viewed which evidence, and who changed what."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import structlog

from surveil.clock import DAY_S, Clock
from surveil.console.auth.database import ConsoleDb
from surveil.console.auth.metrics import ConsoleMetrics
from surveil.errors import StateError

log = structlog.get_logger(__name__)
_PURGE_EVERY_S = 3600.0
STRANGERS, _STRANGERS_S = 1000, 3600.0
"""Entries without a user in so many seconds: who can only reach the port must not fill the disk."""
_COLUMNS = "n, at, user, origin, address, action, subject, status"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line."""

    at: float
    """Unix s."""
    user: str
    origin: str
    """How the user was recognised."""
    address: str
    action: str
    """Name of the endpoint."""
    subject: str
    """What it was about: the path of the request."""
    status: int
    """HTTP status of the answer."""


class Audit:
    """Writes and reads the log. Any thread may call any method."""

    def __init__(self, db: ConsoleDb, keep_days: float, clock: Clock, metrics: ConsoleMetrics) -> None:
        self._db = db
        self._keep_s = keep_days * DAY_S
        self._clock = clock
        self._metrics = metrics
        self._next_purge = 0.0
        self._lock = threading.Lock()
        self._strangers, self._begun = 0, -_STRANGERS_S
        """Entries without a user, and since when they are counted (monotonic s)."""
        self.written = threading.Event()
        """Set with every entry; cleared by who forwards them."""

    def note(self, *, user: str, origin: str, address: str, action: str, subject: str, status: int) -> None:
        """Add an entry, also to the daemon's log, which has what the disk refuses; no request fails because of it.

        Of callers whom nobody knows only some: the others are counted.
        """
        if not user and not self._has_room():
            self.count("left_out")
            return
        now = self._clock.wall()
        log.info(
            "audit", user=user, origin=origin, address=address, action=action, subject=subject, status=status
        )
        try:
            with self._db.writing() as db:
                values = (now, user, origin, address, action, subject[:500], status)
                db.execute(
                    "INSERT INTO audit (at, user, origin, address, action, subject, status) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    values,
                )
                if self._clock.monotonic() >= self._next_purge:
                    self._next_purge = self._clock.monotonic() + _PURGE_EVERY_S
                    db.execute("DELETE FROM audit WHERE at < ?", (now - self._keep_s,))
        except StateError as error:
            self.count("lost")
            log.error("audit entry not stored, it is in this log only", why=str(error))  # noqa: TRY400
            return
        self.count("stored")
        self.written.set()

    def _has_room(self) -> bool:
        now = self._clock.monotonic()
        with self._lock:
            if now - self._begun >= _STRANGERS_S:
                self._strangers, self._begun = 0, now
            self._strangers += 1
            if self._strangers == STRANGERS + 1:
                log.warning("entries of unknown callers are left out of the audit log for up to an hour")
            return self._strangers <= STRANGERS

    def count(self, result: str) -> None:
        """Count what became of an entry."""
        self._metrics.audit.labels(result).inc()

    def unsent(self, limit: int) -> list[tuple[int, AuditEntry]]:
        """Return the oldest entries that the sink does not have, with their numbers. Raises StateError.

        Who asks for the first time gets those that come from now on.
        """
        with self._db.writing() as db:
            row = db.execute("SELECT n FROM audit_sent").fetchone()
            if row is None:
                db.execute("INSERT INTO audit_sent SELECT coalesce(max(n), 0) FROM audit")
                return []
            query = f"SELECT {_COLUMNS} FROM audit WHERE n > ? ORDER BY n LIMIT ?"  # noqa: S608 - of ours
            return list(map(_entry, db.execute(query, (row[0], limit))))

    def sent(self, n: int) -> None:
        """Note that a sink has the entries up to a number. Raises StateError."""
        with self._db.writing() as db:
            db.execute("UPDATE audit_sent SET n = ?", (n,))

    def page(self, before: int | None, limit: int) -> list[tuple[int, AuditEntry]]:
        """Return the newest entries with their numbers, those before a number when it is given. Raises StateError."""
        query = f"SELECT {_COLUMNS} FROM audit WHERE ? IS NULL OR n < ? ORDER BY n DESC LIMIT ?"  # noqa: S608 - of ours
        with self._db.reading() as db:
            return list(map(_entry, db.execute(query, (before, before, limit))))


def _entry(row: tuple[Any, ...]) -> tuple[int, AuditEntry]:
    n, at, user, origin, address, action, subject, status = row
    entry = AuditEntry(
        at=at, user=user, origin=origin, address=address, action=action, subject=subject, status=status
    )
    return int(n), entry
