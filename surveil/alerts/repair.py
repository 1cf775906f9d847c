"""Rows of the outbox that SQLite can read but the program cannot use: corrected or dropped at start.

A damaged row costs what it says, never the start. What decides about an alert's way errs towards sending it again.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from statistics import median

from surveil.alerts import arming, rows
from surveil.alerts.records import number_of
from surveil.filesystem import read_json

CLOCK = "clock_s"
_LONGEST_S = 100 * 365 * 86_400.0
"""No daemon has run for so long."""


def repair(db: sqlite3.Connection) -> int:
    """Put right what can be, inside the caller's transaction; return how many rows were damaged."""
    age_s, n = _mend_clock(db)
    for statement in _STATEMENTS:
        n += db.execute(statement, {"now": age_s}).rowcount
    return n + _mend_state(db)


_COUNT = "typeof({0}) <> 'integer' OR {0} < 0"
_AGE = "typeof(created_s) NOT IN ('real', 'integer') OR created_s < 0 OR created_s > :now"
_STATEMENTS = (
    f"UPDATE alerts SET created_s = :now WHERE {_AGE}",  # noqa: S608 - our own constants, as below
    "UPDATE deliveries SET state = 'pending' WHERE state NOT IN ('pending', 'delivered', 'dead')",
    f"UPDATE deliveries SET attempts = 0 WHERE {_COUNT.format('attempts')}",  # noqa: S608
    f"UPDATE deliveries SET suspect_failures = 0 WHERE {_COUNT.format('suspect_failures')}",  # noqa: S608
    f"UPDATE deliveries SET created_s = :now WHERE {_AGE}",  # noqa: S608
    # Never before its alert: it would be too old before its time.
    (
        "UPDATE deliveries SET created_s = a.created_s FROM alerts a "
        "WHERE a.seq = deliveries.alert AND deliveries.state = 'pending' AND deliveries.created_s < a.created_s"
    ),
    "UPDATE deliveries SET reason = '' WHERE typeof(reason) <> 'text'",
    "UPDATE deliveries SET error = '' WHERE typeof(error) <> 'text'",
    # An end waits for its start by this name.
    (
        "UPDATE deliveries SET event_id = a.event_id FROM alerts a "
        "WHERE a.seq = deliveries.alert AND a.event_id <> deliveries.event_id"
    ),
    "DELETE FROM deliveries WHERE NOT EXISTS (SELECT 1 FROM alerts a WHERE a.seq = deliveries.alert)",
    (
        "DELETE FROM open_events WHERE NOT EXISTS "
        "(SELECT 1 FROM alerts a WHERE a.seq = open_events.alert AND a.phase = 'start')"
    ),
    (
        f"DELETE FROM ledger WHERE {_COUNT.format('n')} OR typeof(camera) <> 'text' OR typeof(rule) <> 'text' "  # noqa: S608
        "OR typeof(outcome) <> 'text' OR typeof(reason) <> 'text'"
    ),
    (
        f"DELETE FROM purged WHERE {_COUNT.format('n')} OR state NOT IN ('pending', 'delivered', 'dead') "  # noqa: S608
        "OR typeof(sink) <> 'text'"
    ),
    # The file is found again where it lies; what lies elsewhere is none of ours.
    (
        f"DELETE FROM evidence WHERE {_COUNT.format('bytes')} OR typeof(path) <> 'text' OR typeof(camera) <> 'text' "  # noqa: S608
        "OR path NOT LIKE 'evidence/%' OR path LIKE '%/../%' OR path LIKE '%/..' OR instr(path, char(0)) > 0"
    ),
    f"UPDATE evidence SET created_s = :now WHERE {_AGE}",  # noqa: S608
)


def _mend_clock(db: sqlite3.Connection) -> tuple[float, int]:
    """Return the outbox's clock, and 1 where it was none: by it alerts expire and evidence goes."""
    row = db.execute("SELECT value FROM state WHERE key = ?", (CLOCK,)).fetchone()
    newest = db.execute("SELECT created_s FROM alerts ORDER BY seq DESC LIMIT 5").fetchall()
    least = median([max(0.0, number_of(born)) for (born,) in newest] or [0.0])
    said = None if row is None else _number(row[0])
    if said is not None and least <= said < _LONGEST_S:
        return said, 0
    if row is None and not newest:
        return 0.0, 0
    rows.put(db, CLOCK, repr(least))
    return least, 1


def _number(text: object) -> float | None:
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _is_switches(text: str) -> bool:
    arming.parse(text)
    return True


def _is_names(text: str) -> bool:
    names = read_json(text)
    return isinstance(names, list) and all(isinstance(name, str) for name in names)


_VALID: dict[str, Callable[[str], bool]] = {
    arming.STATE_KEY: _is_switches,
    "accepted_views": _is_names,
}
"""By key. What is damaged goes: rules are armed, and a view is accepted once more."""


def _mend_state(db: sqlite3.Connection) -> int:
    n = db.execute("DELETE FROM state WHERE typeof(key) <> 'text' OR typeof(value) <> 'text'").rowcount
    for key, value in db.execute("SELECT key, value FROM state").fetchall():
        if key in _VALID and not _holds(_VALID[key], value):
            n += db.execute("DELETE FROM state WHERE key = ?", (key,)).rowcount
    return n


def _holds(is_valid: Callable[[str], bool], text: str) -> bool:
    try:
        return is_valid(text)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return False
