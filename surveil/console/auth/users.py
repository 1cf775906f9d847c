"""Users and their tokens. Of a token only the hash is kept."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from surveil.clock import DAY_S
from surveil.console.access import Role, Scope
from surveil.console.auth.database import USERS_LOST, ConsoleDb
from surveil.console.auth.passwords import Passwords, weakness
from surveil.errors import ConfigError
from surveil.filesystem import read_json

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}\Z")
_BAD_NAME = (
    "the user's name has letters, digits, '.', '_', '@' and '-' only, begins with a letter or digit, "
    "and is at most 63 characters long"
)
TOKEN_MARK = "svt_"  # noqa: S105 - what tokens begin with, so that scanners for secrets find them


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user who may log in."""

    name: str
    role: Role
    cameras: frozenset[str] | None
    """That it may see; None: all."""
    made: float
    """Unix s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What lets a program in, as the user that it belongs to."""

    user: User
    name: str
    scopes: frozenset[Scope] | None
    expires: float
    """Unix s."""


class Users:
    """All users who may log in. Any thread may call any method; all raise StateError."""

    def __init__(self, db: ConsoleDb, passwords: Passwords) -> None:
        self._db = db
        self._passwords = passwords

    def add(self, name: str, password: str, role: Role, cameras: Iterable[str] | None, now: float) -> None:
        """Add a user, or give one another password, role and cameras; sessions of before end.

        Raises ConfigError for a name or a password that will not do.
        """
        stored = self._hash(name, password)
        seen = None if cameras is None else json.dumps(sorted(cameras))
        with self._db.writing() as db:
            _store(db, (name, stored, role, seen, now))

    def add_first(self, name: str, password: str, now: float) -> bool:
        """Add the first administrator; False: there is a user already. Raises ConfigError as `add` does."""
        stored = self._hash(name, password)
        with self._db.writing() as db:
            if _has_users(db):
                return False
            _store(db, (name, stored, Role.ADMIN, None, now))
        return True

    def _hash(self, name: str, password: str) -> str:
        """Return what is stored of a new password. Raises ConfigError where it or the name will not do."""
        if not _NAME.match(name):
            raise ConfigError([_BAD_NAME])
        if fault := weakness(password, name):
            raise ConfigError([fault])
        return self._passwords.hash(password)

    def remove(self, name: str) -> bool:
        """Remove a user with all sessions and tokens; False: there is none of this name."""
        with self._db.writing() as db:
            for table in ("sessions", "tokens"):
                db.execute(f"DELETE FROM {table} WHERE user = ?", (name,))  # noqa: S608 - our own names
            return db.execute("DELETE FROM users WHERE name = ?", (name,)).rowcount > 0

    def all(self) -> list[User]:
        """Return all users, by name."""
        with self._db.reading() as db:
            rows = db.execute("SELECT name, role, cameras, made FROM users ORDER BY name").fetchall()
        return [user for row in rows if (user := _user(row)) is not None]

    def any(self) -> bool:
        """Whether there is a user at all."""
        with self._db.reading() as db:
            return _has_users(db)

    def were_lost(self) -> bool:
        """Whether there were users, whose database was damaged and set aside, and none has been added since."""
        with self._db.reading() as db:
            return db.execute("SELECT 1 FROM marks WHERE name = ?", (USERS_LOST,)).fetchone() is not None

    def get(self, name: str) -> User | None:
        """Return a user; None where there is none."""
        with self._db.reading() as db:
            return find_user(db, name)

    def check(self, name: str, password: str) -> User | None:
        """Return the user whose password it is; None, as slowly, for any other."""
        with self._db.reading() as db:
            row = db.execute("SELECT password FROM users WHERE name = ?", (name,)).fetchone()
            user = find_user(db, name)
        return user if self._passwords.holds(password, row[0] if row else None) else None

    # Tokens.

    def make_token(
        self, user: str, name: str, scopes: Iterable[Scope] | None, days: float, now: float
    ) -> str:
        """Return a new token of a user, which is never shown again. Raises ConfigError where there is no such user."""
        made = TOKEN_MARK + secrets.token_urlsafe(32)
        limits = None if scopes is None else json.dumps(sorted(scopes))
        with self._db.writing() as db:
            if find_user(db, user) is None:
                raise ConfigError([f"there is no user '{user}': add one with `surveil users add`"])
            db.execute("DELETE FROM tokens WHERE user = ? AND name = ?", (user, name))
            db.execute(
                "INSERT INTO tokens VALUES (?, ?, ?, ?, ?)",
                (hash_of(made), user, name, limits, now + days * DAY_S),
            )
        return made

    def token(self, given: str, now: float) -> Token | None:
        """Return the token; None for one that is unknown or has expired."""
        query = "SELECT user, name, scopes, expires FROM tokens WHERE hash = ? AND expires > ?"
        with self._db.reading() as db:
            row = db.execute(query, (hash_of(given), now)).fetchone()
            user = find_user(db, row[0]) if row else None
        if row is None or user is None:
            return None
        limits = _names(row[2])
        scopes = None if limits is None else frozenset(one for one in Scope if one in limits)
        return Token(user=user, name=str(row[1]), scopes=scopes, expires=float(row[3]))

    def revoke_link(self, event_id: str, now: float) -> None:
        """Make all links to an event useless."""
        with self._db.writing() as db:
            db.execute("INSERT OR IGNORE INTO revoked VALUES (?, ?)", (event_id, now))

    def is_revoked(self, event_id: str) -> bool:
        """Whether the links to an event were revoked."""
        with self._db.reading() as db:
            return db.execute("SELECT 1 FROM revoked WHERE event_id = ?", (event_id,)).fetchone() is not None

    def tokens(self, user: str) -> list[tuple[str, float]]:
        """Return names of the tokens of a user, and when they expire."""
        with self._db.reading() as db:
            query = "SELECT name, expires FROM tokens WHERE user = ? ORDER BY name"
            return [(str(name), float(expires)) for name, expires in db.execute(query, (user,))]


def hash_of(secret: str) -> str:
    """Return what is stored of a random secret: it is too long to be guessed, so a plain hash will do."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _has_users(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM users LIMIT 1").fetchone() is not None


def _store(db: sqlite3.Connection, row: tuple[object, ...]) -> None:
    """Store a user: name, password, role, cameras, time."""
    db.execute("DELETE FROM sessions WHERE user = ?", row[:1])
    db.execute("INSERT OR REPLACE INTO users VALUES (?, ?, ?, ?, ?)", row)
    db.execute("DELETE FROM marks WHERE name = ?", (USERS_LOST,))


def find_user(db: sqlite3.Connection, name: str) -> User | None:
    """Return a user of the database; None where there is none."""
    row = db.execute("SELECT name, role, cameras, made FROM users WHERE name = ?", (name,)).fetchone()
    return None if row is None else _user(row)


def _user(row: tuple[object, ...]) -> User | None:
    """Return a user from its row; one whose role is damaged may do nothing."""
    name, role, cameras, made = row
    known = next((one for one in Role if one == role), None)
    if known is None:
        return None
    when = float(made) if isinstance(made, int | float) else 0.0
    return User(name=str(name), role=known, cameras=_names(cameras), made=when)


def _names(stored: object) -> frozenset[str] | None:
    """Return a list of names; a damaged one names nothing, which allows nothing."""
    if stored is None:
        return None
    try:
        found = read_json(str(stored))
    except ValueError:
        return frozenset()
    return frozenset(map(str, found)) if isinstance(found, list) else frozenset()
