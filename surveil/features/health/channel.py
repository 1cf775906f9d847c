"""What the operator asks of a running daemon about views: that the new view of a camera is right.

It goes through the outbox's database, as the switches of rules do: whoever has the file may ask.
"""

from __future__ import annotations

import json
import sqlite3

from surveil.alerts import rows
from surveil.alerts.channel import OperatorChannel
from surveil.alerts.database import foreign_errors, transaction

_STATE_KEY = "accepted_views"


class ViewChannel(OperatorChannel):
    """The cameras whose view was accepted and the daemon does not know it yet."""

    def accept(self, camera: str) -> None:
        """Ask for the view of a camera to be taken for the usual one. Raises StateError."""
        with transaction(self._db) as db:
            rows.put(db, _STATE_KEY, json.dumps(sorted({*_read(db), camera})))

    def waiting(self) -> list[str]:
        """Return the cameras that were asked for. Raises StateError."""
        with foreign_errors():
            return _read(self._db)

    def take(self) -> list[str]:
        """Return the cameras that were asked for, and forget them. Raises StateError."""
        if not self.waiting():
            return []
        with transaction(self._db) as db:
            cameras = _read(db)
            rows.put(db, _STATE_KEY, "[]")
        return cameras


def _read(db: sqlite3.Connection) -> list[str]:
    row = db.execute("SELECT value FROM state WHERE key = ?", (_STATE_KEY,)).fetchone()
    return list(json.loads(row[0])) if row else []
