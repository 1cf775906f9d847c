"""The outbox's SQLite file: opening, schema versions, handling of damage, and the operator channel."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import resources
from pathlib import Path

import structlog

from surveil.alerts import rows
from surveil.alerts.links import present
from surveil.alerts.records import Row, alert_of
from surveil.clock import Clock
from surveil.damage import Damaged, found
from surveil.errors import StateError
from surveil.filesystem import free_name, keep_private
from surveil.types import Alert

log = structlog.get_logger(__name__)

BUSY_TIMEOUT_S = 5.0
"""How long a statement waits for another process (`surveil alerts retry`) to finish its transaction."""
_CHECKPOINT_EVERY = 500
"""Transactions between checkpoints; a transaction writes a few pages of 4 KiB."""
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
        # Checkpoints are made beside the commits, not in them: see `OutboxDb.checkpoint`.
        db.execute("PRAGMA wal_autocheckpoint=10000")
    return db


def as_text(raw: bytes) -> str:
    """Return a text of the database; a damaged byte costs a character and not the row."""
    return raw.decode("utf-8", "replace")


def open_beside(path: Path, schema: str, *, reading: bool) -> sqlite3.Connection:
    """Open a small database beside the outbox, used by one thread at a time. Raises what SQLite raises.

    `reading`: only look at what a daemon has written, while it may go on writing; else `schema` is applied.
    """
    if not reading:
        keep_private(path)
    db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    db.text_factory = as_text
    with closed_on_error(db):
        if reading:
            db.execute("PRAGMA query_only = ON")
        else:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.executescript(schema)
    return db


@contextmanager
def closed_on_error(db: sqlite3.Connection) -> Iterator[None]:
    """Close a connection whose owner cannot be made, because no other code would."""
    try:
        yield
    except BaseException:
        db.close()
        raise


def connect_existing(path: Path) -> sqlite3.Connection:
    """Connect to an outbox that exists. Raises StateError when it does not, or cannot be opened."""
    if not path.is_file():
        raise StateError(f"{path}: no outbox found; check the state directory")
    with foreign_errors():
        return connect(path)


class OutboxDb:
    """The outbox's database: its two connections, their lock, and the clock that alerts and evidence age by.

    The user of a connection holds the lock. `writer` syncs before a commit returns; what goes through `acks` survives
    the process, and losing it with the power only repeats a delivery under the same id.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.lock = threading.Lock()
        self.writer = connect(path)
        with closed_on_error(self.writer):
            migrate(self.writer)
            self.acks = connect(path, synchronous="NORMAL")
        self.sinks: tuple[str, ...] = ()
        """That alerts are addressed to."""
        self.pending: Counter[str] = Counter()
        """Alerts that wait, by sink."""
        self._clock = clock
        self._opened = clock.monotonic()
        self._base_s = 0.0
        self._damaged: set[object] = set()
        """Rows of alerts."""
        self._checkpointing = threading.Lock()
        self._since_checkpoint = 0

    def go_on(self) -> None:
        """Go on from the clock that was saved last."""
        self._base_s = float(self.state("clock_s") or 0.0)

    def age_s(self) -> float:
        """Seconds of running time since the outbox was created."""
        return self._base_s + self._clock.monotonic() - self._opened

    def save_clock(self, db: sqlite3.Connection) -> None:
        """Keep the clock, in the caller's transaction."""
        rows.put(db, "clock_s", repr(self.age_s()))

    def state(self, key: str) -> str | None:
        """Return what was kept under `key`."""
        with self.lock, foreign_errors():
            row = self.writer.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def alert_of(self, row: Row) -> Alert:
        """Return the alert of a row of `COLUMNS`, naming the evidence that is still there.

        A damaged one is counted, and told of once.
        """
        alert, is_whole = alert_of(row)
        if not is_whole and row[0] not in self._damaged:
            if not self._damaged:
                log.error("alert record damaged, sent without details", alert=alert.id)
            self._damaged.add(row[0])
            found.add(Damaged.ALERT)
        return present(alert, self.path.parent)

    def read_aside(self, query: str) -> list[tuple[str, float]]:
        """Read on a connection of its own: with 100,000 alerts waiting it takes 0.15 s, and no commit waits."""
        with foreign_errors(), closing(connect(self.path)) as db:
            return db.execute(query).fetchall()

    def has_grown(self) -> None:
        """Note a transaction, with the lock held."""
        self._since_checkpoint += 1

    def checkpoint(self, *, force: bool = False) -> None:
        """Move the log into the database when it has grown. Couriers call it: no commit waits for it."""
        if self._since_checkpoint < _CHECKPOINT_EVERY and not force:
            return
        if not self._checkpointing.acquire(blocking=False):
            return
        try:
            self._since_checkpoint = 0
            with foreign_errors(), closing(connect(self.path, synchronous="NORMAL")) as db:
                # PASSIVE never makes a writer wait.
                db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        finally:
            self._checkpointing.release()

    def close(self) -> None:
        """Save the clock and close the file, even where nothing can be saved in it."""
        with self.lock, closing(self.writer), closing(self.acks), transaction(self.acks) as db:
            self.save_clock(db)


class DamagedError(StateError):
    """The database became unreadable: trying again is of no use, the next start sets it aside."""


@contextmanager
def foreign_errors() -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise DamagedError("the outbox database failed: its message is not UTF-8 text") from error
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
    """Rename a damaged database and its log, so that it can be examined; return its new name."""
    target = free_name(path.with_name(f"{path.name}.damaged-{stamp}"))
    for suffix in ("", "-wal", "-shm"):
        source = path.with_name(path.name + suffix)
        if source.exists() or source.is_symlink():
            source.rename(target.with_name(target.name + suffix))
    return target


def aside(folder: Path) -> list[Path]:
    """Return the damaged databases that were set aside in a state directory and are still there."""
    return sorted(p for p in folder.glob("*.damaged-*") if not p.name.endswith(("-wal", "-shm")))


class OperatorChannel:
    """Where an operator leaves word for the running daemon: a connection to the database of an outbox that exists.

    Owned by one thread. Raises StateError without one.

    It has a connection of its own: reading does not wait, not even for a commit on a slow disk.
    """

    def __init__(self, path: Path) -> None:
        self._db = connect_existing(path)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()
