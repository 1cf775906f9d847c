"""SQL statements of the outbox. Each function works inside the caller's transaction and takes no lock."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from surveil.alerts.payload import dump
from surveil.alerts.records import COLUMNS, text_of
from surveil.reasons import Outcome, Reason
from surveil.types import Alert

NEXT = f"""
SELECT d.attempts, d.suspect_failures, {COLUMNS} FROM deliveries d JOIN alerts a ON a.seq = d.alert
WHERE d.sink = ? AND d.state = 'pending' AND NOT EXISTS (
    SELECT 1 FROM deliveries e
    WHERE e.event_id = d.event_id AND e.sink = d.sink AND e.alert < d.alert AND e.state = 'pending')
ORDER BY d.suspect_failures, d.alert LIMIT 1"""  # noqa: S608 - our own constant, as below
NEXT_NEW = NEXT.replace("AND NOT EXISTS", "AND d.attempts = 0 AND NOT EXISTS")
"""The same of those that were never tried."""
OPEN = f"SELECT {COLUMNS} FROM open_events o JOIN alerts a ON a.seq = o.alert ORDER BY a.seq"  # noqa: S608
LATEST = f"""
SELECT {COLUMNS} FROM alerts a
WHERE camera = ? AND (? = '' OR rule = ?) AND t_wall <= ? ORDER BY seq DESC LIMIT 20"""  # noqa: S608
OPEN_AT = f"""
SELECT {COLUMNS} FROM open_events o JOIN alerts a ON a.seq = o.alert
WHERE EXISTS (SELECT 1 FROM deliveries d WHERE d.alert = a.seq AND d.sink = ? AND d.state = 'delivered')
OR (NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.alert = a.seq) AND json_valid(a.body) AND EXISTS (
    SELECT 1 FROM deliveries d WHERE d.event_id = json_extract(a.body, '$.details.incident')
    AND d.sink = ? AND d.state = 'delivered'))
ORDER BY a.seq"""  # noqa: S608
PENDING_EVIDENCE = """
SELECT DISTINCT j.value FROM deliveries d JOIN alerts a ON a.seq = d.alert,
json_each(CASE WHEN json_valid(a.body) THEN a.body ELSE '{}' END, '$.evidence') j
WHERE d.state = 'pending'"""
_FOLLOWERS = """
UPDATE deliveries SET state = 'dead', reason = 'start_dead'
WHERE state = 'pending' AND sink = ? AND alert > ?
AND event_id = (SELECT event_id FROM alerts WHERE seq = ?)"""
_UNTOLD = """
SELECT 1 FROM events e WHERE e.event_id = ?
AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = e.event_id AND d.sink = ?)"""
_FORGOTTEN = """
SELECT seq FROM alerts a WHERE created_s < ?
AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.alert = a.seq AND d.state = 'pending')
AND NOT EXISTS (SELECT 1 FROM open_events o WHERE o.alert = a.seq)"""


UPDATE = "update"
"""The reason of an alert that repeats a start with what has joined since: see `surveil.alerts.incidents`."""
RAISED, COMMITTED, WITHHELD, REPEATED = "raised", "committed", "withheld", "repeated"
_DECIDED = "('opened', 'joined', 'suppressed')"
_ORPHANS = f"""
SELECT r.camera, r.rule, r.n - coalesce(sum(d.n), 0) FROM ledger r
LEFT JOIN ledger d ON d.camera = r.camera AND d.rule = r.rule AND d.outcome IN {_DECIDED}
WHERE r.outcome = '{RAISED}' GROUP BY r.camera, r.rule"""  # noqa: S608 - our own constants


class Dead(StrEnum):
    """Why a delivery is a dead letter."""

    REJECTED = "rejected"
    PARTIAL = "partial"
    """Some recipients of the sink have the alert."""
    EXPIRED = "expired"
    OVERFLOW = "overflow"
    """There was no room for the start."""
    START_DEAD = "start_dead"
    """The end of an event whose start is a dead letter."""
    REMOVED = "removed"
    """The configuration no longer names the sink."""
    PURGED = "purged"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger of signals, by camera and rule.

    raised = opened + joined + suppressed (for a `reason`) + those that wait for their outcome; and, of the starts
    of events, opened = committed + withheld (by the storm cap) + repeated (committed before: the same recording).
    """

    camera: str
    rule: str
    outcome: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """One file of evidence."""

    path: str
    """Relative to the state directory."""
    camera: str
    """The folder's name."""
    size: int
    """Bytes."""


def insert(db: sqlite3.Connection, alert: Alert, now: float) -> int | None:
    """Insert an alert and note that its event opened or ended; return its row, None when it was there."""
    values = (alert.id, alert.event_id, alert.camera, alert.rule, alert.phase, alert.t_wall)
    cursor = db.execute(
        "INSERT OR IGNORE INTO alerts (id, event_id, camera, rule, phase, t_wall, created_s, body) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (*values, now, dump(alert)),
    )
    if not cursor.rowcount:
        return None
    seq = cast("int", cursor.lastrowid)
    if alert.phase == "end":
        db.execute("DELETE FROM open_events WHERE event_id = ?", (alert.event_id,))
    elif alert.reason != Reason.INSTANT:
        # The event is shown as its newest update has it.
        if alert.reason == UPDATE:
            db.execute("DELETE FROM open_events WHERE event_id = ?", (alert.event_id,))
        db.execute("INSERT OR IGNORE INTO open_events VALUES (?, ?)", (alert.event_id, seq))
    return seq


def begins(alert: Alert) -> bool:
    """Return whether an alert is the first of its event."""
    return alert.phase == "start" and alert.reason != UPDATE


def address(db: sqlite3.Connection, alert: Alert, seq: int, sink: str, now: float, *, full: bool) -> bool:
    """Add the row of one sink; return whether it is pending, and no dead letter at once.

    There is none for the end of an event whose start the sink was never told of, or whose start was purged.
    """
    if alert.phase == "end" and db.execute(_UNTOLD, (alert.event_id, sink)).fetchone():
        return False
    reason = _why_dead(db, alert, sink, full=full)
    state = "dead" if reason else "pending"
    db.execute(
        "INSERT INTO deliveries (alert, sink, event_id, state, created_s, reason) VALUES (?, ?, ?, ?, ?, ?)",
        (seq, sink, alert.event_id, state, now, reason),
    )
    return not reason


def _why_dead(db: sqlite3.Connection, alert: Alert, sink: str, *, full: bool) -> str:
    """Return why a delivery is a dead letter at once: no room for a start, or an end whose start is dead."""
    if alert.phase == "start":
        return Dead.OVERFLOW if full else ""
    query = "SELECT state, reason FROM deliveries WHERE event_id = ? AND sink = ? ORDER BY alert LIMIT 1"
    start = db.execute(query, (alert.event_id, sink)).fetchone()
    return Dead.START_DEAD if start and start[0] == "dead" and start[1] != Dead.PARTIAL else ""


def totals(db: sqlite3.Connection) -> dict[Entry, int]:
    """Return all entries of the ledger."""
    query = "SELECT camera, rule, outcome, reason, n FROM ledger ORDER BY camera, rule, outcome, reason"
    return {Entry(*map(text_of, line[:4])): line[4] for line in db.execute(query)}


def deliveries(db: sqlite3.Connection) -> list[tuple[str, str, int, bool]]:
    """Return sink, state, number of deliveries, and whether they were deleted since; of one moment."""
    query = (
        "SELECT sink, state, count(*), 0 FROM deliveries GROUP BY sink, state "
        "UNION ALL SELECT sink, state, n, 1 FROM purged"
    )
    return [(text_of(sink), text_of(state), n, bool(gone)) for sink, state, n, gone in db.execute(query)]


AMONG = "a.camera IN (SELECT value FROM json_each(:cameras))"
"""Whether an alert `a` is of some cameras."""


def among(cameras: Iterable[str] | None) -> str | None:
    """Return names of cameras as the parameter of `AMONG`."""
    return None if cameras is None else json.dumps(sorted(cameras))


def deliveries_of(db: sqlite3.Connection, cameras: Iterable[str]) -> list[tuple[str, str, int, bool]]:
    """Return the same of some cameras, without what was deleted."""
    query = (
        "SELECT d.sink, d.state, count(*) FROM deliveries d JOIN alerts a ON a.seq = d.alert "  # noqa: S608 - our own
        f"WHERE {AMONG} GROUP BY d.sink, d.state"
    )
    found = db.execute(query, {"cameras": among(cameras)})
    return [(text_of(sink), text_of(state), n, False) for sink, state, n in found]


def older(db: sqlite3.Connection, sink: str, created_s: float) -> list[int]:
    """Return the pending rows of a sink that were created before `created_s`."""
    query = (
        "SELECT alert FROM deliveries WHERE sink = ? AND state = 'pending' AND created_s < ? ORDER BY alert"
    )
    return [seq for (seq,) in db.execute(query, (sink, created_s))]


def dead_letter(db: sqlite3.Connection, sink: str, seqs: Iterable[int], reason: Dead) -> int:
    """Make pending rows dead letters, with the ends that follow them unless some recipients have the starts.

    Return how many.
    """
    update = "UPDATE deliveries SET state='dead', reason=? WHERE sink=? AND alert=? AND state='pending'"
    gone = 0
    for seq in seqs:
        gone += db.execute(update, (reason, sink, seq)).rowcount
        gone += db.execute(_FOLLOWERS, (sink, seq, seq)).rowcount if reason != Dead.PARTIAL else 0
    return gone


def remove_sinks(db: sqlite3.Connection, sinks: Sequence[str]) -> None:
    """Make what is pending for sinks that the configuration does not name any more dead letters."""
    pending = set(count_pending(db)) - set(sinks)
    for sink in pending:
        db.execute(
            "UPDATE deliveries SET state='dead', reason=? WHERE state='pending' AND sink=?",
            (Dead.REMOVED, sink),
        )


def count_pending(db: sqlite3.Connection) -> dict[str, int]:
    """Return sink → number of pending rows."""
    query = "SELECT sink, count(*) FROM deliveries WHERE state = 'pending' GROUP BY sink"
    return dict(db.execute(query).fetchall())


def forget_before(db: sqlite3.Connection, created_s: float) -> int:
    """Delete alerts that are done with, keeping the totals; return how many."""
    seqs = db.execute(_FORGOTTEN, (created_s,)).fetchall()
    keep = (
        "INSERT INTO purged SELECT sink, state, 1 FROM deliveries WHERE alert = ? "
        "ON CONFLICT DO UPDATE SET n = n + 1"
    )
    for seq in seqs:
        db.execute(keep, seq)
        db.execute("DELETE FROM deliveries WHERE alert = ?", seq)
        db.execute("DELETE FROM alerts WHERE seq = ?", seq)
    return len(seqs)


def settle_orphans(db: sqlite3.Connection) -> None:
    """Give an outcome to the signals that waited for one when the program ended without a word."""
    waiting = db.execute(_ORPHANS).fetchall()
    add(db, {Entry(camera, rule, Outcome.SUPPRESSED, Reason.RESTART): n for camera, rule, n in waiting})


def add(db: sqlite3.Connection, counts: Mapping[Entry, int]) -> None:
    """Add to the signals ledger."""
    upsert = "INSERT INTO ledger VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n"
    db.executemany(upsert, [(e.camera, e.rule, e.outcome, e.reason, n) for e, n in counts.items() if n])


def put(db: sqlite3.Connection, key: str, value: str) -> None:
    """Keep a value under a key."""
    db.execute(
        "INSERT INTO state VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (key, value)
    )


def store(db: sqlite3.Connection, files: Iterable[StoredAlert], now: float) -> None:
    """Note files of evidence."""
    query = "INSERT OR IGNORE INTO evidence VALUES (?, ?, ?, ?)"
    db.executemany(query, [(f.path, f.camera, now, f.size) for f in files])


def stored_before(
    db: sqlite3.Connection, created_s: float, camera: str | None, limit: int
) -> list[StoredAlert]:
    """Return the oldest files of a camera, or of all, that were created before `created_s`."""
    where = "camera = ? AND" if camera is not None else ""
    values = (camera, created_s, limit) if camera is not None else (created_s, limit)
    query = f"SELECT path, camera, bytes FROM evidence WHERE {where} created_s < ? ORDER BY created_s, path LIMIT ?"  # noqa: S608
    return [StoredAlert(*row) for row in db.execute(query, values)]
