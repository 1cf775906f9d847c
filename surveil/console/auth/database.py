"""The console's own SQLite file: users, sessions, tokens, and the audit log.

Apart from the outbox: nothing that a browser causes makes an alert wait. Any thread, and the command line beside the
daemon, may open it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from surveil.alerts.database import (
    BUSY_TIMEOUT_S,
    as_text,
    foreign_errors,
    is_damaged,
    set_aside,
    transaction,
)
from surveil.damage import Damaged, found
from surveil.errors import StateError
from surveil.filesystem import keep_private

NAME = "console.db"
USERS_LOST = "users lost"
"""Mark of a file that took the place of a damaged one, until a user is added: it is not a console without users."""
VERSION = 1
_SCHEMA = """
CREATE TABLE users (name TEXT PRIMARY KEY, password TEXT NOT NULL, role TEXT NOT NULL, cameras TEXT,
made REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE sessions (hash TEXT PRIMARY KEY, user TEXT NOT NULL, begun REAL NOT NULL,
seen REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user);
CREATE TABLE tokens (hash TEXT PRIMARY KEY, user TEXT NOT NULL, name TEXT NOT NULL, scopes TEXT,
expires REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE marks (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE revoked (event_id TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE audit (n INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, user TEXT NOT NULL, origin TEXT NOT NULL,
address TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL, status INTEGER NOT NULL);
CREATE INDEX audit_by_time ON audit (at);
CREATE TABLE audit_sent (n INTEGER NOT NULL);
PRAGMA user_version = 1;
"""


class ConsoleDb:
    """The file. Every method raises StateError when it cannot be used."""

    def __init__(self, folder: Path) -> None:
        """`folder`: the state directory. A damaged file is set aside when the daemon opens it, see `prepare`."""
        self.path = folder / NAME
        self._kept: sqlite3.Connection | None = None

    def prepare(self, t_wall: float) -> None:
        """Make the file, or bring it to this version; set a damaged one aside. It is kept open from then on."""
        if is_damaged(self.path):
            stamp = datetime.fromtimestamp(t_wall, UTC).strftime("%Y%m%dT%H%M%SZ")
            try:
                moved = set_aside(self.path, stamp)
            except OSError as error:
                raise StateError(f"{self.path} is damaged and cannot be moved: {error.strerror}") from error
            found.report(Damaged.CONSOLE, _lost_words(moved))
        with self.reading():
            # With the last connection SQLite removes the shared memory; on a full disk the next look could not make it.
            self._kept = _connect(self.path)

    def close(self) -> None:
        """Close the file, at the end of the daemon."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection."""
        try:
            keep_private(self.path)
            with foreign_errors(), closing(_connect(self.path)) as db:
                yield db
        except StateError as error:
            raise StateError(str(error).replace("the outbox database", str(self.path))) from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection in a transaction: all of it is kept, or nothing."""
        with self.reading() as db, transaction(db):
            yield db


def users_are_lost(folder: Path) -> bool:
    """Whether the console of a state directory is closed, or will be at the start: its users were in a damaged file.

    Changes nothing; a file that cannot be read is taken for a good one.
    """
    path = folder / NAME
    if not path.is_file() or is_damaged(path):
        return path.is_file()
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        return db.execute("SELECT 1 FROM marks WHERE name = ?", (USERS_LOST,)).fetchone() is not None
    return False


def _lost_words(moved: Path) -> str:
    return (
        f"users, tokens and audit log of the console were damaged and are kept as {moved.name}; the console is closed: "
        "add users with `surveil users add`"
    )


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        db.text_factory = as_text
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        _migrate(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    version = _version(db)
    if version > VERSION:
        raise StateError(f"was written by a newer surveil (schema {version}): upgrade, or move the file away")
    if version == VERSION:
        return
    with transaction(db):
        if _version(db) == 0:
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            if any(path.parent.glob(f"{path.name}.damaged-*")):
                db.execute("INSERT INTO marks VALUES (?)", (USERS_LOST,))


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
