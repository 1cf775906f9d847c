"""The outbox's books beside the alerts: signals, small state, and the files of evidence."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import cast

from surveil.alerts import rows
from surveil.alerts.database import connect, foreign_errors, transaction
from surveil.alerts.rows import Entry, StoredAlert


class Ledgers:
    """Reads and writes the small tables. Any thread may call any method; the outbox's lock serialises them."""

    _path: Path
    _sinks: tuple[str, ...]
    _lock: threading.Lock
    _writer: sqlite3.Connection
    _acks: sqlite3.Connection

    def age_s(self) -> float:
        """Seconds of running time since the outbox was created: the clock that alerts and evidence age by."""
        raise NotImplementedError

    def ledger(self) -> dict[Entry, int]:
        """Return what became of every signal since the outbox was created."""
        with self._lock, foreign_errors():
            lines = self._writer.execute("SELECT camera, rule, outcome, reason, n FROM ledger").fetchall()
        return {Entry(*line[:4]): line[4] for line in lines}

    def count(self, counts: Mapping[Entry, int]) -> None:
        """Add to the signals ledger without an alert; survives the process, not synced."""
        with self._lock, transaction(self._acks) as db:
            rows.add(db, counts)

    def get_state(self, key: str) -> str | None:
        """Return what was kept under `key`."""
        with self._lock, foreign_errors():
            row = self._writer.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
        return None if row is None else cast("str", row[0])

    def set_state(self, key: str, value: str) -> None:
        """Keep `value` under `key`, synced."""
        with self._lock, transaction(self._writer) as db:
            rows.put(db, key, value)

    # For metrics.

    def oldest_pending_s(self) -> dict[str, float]:
        """Return sink → age of the oldest alert it has not taken, s of running time; 0 when it has all."""
        born = self._look("SELECT sink, min(born_s) FROM deliveries WHERE state = 'pending' GROUP BY sink")
        now = self.age_s()
        return {sink: max(0.0, now - born.get(sink, now)) for sink in self._sinks}

    def evidence_sizes(self) -> dict[str, float]:
        """Return the name of a camera's folder → bytes of its evidence."""
        return self._look("SELECT camera, sum(bytes) FROM evidence GROUP BY camera")

    def pending_evidence(self) -> set[str]:
        """Return the files that alerts name which a sink has not taken yet."""
        # As `_look`: it reads every pending alert.
        with foreign_errors(), closing(connect(self._path)) as db:
            return {str(path) for (path,) in db.execute(rows.PENDING_EVIDENCE)}

    def _look(self, query: str) -> dict[str, float]:
        """Read on a connection of its own: with 100,000 alerts waiting it takes 0.15 s, and no commit waits."""
        with foreign_errors(), closing(connect(self._path)) as db:
            return dict(db.execute(query).fetchall())

    # Files of evidence.

    def evidence_paths(self) -> set[str]:
        """Return every known file, relative to the state directory."""
        with self._lock, foreign_errors():
            return {path for (path,) in self._writer.execute("SELECT path FROM evidence")}

    def evidence_before(self, born_s: float, camera: str | None, limit: int) -> list[StoredAlert]:
        """Return the oldest files of a camera, or of all, born before `born_s` of running time."""
        with self._lock, foreign_errors():
            return rows.stored_before(self._writer, born_s, camera, limit)

    def evidence_bytes(self, camera: str) -> int:
        """Return how much a camera's evidence takes."""
        query = "SELECT coalesce(sum(bytes), 0) FROM evidence WHERE camera = ?"
        with self._lock, foreign_errors():
            return int(self._writer.execute(query, (camera,)).fetchone()[0])

    def adopt_evidence(self, files: Sequence[StoredAlert]) -> None:
        """Note files that no alert of this database names."""
        with self._lock, transaction(self._acks) as db:
            rows.store(db, files, self.age_s())

    def forget_evidence(self, paths: Collection[str]) -> None:
        """Forget files that were deleted."""
        with self._lock, transaction(self._acks) as db:
            db.executemany("DELETE FROM evidence WHERE path = ?", [(path,) for path in paths])
