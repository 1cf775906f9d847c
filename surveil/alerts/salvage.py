"""Damaged databases: detecting them, and copying the rows that can still be read.

What is intact is delivered. The tables are read by their keys from both ends, around the pages that are damaged; where
the first page itself is, that of a fresh database takes its place, which has the same tables at the same places.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import cache
from pathlib import Path

import structlog

from surveil.alerts.database import BUSY_TIMEOUT_S, ERRORS, as_text, migrations, run_migrations
from surveil.alerts.records import COLUMNS, alert_of, moment_of, number_of, text_of
from surveil.filesystem import clear_logs

log = structlog.get_logger(__name__)
PAGE = 4096
_DAY_S = 86_400.0
_NOT_DAMAGE = frozenset({
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_AUTH,
})  # fmt: skip
"""Errors that say something of the machine and nothing of the file."""
_Row = tuple[object, ...]
_FAR = 1000
"""No release is so many schemas ahead of this one."""


def damage(path: Path, unlike: Callable[[sqlite3.Connection], str] | None = None) -> str:
    """Return what is wrong with a database's structure; empty when it is sound, missing or empty.

    `unlike` says in what the tables are not those that belong there; the outbox's by default.
    """
    if not path.exists():
        return "it is a link to itself" if _is_circle(path) else ""
    if not path.is_file():
        return "it is not a file"
    clear_logs(path)
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as db:
            db.text_factory = as_text
            if other := (unlike or _unlike)(db):
                return other
            found = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
            # A file whose header says that it may only be read is of no use.
            db.execute("BEGIN IMMEDIATE")
            db.execute("ROLLBACK")
    except UnicodeDecodeError:
        return "its schema is not text"
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        may_write = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
        is_damage = may_write if code == sqlite3.SQLITE_READONLY else code not in _NOT_DAMAGE
        return str(error) if is_damage else ""
    return "" if found == "ok" else str(found)


def _is_circle(path: Path) -> bool:
    try:
        path.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


@cache
def _schema_of(version: int) -> frozenset[_Row]:
    """Return the tables and indices of a schema version."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        run_migrations(db, version)
        return _schema(db)


def _schema(db: sqlite3.Connection) -> frozenset[_Row]:
    query = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    return frozenset(db.execute(query).fetchall())


def _unlike(db: sqlite3.Connection) -> str:
    """Return in what the schema is none of ours; a newer one is for `migrate` to refuse."""
    version, schema = int(db.execute("PRAGMA user_version").fetchone()[0]), _schema(db)
    versions = [number for number, _ in migrations()]
    latest = versions[-1]
    if version == 0 and not schema:
        return ""
    flipped = (version ^ latest).bit_count() == 1 or not 0 <= version < _FAR
    if version > latest and not (flipped and schema == _schema_of(latest)):
        return ""
    if version in versions and schema == _schema_of(version):
        return ""
    return f"its tables are not those of schema {version}"


def salvage(source: Path, db: sqlite3.Connection, sinks: tuple[str, ...]) -> int:
    """Copy what can be read of a damaged database into a new one, inside its transaction; return how many alerts.

    An alert of the last day whose deliveries cannot be read is addressed to every sink again.
    """
    if not source.is_file():
        return 0
    if not _copy(source, db):
        mended = source.with_name(f"{source.name}.mended")
        try:
            _transplant(source, mended)
            _copy(mended, db)
        except OSError as error:
            log.error("damaged database cannot be copied", why=error.strerror)  # noqa: TRY400
        finally:
            for suffix in ("", "-wal", "-shm"):
                mended.with_name(mended.name + suffix).unlink(missing_ok=True)
    _carve(source, db)
    _address_again(db, sinks)
    return int(db.execute("SELECT count(*) FROM alerts").fetchone()[0])


def _copy(source: Path, db: sqlite3.Connection) -> bool:
    """Copy all tables; return whether there were any."""
    try:
        with closing(sqlite3.connect(source, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as old:
            old.text_factory = as_text
            # The pages themselves are looked at, too.
            with suppress(*ERRORS):
                old.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            old.execute("PRAGMA query_only = ON")
            # With what people said of them; the alerts add the events that cannot be read.
            _copy_table(old, db, "events")
            for row in _by_key(old, "alerts", _ALERT, ("seq",)):
                _put_alert(db, *row)
            _copy_deliveries(old, db)
            for table in ("open_events", "ledger", "purged", "state", "evidence"):
                _copy_table(old, db, table)
            return bool(db.execute("SELECT count(*) FROM alerts").fetchone()[0])
    except ERRORS:
        return False


def copy_tables(source: Path, db: sqlite3.Connection, tables: tuple[str, ...]) -> None:
    """Copy what can be read of the tables of another damaged database into a new one."""
    with (
        suppress(*ERRORS),
        closing(sqlite3.connect(source, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as old,
    ):
        old.text_factory = as_text
        old.execute("PRAGMA query_only = ON")
        for table in tables:
            _copy_table(old, db, table)


def _carve(source: Path, db: sqlite3.Connection) -> None:
    """Add the alerts that no tree leads to any more."""
    from surveil.alerts.carving import leaf_rows  # noqa: PLC0415 - a damaged database only

    for seq, (_, *values) in leaf_rows(source.read_bytes(), PAGE, _ALERT.count(",") + 1):
        # Other tables, and pages that lie free, have rows as well.
        if (
            isinstance(values[0], str)
            and values[4] in ("start", "end")
            and isinstance(values[7], str)
            and seq > 0
        ):
            _put_alert(db, seq, *values)


_ALERT = "seq, id, event_id, camera, rule, phase, t_wall, created_s, body"


def _put_alert(db: sqlite3.Connection, seq: object, id_: object, *rest: object) -> None:
    event_id, camera, rule, phase, t_wall, created_s, body = rest
    values = (
        seq, text_of(id_) or f"damaged-{seq}", text_of(event_id) or f"damaged-{seq}", text_of(camera),
        text_of(rule), "end" if phase == "end" else "start", moment_of(t_wall), number_of(created_s), text_of(body),
    )  # fmt: skip
    db.execute(f"INSERT OR IGNORE INTO alerts ({_ALERT}) VALUES (?,?,?,?,?,?,?,?,?)", values)  # noqa: S608


def _copy_deliveries(old: sqlite3.Connection, db: sqlite3.Connection) -> None:
    columns = "alert, sink, event_id, state, attempts, suspect_failures, created_s, reason, error"
    known = dict(db.execute("SELECT seq, event_id FROM alerts").fetchall())
    for row in _by_key(old, "deliveries", columns, ("alert", "sink")):
        alert, sink, _, state, attempts, suspect_failures, created_s, reason, error = row
        if alert not in known or not text_of(sink):
            continue
        said = text_of(state)
        values = (
            alert, text_of(sink), known[alert], said if said in {"pending", "delivered", "dead"} else "pending",
            int(number_of(attempts)), int(number_of(suspect_failures)), number_of(created_s), text_of(reason),
            text_of(error),
        )  # fmt: skip
        db.execute(f"INSERT OR IGNORE INTO deliveries ({columns}) VALUES (?,?,?,?,?,?,?,?,?)", values)  # noqa: S608


def _copy_table(old: sqlite3.Connection, db: sqlite3.Connection, table: str) -> None:
    """Copy a small table; rows that the new one does not take are left out."""
    info = db.execute(f"PRAGMA table_info({table})").fetchall()
    columns = ", ".join(str(column[1]) for column in info)
    key = tuple(str(column[1]) for column in sorted(info, key=lambda c: c[5]) if column[5])
    marks = ",".join("?" * len(info))
    for row in _by_key(old, table, columns, key):
        with suppress(sqlite3.IntegrityError):
            db.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row)  # noqa: S608


def _by_key(old: sqlite3.Connection, table: str, columns: str, key: tuple[str, ...]) -> Iterator[_Row]:
    """Yield the rows that can be read: from the first on, from the last back, then one by one in between."""
    n = len(key)
    seen: set[_Row] = set()
    for way in ("ASC", "DESC"):
        order = ", ".join(f"{name} {way}" for name in key)
        query = f"SELECT {', '.join(key)}, {columns} FROM {table} NOT INDEXED ORDER BY {order}"  # noqa: S608
        try:
            for row in old.execute(query):
                if row[:n] in seen:
                    return
                seen.add(row[:n])
                yield row[n:]
        except ERRORS:
            continue
        return
    if len(key) == 1 and seen and all(isinstance(k[0], int) for k in seen):
        yield from _between(old, table, columns, key[0], sorted(k[0] for k in seen if isinstance(k[0], int)))


def _between(old: sqlite3.Connection, table: str, columns: str, key: str, seen: list[int]) -> Iterator[_Row]:
    """Yield the rows of whole pages between damaged ones, by number."""
    known = set(seen)
    query = f"SELECT {columns} FROM {table} WHERE {key} = ?"  # noqa: S608
    for number in range(seen[0], min(seen[-1], seen[0] + 1_000_000)):
        if number not in known:
            with suppress(*ERRORS):
                yield from old.execute(query, (number,))


def _transplant(source: Path, mended: Path) -> None:
    """Copy a database with the first page of a fresh one: its header, and where each table is. Raises OSError."""
    fresh = mended.with_name(mended.name + ".fresh")
    try:
        with closing(sqlite3.connect(fresh, isolation_level=None)) as db:
            db.execute(f"PRAGMA page_size = {PAGE}")
            run_migrations(db)
        first = bytearray(fresh.read_bytes()[:PAGE])
    finally:
        fresh.unlink(missing_ok=True)
    shutil.copyfile(source, mended)
    for suffix in ("-wal", "-shm"):
        beside = source.with_name(source.name + suffix)
        if suffix == "-wal" and beside.exists():
            shutil.copyfile(beside, mended.with_name(mended.name + suffix))
    pages = source.stat().st_size // PAGE
    first[28:32] = pages.to_bytes(4, "big")
    first[32:40] = bytes(8)  # no free pages: nobody writes to it
    with mended.open("r+b") as file:
        file.write(first)


def _address_again(db: sqlite3.Connection, sinks: tuple[str, ...]) -> None:
    """Make pending what has no row at all, or none at a sink that has others."""
    newest = number_of(db.execute("SELECT max(created_s) FROM alerts").fetchone()[0])
    there = set(db.execute("SELECT alert, sink FROM deliveries").fetchall())
    addressed, known = {alert for alert, _ in there}, {sink for _, sink in there}
    recent = f"SELECT {COLUMNS}, a.created_s FROM alerts a WHERE a.created_s >= ? ORDER BY a.seq"  # noqa: S608
    insert = "INSERT INTO deliveries (alert, sink, event_id, state, created_s) VALUES (?, ?, ?, 'pending', ?)"
    for *row, created_s in db.execute(recent, (newest - _DAY_S,)).fetchall():
        alert, seq = alert_of(tuple(row))[0], row[0]
        lacking = [
            sink
            for sink in sinks
            if (seq, sink) not in there
            and (alert.sinks is None or sink in alert.sinks)
            and (seq not in addressed or sink in known)
        ]
        db.executemany(insert, [(seq, sink, alert.event_id, created_s) for sink in lacking])
