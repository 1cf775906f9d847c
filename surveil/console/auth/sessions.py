"""Sessions: a random secret in a cookie, of which the database has the hash."""

from __future__ import annotations

import hashlib
import secrets
from contextlib import suppress

from surveil.clock import DAY_S, Clock
from surveil.console.auth.database import ConsoleDb
from surveil.console.auth.users import User, find_user, hash_of
from surveil.errors import StateError

COOKIE = "__Host-surveil"
IDLE_S = 12 * 3600.0
LONGEST_S = 7 * DAY_S
_NOTE_S = 60.0
"""How often it is noted that a session is used."""
_MOST = 20
"""Of one user; the oldest ends."""


class Sessions:
    """Who is logged in. Any thread may call any method; all raise StateError."""

    def __init__(self, db: ConsoleDb, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def begin(self, user: str) -> str:
        """Begin a session; return its secret."""
        made, now = secrets.token_urlsafe(32), self._clock.wall()
        surplus = (
            "DELETE FROM sessions WHERE seen < ? OR begun < ? OR hash IN "
            "(SELECT hash FROM sessions WHERE user = ? ORDER BY seen DESC LIMIT -1 OFFSET ?)"
        )
        with self._db.writing() as db:
            db.execute(surplus, (now - IDLE_S, now - LONGEST_S, user, _MOST - 1))
            db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", (hash_of(made), user, now, now))
        return made

    def user(self, secret: str) -> User | None:
        """Return whose session it is; None for one that is unknown, idle for too long, or too old."""
        now = self._clock.wall()
        with self._db.reading() as db:
            query = "SELECT user, seen FROM sessions WHERE hash = ? AND seen >= ? AND begun >= ?"
            row = db.execute(query, (hash_of(secret), now - IDLE_S, now - LONGEST_S)).fetchone()
            user = find_user(db, row[0]) if row else None
        if row is not None and now - float(row[1]) >= _NOTE_S:
            # A full disk ends no session.
            with suppress(StateError), self._db.writing() as db:
                db.execute("UPDATE sessions SET seen = ? WHERE hash = ?", (now, hash_of(secret)))
        return user

    def end(self, secret: str) -> None:
        """End a session."""
        with self._db.writing() as db:
            db.execute("DELETE FROM sessions WHERE hash = ?", (hash_of(secret),))


def csrf_of(secret: str) -> str:
    """Return what changing requests of a session carry: only the console's own pages can read it."""
    return hashlib.sha256(f"csrf {secret}".encode()).hexdigest()
