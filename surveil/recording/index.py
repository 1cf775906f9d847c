"""The index of recordings: one row per file in SQLite. It can be rebuilt from the files, which are authoritative."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from surveil.alerts.database import ERRORS, open_beside
from surveil.alerts.salvage import damage
from surveil.errors import StateError
from surveil.recording.reasons import Gap

DATABASE = "recordings.db"
"""In the state directory."""
VERSION = 1
"""Of the tables; a newer surveil may have a higher one."""
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS segments (
    id INTEGER PRIMARY KEY, camera TEXT NOT NULL, path TEXT NOT NULL UNIQUE,
    start REAL NOT NULL, seconds REAL NOT NULL, bytes INTEGER NOT NULL,
    created_s REAL NOT NULL, gap TEXT NOT NULL, codec TEXT NOT NULL, state TEXT NOT NULL, skew_s REAL
);
CREATE INDEX IF NOT EXISTS by_time ON segments (camera, start);
CREATE TABLE IF NOT EXISTS holds (
    event TEXT PRIMARY KEY, camera TEXT NOT NULL, since REAL NOT NULL, until REAL NOT NULL
) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
"""
_TABLES = {"segments": 11, "holds": 4}
_COLUMNS = "id, camera, path, start, seconds, bytes, created_s, gap, codec, state, skew_s"
_HELD = """
EXISTS (SELECT 1 FROM holds WHERE holds.camera = segments.camera AND {which}
        AND holds.since <= segments.start + segments.seconds AND segments.start <= holds.until)
"""
_LAST_END = """
coalesce((SELECT max(start + seconds) FROM segments WHERE segments.camera = holds.camera), 0)
"""
FOREVER = 1e18
"""Until when an event is kept that has not ended, Unix s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One file of a recording."""

    id: int = 0
    camera: str
    path: str
    """Below the state directory."""
    start: float
    """Unix s, by the clock of this host, at which its first packet arrived."""
    seconds: float
    bytes: int
    created_s: float
    """Running time of the daemon, by which it ages."""
    gap: str = Gap.NONE
    """Why it does not continue the one before."""
    codec: str = ""
    state: Literal["open", "whole", "cut", "found"] = "open"
    """It is being written, was finished, was cut off by a crash, or was found on the disk and not in the index."""
    skew_s: float | None = None
    """Clock of the camera minus that of this host when it began, where the camera told."""

    @property
    def end(self) -> float:
        """Unix s."""
        return self.start + self.seconds


class Index:
    """The rows. Used by one thread at a time; `reading`: only look at what a daemon writes.

    Every method raises StateError when the file cannot be used.
    """

    def __init__(self, path: Path, *, reading: bool = False) -> None:
        if reading and not path.is_file():
            raise StateError(f"{path}: nothing was recorded; check the state directory")
        self._path = path
        with self._ours():
            self._db = open_beside(path, _SCHEMA, reading=reading)

    @staticmethod
    def damage(path: Path) -> str:
        """Return what is wrong with the structure of a file; empty when it is sound, or not there."""
        return damage(path, _unlike)

    # Segments.

    def add(self, segment: Segment) -> int:
        """Add a row; return its id."""
        names = _COLUMNS.removeprefix("id, ")
        values = tuple(getattr(segment, name) for name in names.split(", "))
        query = f"INSERT OR REPLACE INTO segments ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        with self._ours():
            return int(self._db.execute(query, values).lastrowid or 0)

    def settle(self, row: int, seconds: float, size: int, state: str) -> None:
        """Note how long and large a file is."""
        query = "UPDATE segments SET seconds = ?, bytes = ?, state = ? WHERE id = ?"
        with self._ours():
            self._db.execute(query, (seconds, size, state, row))

    def forget(self, rows: Iterable[int]) -> None:
        """Delete rows whose files are gone."""
        with self._ours():
            self._db.executemany("DELETE FROM segments WHERE id = ?", [(row,) for row in rows])

    def all(self) -> list[Segment]:
        """Return every row."""
        return self._segments("1 ORDER BY camera, start, id")

    def unfinished(self) -> list[Segment]:
        """Return the rows of files that a daemon has not closed."""
        return self._segments("state = 'open' ORDER BY id")

    def between(self, camera: str, since: float, until: float) -> list[Segment]:
        """Return what there is of a camera between two moments (Unix s), in order."""
        where = "camera = ? AND start < ? AND start + seconds > ? ORDER BY start, id"
        return self._segments(where, camera, until, since)

    def before(self, camera: str, moment: float) -> Segment | None:
        """Return a camera's last row that begins before a moment (Unix s)."""
        found = self._segments(
            "camera = ? AND start < ? ORDER BY start DESC, id DESC LIMIT 1", camera, moment
        )
        return next(iter(found), None)

    def after(self, camera: str, moment: float) -> Segment | None:
        """Return a camera's first row that begins at or after a moment (Unix s)."""
        found = self._segments("camera = ? AND start >= ? ORDER BY start, id LIMIT 1", camera, moment)
        return next(iter(found), None)

    def one(self, row: int) -> Segment | None:
        """Return the row with an id."""
        return next(iter(self._segments("id = ?", row)), None)

    def last(self, camera: str) -> Segment | None:
        """Return a camera's newest row."""
        return next(iter(self._segments("camera = ? ORDER BY id DESC LIMIT 1", camera)), None)

    def cameras(self) -> list[str]:
        """Return the cameras of which there is something."""
        with self._ours():
            found = self._db.execute("SELECT DISTINCT camera FROM segments ORDER BY camera")
            return [name for (name,) in found]

    def totals(self) -> dict[str, tuple[int, float]]:
        """Return for each camera the bytes that are stored, and the beginning of the oldest file (Unix s)."""
        query = "SELECT camera, sum(bytes), min(start) FROM segments GROUP BY camera"
        with self._ours():
            return {name: (size, oldest) for name, size, oldest in self._db.execute(query)}

    # What is deleted first.

    def older(self, camera: str, created_s: float, most: int) -> list[Segment]:
        """Return files that were begun before a moment of running time, without those of an open event."""
        return self._segments(
            f"camera = ? AND created_s < ? AND state <> 'open' AND NOT {_held(open_only=True)} ORDER BY id LIMIT ?",
            camera, created_s, most,
        )  # fmt: skip

    def uneventful(self, camera: str, created_s: float, most: int) -> list[Segment]:
        """Return files that ended before a moment of running time and belong to no event.

        Not those that were found: nobody remembers all the events that they may have been kept for.
        """
        return self._segments(
            "camera = ? AND created_s + seconds < ? AND state NOT IN ('open', 'found') "
            f"AND NOT {_held()} ORDER BY id LIMIT ?",
            camera, created_s, most,
        )  # fmt: skip

    def expendable(self, camera: str | None, most: int) -> list[Segment]:
        """Return the oldest files of a camera; those of events after all others, and none of an open event.

        None: of all cameras, those of open events last. Without them a full disk could record nothing more.
        """
        is_needed = _held(open_only=True)
        return self._segments(
            f"(camera = ? AND NOT {is_needed} OR ? IS NULL) AND state <> 'open' "
            f"ORDER BY {_held()} + {is_needed}, id LIMIT ?",
            camera, camera, most,
        )  # fmt: skip

    # Events.

    def hold(self, event: str, camera: str, since: float, until: float = FOREVER) -> None:
        """Keep what was recorded of an event, between two moments (Unix s)."""
        query = "INSERT INTO holds VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET until = excluded.until"
        with self._ours():
            self._db.execute(query, (event, camera, since, until))

    def widen_holds(self, holds: Iterable[tuple[str, str, float, float]]) -> None:
        """Keep what was recorded of many events, given as for `hold`, and whatever is kept of them already."""
        query = """INSERT INTO holds VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE
            SET since = min(since, excluded.since), until = max(until, excluded.until)"""
        with self._ours():
            self._db.executemany(query, holds)

    def end_holds(self, until: float) -> None:
        """End what events keep that a crash left open: not before the last file, since the clock may be behind it."""
        query = f"UPDATE holds SET until = max(since, ?, {_LAST_END}) WHERE until = ?"  # noqa: S608 - of this module
        with self._ours():
            self._db.execute(query, (until, FOREVER))

    def drop_holds(self) -> None:
        """Forget events of which nothing is recorded any more."""
        query = """DELETE FROM holds WHERE until < coalesce(
            (SELECT min(start) FROM segments WHERE segments.camera = holds.camera), until + 1)"""
        with self._ours():
            self._db.execute(query)

    def close(self) -> None:
        """Close the file."""
        with self._ours():
            self._db.close()

    def _segments(self, where: str, *values: object) -> list[Segment]:
        query = f"SELECT {_COLUMNS} FROM segments WHERE {where}"  # noqa: S608 - of this module alone
        with self._ours():
            return [_segment(row) for row in self._db.execute(query, values)]

    @contextmanager
    def _ours(self) -> Iterator[None]:
        """Turn the database's errors into ours."""
        try:
            yield
        except ERRORS as error:
            raise StateError(f"{self._path}: the index of recordings failed: {error}") from error


def _held(*, open_only: bool = False) -> str:
    return _HELD.format(which=f"holds.until = {FOREVER:.0f}" if open_only else "1")


def _segment(row: tuple[object, ...]) -> Segment:
    return Segment(**dict(zip(_COLUMNS.split(", "), row, strict=True)))  # type: ignore[arg-type]


def _unlike(db: sqlite3.Connection) -> str:
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    found = {table: len(db.execute(f"PRAGMA table_info({table})").fetchall()) for table in _TABLES}
    return "" if not tables or found == _TABLES else "its tables are others"
