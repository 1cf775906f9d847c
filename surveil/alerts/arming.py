"""The arming state: which rules may not alert, since when and until when.

A rule alerts unless it was disarmed. The switches are kept in the outbox's database, so they survive a
restart; anyone who may write the file may change them, and the running daemon reads them from there.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from surveil.alerts import rows
from surveil.alerts.database import OperatorChannel, foreign_errors, transaction
from surveil.errors import StateError
from surveil.filesystem import read_json

RuleKey = tuple[str, str]
"""camera, rule"""
STATE_KEY = "disarmed"


@dataclass(frozen=True, slots=True)
class Disarmed:
    """A rule may not alert from `since` on, before `until` (Unix s; None: until it is armed again)."""

    since: float
    until: float | None = None

    def holds(self, t_wall: float) -> bool:
        """Return whether it is in force."""
        return self.since <= t_wall and not self.is_over(t_wall)

    def is_over(self, t_wall: float) -> bool:
        """Return whether it was in force, and will not be again."""
        return self.until is not None and self.until <= t_wall


Switches = Mapping[RuleKey, Disarmed]
Change = Callable[[Switches], Switches]


def disarm(keys: Iterable[RuleKey], now: float, for_s: float | None = None) -> Change:
    """Return the change that disarms rules, for a while or until they are armed."""
    new = {key: Disarmed(now, None if for_s is None else now + for_s) for key in keys}
    return lambda switches: {**switches, **new}


def arm(keys: Iterable[RuleKey], now: float, for_s: float | None = None) -> Change:
    """Return the change that arms rules; after `for_s` those that were disarmed are so again."""
    chosen = set(keys)

    def change(switches: Switches) -> Switches:
        others = {key: one for key, one in switches.items() if key not in chosen}
        if for_s is None:
            return others
        later = {k: replace(d, since=max(d.since, now + for_s)) for k, d in switches.items() if k in chosen}
        return {**others, **{k: d for k, d in later.items() if not d.is_over(d.since)}}

    return change


class ArmingChannel(OperatorChannel):
    """The switches in the database."""

    def read(self) -> Switches:
        """Return the switches. Raises StateError."""
        with foreign_errors():
            return _read(self._db)

    def change(self, change: Change, now: float) -> Switches:
        """Change the switches as one transaction, forgetting those that are over; return them."""
        with transaction(self._db) as db:
            switches = {k: d for k, d in change(_read(db)).items() if not d.is_over(now)}
            rows.put(db, STATE_KEY, json.dumps([[*key, d.since, d.until] for key, d in switches.items()]))
        return switches


def parse(text: str) -> Switches:
    """Return the switches that were written. Raises ValueError."""
    try:
        entries = [(camera, rule, since, until) for camera, rule, since, until in read_json(text)]
        whole = all(
            isinstance(camera, str)
            and isinstance(rule, str)
            and isinstance(since, int | float)
            and isinstance(until, int | float | None)
            for camera, rule, since, until in entries
        )
    except (TypeError, RecursionError) as error:
        raise ValueError(f"not a valid arming state: {error}") from error
    if not whole:
        raise ValueError("not a valid arming state")
    return {(camera, rule): Disarmed(since, until) for camera, rule, since, until in entries}


def _read(db: sqlite3.Connection) -> Switches:
    row = db.execute("SELECT value FROM state WHERE key = ?", (STATE_KEY,)).fetchone()
    try:
        return parse(row[0]) if row else {}
    except ValueError as error:
        raise StateError(f"the arming state is damaged: {error}") from error
