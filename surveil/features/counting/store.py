"""The hours on disk: SQLite, small enough to be kept for years (some 100 bytes an hour and line)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from surveil.alerts.database import ERRORS, open_beside
from surveil.alerts.salvage import copy_tables, damage
from surveil.errors import StateError
from surveil.features.counting.live import GRID
from surveil.features.counting.rollup import Key, Rollup, Sum
from surveil.types import Floats

DATABASE = "counts.db"
"""In the state directory; beside the outbox, since what is counted is neither synced nor delivered."""
VERSION = 1
"""Of the tables; a newer surveil may have a higher one."""
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS hours (
    camera TEXT NOT NULL, hour INTEGER NOT NULL, kind TEXT NOT NULL, place TEXT NOT NULL,
    direction TEXT NOT NULL, label TEXT NOT NULL, n INTEGER NOT NULL, seconds REAL NOT NULL, peak REAL NOT NULL,
    PRIMARY KEY (camera, hour, kind, place, direction, label)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS maps (
    camera TEXT NOT NULL, day INTEGER NOT NULL, columns INTEGER NOT NULL, cells BLOB NOT NULL,
    PRIMARY KEY (camera, day)
) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
"""
_ADD = """
INSERT INTO hours VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    n = n + excluded.n, seconds = seconds + excluded.seconds, peak = max(peak, excluded.peak)
"""
_NO_HOUR = """
typeof(hour) <> 'integer' OR typeof(n) <> 'integer' OR typeof(seconds) <> 'real' OR typeof(peak) <> 'real'
OR n < 0 OR NOT abs(seconds) < 1e12 OR NOT abs(peak) < 1e12
"""
"""What no hour says: a damaged row is left out, whatever it was about."""
_NO_MAP = f"typeof(day) <> 'integer' OR typeof(cells) <> 'blob' OR length(cells) <> {4 * GRID[0] * GRID[1]}"
_HOURS = f"""
SELECT * FROM hours WHERE hour >= ? AND hour < ? AND (? IS NULL OR camera = ?) AND NOT ({_NO_HOUR})
ORDER BY hour, camera, kind, place, direction, label
"""  # noqa: S608 - our own constant
_TABLES = {"hours": 9, "maps": 4}
"""Columns of each."""
_DAY_S = 86_400
_DAYS = f"""
SELECT hour / {_DAY_S} FROM hours WHERE camera = ? AND NOT ({_NO_HOUR})
UNION SELECT day / {_DAY_S} FROM maps WHERE camera = ? AND NOT ({_NO_MAP}) ORDER BY 1
"""  # noqa: S608 - our own constants
_HOURS_OF = f"""
SELECT hour, kind, place, direction, label, n, seconds, peak FROM hours
WHERE camera = ? AND hour >= ? AND hour < ? AND NOT ({_NO_HOUR}) ORDER BY hour, kind, place, direction, label
"""  # noqa: S608 - our own constant
_MAPS_OF = f"""
SELECT day, cells FROM maps WHERE camera = ? AND day >= ? AND day < ? AND NOT ({_NO_MAP}) ORDER BY day
"""  # noqa: S608 - our own constant


@dataclass(frozen=True, slots=True)
class DayOfCounts:
    """What was counted at one camera on one day of UTC."""

    hours: tuple[tuple[int, str, str, str, str, int, float, float], ...]
    """The columns of `hours` without the camera, ordered by the key."""
    maps: tuple[tuple[int, bytes], ...]
    """The Unix time at which a local day begins, and its cells, float32."""

    def minus(self, before: DayOfCounts) -> DayOfCounts:
        """Return what has been added since `before`; the peak is that of the whole hour."""
        counted = {row[:5]: row[5:7] for row in before.hours}
        hours = [
            (*row[:5], row[5] - n, row[6] - seconds, row[7])
            for row, (n, seconds) in ((row, counted.get(row[:5], (0, 0.0))) for row in self.hours)
        ]
        shown = dict(before.maps)
        maps = [(start, _less(cells, shown.get(start))) for start, cells in self.maps]
        return DayOfCounts(
            tuple(row for row in hours if min(row[5:7]) >= 0 and any(row[5:7])),
            tuple((start, cells) for start, cells in maps if any(cells)),
        )


class CountStore:
    """Hourly sums in one file. Used by one thread at a time.

    `reading`: only look at what a daemon has written, while it may go on writing.
    Every method raises StateError when the file cannot be used.
    """

    def __init__(self, path: Path, *, reading: bool = False) -> None:
        if reading and not path.is_file():
            raise StateError(
                f"{path}: no counts found: add `counting: {{enabled: true}}` to a camera, or check the state directory"
            )
        self._path = path
        with _ours(path):
            self._db = open_beside(path, _SCHEMA, reading=reading)

    @staticmethod
    def damage(path: Path) -> str:
        """Return what is wrong with the structure of a file; empty when it is sound, or not there."""
        return damage(path, _unlike)

    def mend(self) -> int:
        """Leave out damaged rows; return how many."""
        with _ours(self._path):
            hours = self._db.execute(f"DELETE FROM hours WHERE {_NO_HOUR}").rowcount  # noqa: S608
            return hours + self._db.execute(f"DELETE FROM maps WHERE {_NO_MAP}").rowcount  # noqa: S608

    def take_over(self, source: Path) -> None:
        """Copy what can be read of a damaged file."""
        with _ours(self._path):
            copy_tables(source, self._db, tuple(_TABLES))

    def add(self, rollup: Rollup) -> None:
        """Add sums and maps to what is stored, all or nothing."""
        rows = [(*astuple(key), *astuple(total)) for key, total in rollup.sums.items()]
        with self._transaction() as cursor:
            cursor.executemany(_ADD, rows)
            for (camera, day), cells in rollup.maps.items():
                self._add_map(cursor, camera, day, cells)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        with _ours(self._path), closing(self._db.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
            except ERRORS:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")

    @staticmethod
    def _add_map(cursor: sqlite3.Cursor, camera: str, day: int, cells: Floats) -> None:
        found = cursor.execute(
            "SELECT cells FROM maps WHERE camera = ? AND day = ?", (camera, day)
        ).fetchone()
        before = None if found is None else _cells(found[0])
        total = cells if before is None else cells + before
        row = (camera, day, cells.shape[1], total.astype(np.float32).tobytes())
        cursor.execute("INSERT OR REPLACE INTO maps VALUES (?, ?, ?, ?)", row)

    def hours(self, camera: str | None, start: float, end: float) -> list[tuple[Key, Sum]]:
        """Return the hours that begin in [start, end) (Unix s), in order; of one camera or of all."""
        with _ours(self._path):
            found = self._db.execute(_HOURS, (start, end, camera, camera))
            return [(Key(*row[:6]), Sum(*row[6:])) for row in found]

    def map(self, camera: str, start: float, end: float) -> Floats:
        """Return object-seconds by cell, float32 (rows, columns), of the days that begin in [start, end)."""
        total = np.zeros(GRID[::-1], np.float32)
        query = "SELECT cells FROM maps WHERE camera = ? AND day >= ? AND day < ?"
        with _ours(self._path):
            for (cells,) in self._db.execute(query, (camera, start, end)):
                day_s = _cells(cells)
                total += 0 if day_s is None else day_s
        return total

    def span(self, camera: str | None) -> tuple[int, int] | None:
        """Return when the first and the last hour begin (Unix s) of a camera or of all; None: there is none."""
        query = "SELECT min(hour), max(hour) FROM hours WHERE ? IS NULL OR camera = ?"
        with _ours(self._path):
            first, last = self._db.execute(query, (camera, camera)).fetchone()
        return None if first is None else (first, last)

    def days(self, camera: str) -> list[int]:
        """Return the days of UTC with counts of a camera, numbered from 1970-01-01, in order."""
        with _ours(self._path):
            return [day for (day,) in self._db.execute(_DAYS, (camera, camera))]

    def day(self, camera: str, day: int) -> DayOfCounts:
        """Return all that was counted at a camera on a day of UTC."""
        span = (camera, day * _DAY_S, (day + 1) * _DAY_S)
        with _ours(self._path):
            return DayOfCounts(
                tuple(self._db.execute(_HOURS_OF, span)), tuple(self._db.execute(_MAPS_OF, span))
            )

    def replace_day(self, camera: str, day: int, counts: DayOfCounts) -> None:
        """Put a day of UTC in the place of what was counted then; what does not belong to it is left out.

        Rows of one hour, and maps of one day, are added.
        """
        since, until = day * _DAY_S, (day + 1) * _DAY_S
        hours = [(camera, *row) for row in counts.hours if since <= row[0] < until]
        maps = [(start, _cells(raw)) for start, raw in counts.maps if since <= start < until]
        with self._transaction() as cursor:
            cursor.execute(
                "DELETE FROM hours WHERE camera = ? AND hour >= ? AND hour < ?", (camera, since, until)
            )
            cursor.execute(
                "DELETE FROM maps WHERE camera = ? AND day >= ? AND day < ?", (camera, since, until)
            )
            cursor.executemany(_ADD, hours)
            for start, cells in maps:
                if cells is not None:
                    self._add_map(cursor, camera, start, cells)

    def cameras(self) -> list[str]:
        """Return the cameras that were counted at."""
        with _ours(self._path):
            return [name for (name,) in self._db.execute("SELECT DISTINCT camera FROM hours ORDER BY camera")]

    def forget(self, camera: str, before: float) -> int:
        """Delete a camera's hours and days that begin before `before` (Unix s); return how many rows went."""
        with _ours(self._path):
            gone = self._db.execute(
                "DELETE FROM hours WHERE camera = ? AND hour < ?", (camera, before)
            ).rowcount
            maps = self._db.execute(
                "DELETE FROM maps WHERE camera = ? AND day < ?", (camera, before)
            ).rowcount
        return gone + maps

    def close(self) -> None:
        """Close the file."""
        with _ours(self._path):
            self._db.close()


def _cells(raw: object) -> Floats | None:
    """Return a stored map; None for a damaged one."""
    if not isinstance(raw, bytes) or len(raw) != 4 * GRID[0] * GRID[1]:
        return None
    cells = np.frombuffer(raw, np.float32).reshape(GRID[::-1])
    return cells if np.isfinite(cells).all() else None


def _less(raw: bytes, before: bytes | None) -> bytes:
    """Return a stored map without what it had before."""
    now, then = _cells(raw), _cells(before)
    return raw if now is None or then is None else np.maximum(now - then, 0).astype(np.float32).tobytes()


def _unlike(db: sqlite3.Connection) -> str:
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    found = {table: len(db.execute(f"PRAGMA table_info({table})").fetchall()) for table in _TABLES}
    return "" if not tables or found == _TABLES else "its tables are others"


@contextmanager
def _ours(path: Path) -> Iterator[None]:
    """Turn the database's errors into ours."""
    try:
        yield
    except ERRORS as error:
        raise StateError(f"{path}: counts cannot be kept: {error}") from error
