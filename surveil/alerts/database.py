"""The outbox's SQLite file: opening it, its schema versions, and what to do when it is damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from surveil.errors import StateError

BUSY_TIMEOUT_S = 5.0
"""How long a statement waits for another process (`surveil alerts retry`) to finish its transaction."""
_NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What a statement may raise: a message that quotes a damaged file may be no UTF-8, which Python takes for an error."""


class NoRoomError(StateError):
    """The disk is full, or fails: the write did not happen. Making room and trying again is worth it."""


def migrations() -> list[tuple[int, str]]:
    """Return (version, SQL) of every schema version, oldest first."""
    files = resources.files("surveil.alerts.migrations").iterdir()
    scripts = sorted((f for f in files if f.name.endswith(".sql")), key=lambda f: f.name)
    return [(int(f.name[:4]), f.read_text(encoding="utf-8")) for f in scripts]


def connect(path: Path, *, synchronous: str = "FULL") -> sqlite3.Connection:
    """Return a connection that commits explicitly.

    FULL syncs the log before a commit returns. NORMAL is for what may be lost with the power, but never
    with the process: an acknowledgement that is lost only means that its alert is sent twice.
    """
    db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    db.text_factory = as_text
    with closed_on_error(db):
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(f"PRAGMA synchronous={synchronous}")
        db.execute("PRAGMA foreign_keys=ON")
        # Checkpoints are made beside the commits, not in them: see `Outbox.checkpoint`.
        db.execute("PRAGMA wal_autocheckpoint=10000")
    return db


def as_text(raw: bytes) -> str:
    """Return a text of the database; a damaged byte costs a character and not the row."""
    return raw.decode("utf-8", "replace")


@contextmanager
def closed_on_error(db: sqlite3.Connection) -> Iterator[None]:
    """Close a connection whose owner cannot be made: nobody else would."""
    try:
        yield
    except BaseException:
        db.close()
        raise


class DamagedError(StateError):
    """The database became unreadable: trying again is of no use, the next start sets it aside."""


@contextmanager
def foreign_errors() -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise DamagedError("the outbox database failed: it quotes what is no text") from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        kind = NoRoomError if code in _NO_ROOM else DamagedError if code in _DAMAGED else StateError
        raise kind(f"the outbox database failed: {error}") from error


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Run the block as one transaction: all of it is on disk afterwards, or none."""
    with foreign_errors():
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")


def migrate(db: sqlite3.Connection) -> None:
    """Bring the schema to the newest version. Raises StateError when a newer surveil wrote the file."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    known = migrations()
    if version > known[-1][0]:
        raise StateError(
            f"the outbox database has schema {version}, this surveil knows up to {known[-1][0]}: "
            "it was written by a newer version; upgrade, or move the file away"
        )
    run_migrations(db)


def run_migrations(db: sqlite3.Connection, up_to: int | None = None) -> None:
    """Run the migrations that a database has not had yet."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    for number, script in migrations():
        if number > version and (up_to is None or number <= up_to):
            _apply(db, number, script)


def _apply(db: sqlite3.Connection, number: int, script: str) -> None:
    """Run one migration as one transaction (`executescript` would commit before it begins)."""
    with transaction(db):
        for statement in _statements(script):
            db.execute(statement)
        db.execute(f"PRAGMA user_version={number}")


def _statements(script: str) -> Iterator[str]:
    pending = ""
    for line in script.splitlines():
        pending += line + "\n"
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


def is_damaged(path: Path) -> bool:
    """Return whether SQLite cannot make sense of the file. A missing or empty file is not damaged."""
    if not path.exists():
        return False
    try:
        db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)
    except sqlite3.OperationalError:
        return False
    try:
        return bool(db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
    except sqlite3.OperationalError:
        return False
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        return True
    finally:
        db.close()


def set_aside(path: Path, stamp: str) -> Path:
    """Rename a damaged database and its log, so that somebody may look at it; return its new name."""
    target, n = path.with_name(f"{path.name}.damaged-{stamp}"), 1
    while target.exists():
        n += 1
        target = path.with_name(f"{path.name}.damaged-{stamp}-{n}")
    for suffix in ("", "-wal", "-shm"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.rename(target.with_name(target.name + suffix))
    return target


def aside(folder: Path) -> list[Path]:
    """Return the damaged databases that were set aside in a state directory and are still there."""
    return sorted(p for p in folder.glob("*.damaged-*") if not p.name.endswith(("-wal", "-shm")))
