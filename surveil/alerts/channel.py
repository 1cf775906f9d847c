"""Where an operator leaves word for the running daemon: small state in the outbox's database."""

from __future__ import annotations

from pathlib import Path

from surveil.alerts.database import connect_existing


class OperatorChannel:
    """A view of the database of an outbox that exists. Owned by one thread. Raises StateError without one.

    It has a connection of its own: reading waits for nobody, least of all for a commit on a slow disk.
    """

    def __init__(self, path: Path) -> None:
        self._db = connect_existing(path)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()
