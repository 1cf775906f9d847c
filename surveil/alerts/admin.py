"""Operations on the outbox, whether the daemon runs or not: list, show, retry, purge, check."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from surveil.alerts import rows
from surveil.alerts.database import aside, connect_existing, foreign_errors, is_damaged, transaction
from surveil.alerts.links import present
from surveil.alerts.records import COLUMNS, Row, alert_of
from surveil.alerts.rows import Dead, forget_before
from surveil.errors import StateError
from surveil.types import Alert


@dataclass(frozen=True, slots=True)
class SinkState:
    """How far an alert has come on its way to one sink."""

    sink: str
    state: str
    attempts: int
    reason: str
    """Why it is dead (`rows.Dead`)."""
    error: str
    """The last error."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An alert and its ways."""

    alert: Alert
    sinks: tuple[SinkState, ...]


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What `check` found; no problems means that every invariant holds."""

    alerts: int
    pending: int
    problems: tuple[str, ...]
    set_aside: tuple[str, ...] = ()
    """Damaged databases of before."""


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open an outbox that exists. Raises StateError when it does not, or is damaged."""
    with closing(connect_existing(path)) as db, foreign_errors():
        yield db


def list_alerts(
    path: Path,
    *,
    state: str | None = None,
    sink: str | None = None,
    cameras: Iterable[str] | None = None,
    limit: int = 50,
) -> list[Listed]:
    """Return the newest alerts first, those with a delivery in `state`, to `sink` or of `cameras` when given."""
    query = (
        f"SELECT {COLUMNS} FROM alerts a WHERE (:cameras IS NULL OR {rows.AMONG}) AND "  # noqa: S608 - our own constant
        "(:state IS NULL AND :sink IS NULL OR EXISTS (SELECT 1 FROM deliveries d WHERE d.alert = a.seq "
        "AND (:state IS NULL OR d.state = :state) AND (:sink IS NULL OR d.sink = :sink))) "
        "ORDER BY a.seq DESC LIMIT :limit"
    )
    values = {"state": state, "sink": sink, "cameras": rows.among(cameras), "limit": limit}
    with _opened(path) as db:
        return [_listed(db, path.parent, row) for row in db.execute(query, values).fetchall()]


def show(path: Path, prefix: str) -> list[Listed]:
    """Return the alerts whose id, or whose event's id, begins with `prefix`, in order of commit."""
    query = f"SELECT {COLUMNS} FROM alerts a WHERE substr(id, 1, ?) = ? OR substr(event_id, 1, ?) = ? ORDER BY seq"  # noqa: S608 - our own constant
    n = len(prefix)
    with _opened(path) as db:
        return [_listed(db, path.parent, row) for row in db.execute(query, (n, prefix, n, prefix)).fetchall()]


def _listed(db: sqlite3.Connection, state_dir: Path, row: Row) -> Listed:
    query = "SELECT sink, state, attempts, reason, error FROM deliveries WHERE alert = ? ORDER BY sink"
    states = tuple(SinkState(*state) for state in db.execute(query, (row[0],)))
    return Listed(present(alert_of(row)[0], state_dir), states)


@dataclass(frozen=True, slots=True)
class Retried:
    """What `retry` did."""

    deliveries: int
    """Pending again."""
    unknown: tuple[str, ...] = ()
    """What no alert's id begins with."""


def retry(path: Path, *, sink: str | None = None, prefixes: tuple[str, ...] = ()) -> Retried:
    """Make dead letters pending again, with a new age.

    `prefixes`: only of alerts whose id, or whose event's id, begins so. The other alerts of an event come along, so
    that its end still follows its start.
    """
    events = "SELECT DISTINCT event_id FROM alerts WHERE substr(id, 1, ?) = ? OR substr(event_id, 1, ?) = ?"
    revive = (
        "UPDATE deliveries SET state = 'pending', reason = iif(reason = 'partial', reason, ''), "
        "suspect_failures = 0, created_s = ? "
        "WHERE state = 'dead' AND (? IS NULL OR sink = ?)"
    )
    with _opened(path) as db, transaction(db):
        values = (_clock_s(db), sink, sink)
        if not prefixes:
            return Retried(db.execute(revive, values).rowcount)
        found = {p: db.execute(events, (len(p), p, len(p), p)).fetchall() for p in prefixes}
        meant = {row[0] for rows in found.values() for row in rows}
        n = sum(
            db.execute(revive + " AND event_id = ?", (*values, event)).rowcount for event in sorted(meant)
        )
        return Retried(n, tuple(p for p, rows in found.items() if not rows))


def purge(path: Path, *, sink: str | None = None, state: str = "dead") -> int:
    """Give up what is `dead` or `pending` for a sink, or for all: delete those that no sink waits for; return how many.

    Totals stay in the books: what was pending counts as dead.
    """
    with _opened(path) as db, transaction(db):
        if state == "pending":
            give_up = (
                "UPDATE deliveries SET state = 'dead', reason = ? "
                "WHERE state = 'pending' AND (? IS NULL OR sink = ?)"
            )
            return db.execute(give_up, (Dead.PURGED, sink, sink)).rowcount
        keep = (
            "INSERT INTO purged SELECT sink, state, count(*) FROM deliveries "
            "WHERE state = 'dead' AND (? IS NULL OR sink = ?) GROUP BY sink, state "
            "ON CONFLICT DO UPDATE SET n = n + excluded.n"
        )
        db.execute(keep, (sink, sink))
        query = "DELETE FROM deliveries WHERE state = 'dead' AND (? IS NULL OR sink = ?)"
        return db.execute(query, (sink, sink)).rowcount


def forget(path: Path, older_than_s: float) -> int:
    """Delete alerts that are done with and older than so many seconds of running time; return how many."""
    with _opened(path) as db, transaction(db):
        return forget_before(db, _clock_s(db) - older_than_s)


def _clock_s(db: sqlite3.Connection) -> float:
    """Return the outbox's running time as it was saved last. Raises StateError when that is damaged."""
    row = db.execute("SELECT value FROM state WHERE key = 'clock_s'").fetchone()
    try:
        return float(row[0]) if row else 0.0
    except ValueError as error:
        raise StateError("the outbox's clock is damaged: restart the daemon to repair it") from error


def _books(left: str, right: str, wrong: str, only: str = "") -> str:
    """Return the query that counts rules whose ledger does not balance: one outcome beside the sum of others."""
    return (
        f"SELECT count(*) FROM ledger l WHERE l.outcome = '{left}' AND l.n {wrong} (SELECT coalesce(sum(d.n), 0) "  # noqa: S608
        f"FROM ledger d WHERE d.camera = l.camera AND d.rule = l.rule AND d.outcome IN ({right}){only})"
    )


_INVARIANTS = {
    "{n} deliveries belong to no alert": (
        "SELECT count(*) FROM deliveries d WHERE NOT EXISTS (SELECT 1 FROM alerts a WHERE a.seq = d.alert)"
    ),
    "{n} ends were delivered before their starts": (
        "SELECT count(*) FROM deliveries e JOIN alerts a ON a.seq = e.alert AND a.phase = 'end' "
        "JOIN deliveries s ON s.event_id = e.event_id AND s.sink = e.sink AND s.alert < e.alert "
        "WHERE e.state = 'delivered' AND s.state = 'pending' AND s.reason <> 'partial'"
    ),
    "{n} open events have no start alert": (
        "SELECT count(*) FROM open_events o WHERE NOT EXISTS "
        "(SELECT 1 FROM alerts a WHERE a.seq = o.alert AND a.phase = 'start')"
    ),
    "{n} open events have ended": (
        "SELECT count(*) FROM open_events o JOIN alerts a ON a.event_id = o.event_id WHERE a.phase = 'end'"
    ),
    "{n} events have more than one start": (
        "SELECT count(*) FROM (SELECT 1 FROM alerts WHERE phase = 'start' "
        "AND NOT (json_valid(body) AND json_extract(body, '$.reason') = 'update') "
        "GROUP BY event_id HAVING count(*) > 1)"
    ),
    "{n} end alerts precede their start alerts": (
        "SELECT count(*) FROM alerts e JOIN alerts s ON s.event_id = e.event_id "
        "WHERE e.phase = 'end' AND s.phase = 'start' AND e.seq < s.seq"
    ),
    "{n} ledger counters are negative": "SELECT count(*) FROM ledger WHERE n < 0",
    "{n} rules have more outcomes than signals": _books("raised", "'opened', 'joined', 'suppressed'", "<"),
    "{n} rules have opened events that were neither committed nor withheld": _books(
        "opened", "'committed', 'withheld', 'repeated'", "<>", " AND d.reason <> 'storm_end'"
    ),
    "{n} deliveries count as delivered without an attempt": (
        "SELECT count(*) FROM deliveries WHERE state = 'delivered' AND attempts < 1"
    ),
}


def check(path: Path) -> AuditResult:
    """Verify SQLite's own structure and the outbox's invariants. Raises StateError when there is no outbox."""
    before = tuple(str(one) for one in aside(path.parent))
    if path.is_file() and is_damaged(path):
        return AuditResult(0, 0, ("the database is damaged: SQLite cannot read all of it",), before)
    with _opened(path) as db:
        problems = [str(row[0]) for row in db.execute("PRAGMA integrity_check(5)") if row[0] != "ok"]
        problems += [
            f"table {row[0]} refers to a missing row" for row in db.execute("PRAGMA foreign_key_check")
        ]
        for text, query in _INVARIANTS.items():
            n = db.execute(query).fetchone()[0]
            problems += [text.format(n=n)] if n else []
        alerts = db.execute("SELECT count(*) FROM alerts").fetchone()[0]
        pending = db.execute("SELECT count(*) FROM deliveries WHERE state = 'pending'").fetchone()[0]
    return AuditResult(alerts, pending, tuple(problems), before)
