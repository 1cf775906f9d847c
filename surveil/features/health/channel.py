"""Accepting the new view of a camera: from a command, through the outbox's database, to the daemon.

The switches of rules go the same way: anyone who may write the file may ask.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import structlog

from surveil.alerts import rows
from surveil.alerts.database import OperatorChannel, foreign_errors, transaction
from surveil.errors import StateError
from surveil.filesystem import read_json

log = structlog.get_logger(__name__)
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
    try:
        return [str(name) for name in read_json(row[0])] if row else []
    except (ValueError, TypeError, RecursionError) as error:
        raise StateError(f"the names of accepted views are damaged: {error}") from error


class Views:
    """Cameras whose new view the operator has accepted. The main thread adds, the holder of a slot takes.

    A set's `add` and `discard` are atomic, and each camera is taken by one thread: no lock is needed.
    """

    def __init__(self) -> None:
        self._accepted: set[str] = set()

    def accept(self, camera: str) -> None:
        """Note that the view of a camera is right as it is."""
        self._accepted.add(camera)

    def take(self, camera: str) -> bool:
        """Return whether the view was accepted since the last time."""
        if camera not in self._accepted:
            return False
        self._accepted.discard(camera)
        return True


class ViewWatch:
    """Takes what the operator has accepted from the database into the running daemon. Owned by the main thread."""

    def __init__(self, path: Path, views: Views) -> None:
        self._board = ViewChannel(path)
        self._views = views
        # What was asked while nothing ran is done: the usual view is learned at every start.
        self._board.take()

    def look(self) -> None:
        """Hand on what was asked; what cannot be read now is read at the next look."""
        try:
            for camera in self._board.take():
                self._views.accept(camera)
        except StateError as error:
            log.warning("accepted views not readable, retrying", why=str(error))

    def close(self) -> None:
        """Close the connection."""
        self._board.close()
