"""The queue of files that are not at the second place yet: one row per file in SQLite, so that a crash forgets none."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from surveil.alerts.database import BUSY_TIMEOUT_S, ERRORS, as_text, set_aside
from surveil.alerts.salvage import damage
from surveil.damage import Damaged
from surveil.damage import found as damages
from surveil.errors import StateError
from surveil.filesystem import keep_private

DATABASE = "offsite.db"
"""In the state directory."""
VERSION = 1
"""Of the tables; a newer surveil may have a higher one."""
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS files (
    id INTEGER PRIMARY KEY, folder TEXT NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL, seen_s REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, is_copied INTEGER NOT NULL DEFAULT 0, UNIQUE (folder, name)
);
CREATE INDEX IF NOT EXISTS waiting ON files (attempts, folder, id) WHERE NOT is_copied;
CREATE TABLE IF NOT EXISTS place (name TEXT NOT NULL);
PRAGMA user_version = {VERSION};
"""
_NEXT = """
SELECT id, folder, name, size FROM files WHERE NOT is_copied
ORDER BY attempts > 2, folder >= 'recordings', id DESC LIMIT 1
"""
"""Evidence before recordings, the newest first; what failed three times goes last."""

_NOTE = """
INSERT INTO files (folder, name, size, seen_s) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET size = excluded.size, seen_s = excluded.seen_s, is_copied = 0
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file that is to be copied."""

    id: int
    folder: str
    name: str
    size: int

    @property
    def path(self) -> str:
        """Below the state directory, and below the second place."""
        return f"{self.folder}/{self.name}"

    @property
    def kind(self) -> str:
        """`evidence` or `recordings`."""
        return self.folder.partition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsiteBacklog:
    """What waits of one kind."""

    files: int
    bytes: int
    oldest_s: float
    """Running time at which the oldest was first seen."""


class CopyQueue:
    """The rows. Used by one thread; every method raises StateError when the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._ours():
            keep_private(path)
            self._db = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._db.text_factory = as_text
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = NORMAL")
                self._db.executescript(_SCHEMA)
            except BaseException:
                self._db.close()
                raise

    def go_to(self, place: str, now_s: float) -> int:
        """Copy to `place` from now on; return how many files are copied again because they are at another one."""
        with self._ours():
            self._db.execute("BEGIN IMMEDIATE")
            last = self._db.execute("SELECT name FROM place").fetchone()
            n = 0
            if last is not None and last[0] != place:
                again = "UPDATE files SET is_copied = 0, attempts = 0, seen_s = ? WHERE is_copied"
                n = self._db.execute(again, (now_s,)).rowcount
            self._db.execute("DELETE FROM place")
            self._db.execute("INSERT INTO place VALUES (?)", (place,))
            self._db.execute("COMMIT")
        return n

    def settle(
        self, folder: str, files: Mapping[str, int], now_s: float, unfinished: Collection[str] = ()
    ) -> int:
        """Bring the rows of a folder to what lies in it (name → bytes); return how many went uncopied.

        A file is copied again if its size has changed. `unfinished`: names of files that are not to be copied yet.
        """
        with self._ours():
            self._db.execute("BEGIN IMMEDIATE")
            found = self._db.execute("SELECT name, size, is_copied FROM files WHERE folder = ?", (folder,))
            known = {name: (size, is_copied) for name, size, is_copied in found}
            gone = known.keys() - files.keys()
            self._db.executemany(
                "DELETE FROM files WHERE folder = ? AND name = ?", [(folder, name) for name in gone]
            )
            changed = [
                (folder, name, size, now_s)
                for name, size in files.items()
                if name not in unfinished and (name not in known or known[name][0] != size)
            ]
            self._db.executemany(_NOTE, changed)
            self._db.execute("COMMIT")
        return sum(not known[name][1] for name in gone)

    def folders(self) -> list[str]:
        """Return the folders of which there are rows."""
        with self._ours():
            return [folder for (folder,) in self._db.execute("SELECT DISTINCT folder FROM files")]

    def next(self) -> Waiting | None:
        """Return what is copied next."""
        with self._ours():
            row = self._db.execute(_NEXT).fetchone()
        return None if row is None else Waiting(*row)

    def copied(self, file: Waiting, size: int) -> None:
        """The second place has it, with so many bytes."""
        with self._ours():
            self._db.execute("UPDATE files SET is_copied = 1, size = ? WHERE id = ?", (size, file.id))

    def failed(self, file: Waiting) -> None:
        """It could not be copied this time."""
        self._update("UPDATE files SET attempts = attempts + 1 WHERE id = ?", file)

    def forget(self, file: Waiting) -> None:
        """It is not here any more."""
        self._update("DELETE FROM files WHERE id = ?", file)

    def backlog(self) -> dict[str, OffsiteBacklog]:
        """Return what waits, by kind."""
        query = """SELECT CASE WHEN folder >= 'recordings' THEN 'recordings' ELSE 'evidence' END, count(*), sum(size),
            min(seen_s) FROM files WHERE NOT is_copied GROUP BY 1"""
        with self._ours():
            found = self._db.execute(query).fetchall()
        return {kind: OffsiteBacklog(files=n, bytes=size, oldest_s=oldest) for kind, n, size, oldest in found}

    def close(self) -> None:
        """Close the file."""
        with self._ours():
            self._db.close()

    def _update(self, query: str, file: Waiting) -> None:
        with self._ours():
            self._db.execute(query, (file.id,))

    @contextmanager
    def _ours(self) -> Iterator[None]:
        """Turn the database's errors into ours."""
        try:
            yield
        except ERRORS as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise StateError(f"{self._path}: the queue of the second place failed: {error}") from error


def open_queue(state_dir: Path) -> CopyQueue:
    """Open or create the queue; a damaged one is set aside, and everything is copied again. Raises StateError."""
    path = state_dir / DATABASE
    if why := damage(path, _unlike):
        aside = set_aside(path, datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"))
        damages.report(
            Damaged.OFFSITE, f"the queue of the second place was damaged ({why}), kept as {aside.name}"
        )
    return CopyQueue(path)


def _unlike(db: sqlite3.Connection) -> str:
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return "" if tables <= {"files", "place"} else "its tables are others"
