"""The small tables beside the alerts: outcomes of signals, and files of evidence."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from surveil.alerts import rows
from surveil.alerts.database import OutboxDb, foreign_errors, transaction
from surveil.alerts.rows import Entry, StoredAlert


class Ledger:
    """What became of every signal since the outbox was created. Any thread may call any method."""

    def __init__(self, db: OutboxDb) -> None:
        self._db = db

    def totals(self) -> dict[Entry, int]:
        """Return all entries."""
        with self._db.lock, foreign_errors():
            return rows.totals(self._db.writer)

    def add(self, counts: Mapping[Entry, int]) -> None:
        """Count signals without an alert; survives the process, not synced."""
        with self._db.lock, transaction(self._db.acks) as db:
            rows.add(db, counts)


class EvidenceIndex:
    """The files of evidence, by age. Any thread may call any method."""

    def __init__(self, db: OutboxDb) -> None:
        self._db = db

    def paths(self) -> set[str]:
        """Return every known file, relative to the state directory."""
        with self._db.lock, foreign_errors():
            return {path for (path,) in self._db.writer.execute("SELECT path FROM evidence")}

    def before(self, created_s: float, camera: str | None, limit: int) -> list[StoredAlert]:
        """Return the oldest files of a camera, or of all, created before `created_s` of running time."""
        with self._db.lock, foreign_errors():
            return rows.stored_before(self._db.writer, created_s, camera, limit)

    def cameras(self) -> list[str]:
        """Return the folders of cameras of which there is evidence."""
        with self._db.lock, foreign_errors():
            return [name for (name,) in self._db.writer.execute("SELECT DISTINCT camera FROM evidence")]

    def bytes_of(self, camera: str) -> int:
        """Return how much a camera's evidence takes."""
        query = "SELECT coalesce(sum(bytes), 0) FROM evidence WHERE camera = ?"
        with self._db.lock, foreign_errors():
            return int(self._db.writer.execute(query, (camera,)).fetchone()[0])

    def sizes(self) -> Mapping[str, float]:
        """Return the name of a camera's folder → bytes of its evidence."""
        return dict(self._db.read_aside("SELECT camera, sum(bytes) FROM evidence GROUP BY camera"))

    def pending(self) -> set[str]:
        """Return the files that alerts name which a sink has not taken yet."""
        return {str(row[0]) for row in self._db.read_aside(rows.PENDING_EVIDENCE)}

    def adopt(self, files: Sequence[StoredAlert]) -> None:
        """Note files that no alert of this database names."""
        with self._db.lock, transaction(self._db.acks) as db:
            rows.store(db, files, self._db.age_s())

    def forget(self, paths: Collection[str]) -> None:
        """Forget files that were deleted."""
        with self._db.lock, transaction(self._db.acks) as db:
            db.executemany("DELETE FROM evidence WHERE path = ?", [(path,) for path in paths])
