"""The objects for authentication, created together on one database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import structlog

from surveil.clock import Clock
from surveil.console.auth.attempts import Attempts
from surveil.console.auth.audit import Audit
from surveil.console.auth.database import ConsoleDb
from surveil.console.auth.gate import FirstVisit, Gatekeeper
from surveil.console.auth.metrics import ConsoleMetrics
from surveil.console.auth.passwords import Passwords
from surveil.console.auth.sessions import Sessions
from surveil.console.auth.users import Users
from surveil.listening import HttpSettings
from surveil.metrics import Metrics

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """Users, sessions, the gate and the audit log."""

    db: ConsoleDb
    users: Users
    sessions: Sessions
    attempts: Attempts
    gate: Gatekeeper
    audit: Audit
    first_visit: FirstVisit
    metrics: ConsoleMetrics


def make_auth(
    settings: HttpSettings, folder: Path, clock: Clock, metrics: Metrics, passwords: Passwords | None = None
) -> Auth:
    """Open the console's database in the state directory. Raises StateError."""
    db = ConsoleDb(folder)
    db.prepare(clock.wall())
    users, sessions = Users(db, passwords or Passwords()), Sessions(db, clock)
    own = metrics.of(ConsoleMetrics)
    made = Auth(
        db=db,
        users=users,
        sessions=sessions,
        attempts=Attempts(clock),
        gate=Gatekeeper(settings, users, sessions, clock.wall),
        audit=Audit(db, settings.audit_days, clock, own),
        first_visit=FirstVisit(),
        metrics=own,
    )
    if not made.gate.is_open and not users.any():
        log.warning(
            "no user yet: the first visitor of the console needs this code", code=made.first_visit.code
        )
    return made
