"""Permissions: what a user or a program may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a user is; each may do what the one before it may."""

    VIEWER = "viewer"
    """Sees cameras, events and pictures."""
    OPERATOR = "operator"
    """Also judges events, arms and disarms, retries deliveries."""
    ADMIN = "admin"
    """Also changes what is watched, and sees the audit log."""

    def includes(self, other: Role) -> bool:
        """Whether this role may do what the other one may."""
        order = tuple(Role)
        return order.index(self) >= order.index(other)


class Scope(StrEnum):
    """What a token may be limited to."""

    STATE = "state"
    """States, events and the ledger, without pictures."""
    EVIDENCE = "evidence"
    """Live and stored pictures and clips."""
    JUDGE = "judge"
    """Verdicts and acknowledgements."""
    ARM = "arm"
    """Arming and disarming."""
    DELIVERY = "delivery"
    """Retries of deliveries and test messages."""
    CONFIGURE = "configure"
    """Cameras, shapes and rules."""
    AUDIT = "audit"
    """The audit log."""


class Origin(StrEnum):
    """How the caller was identified."""

    LOOPBACK = "loopback"
    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - a name
    PROXY = "proxy"
    LINK = "link"
    """By a signed link to one event."""
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who asks."""

    user: str
    role: Role
    cameras: frozenset[str] | None
    """That it may see; None: all."""
    scopes: frozenset[Scope] | None = None
    """That a token is limited to; None: no limit but the role's."""
    origin: Origin
    csrf: str = ""
    """What a changing request must carry; empty: nothing, because no browser sends it by itself."""

    def sees(self, camera: str) -> bool:
        """Whether it may see a camera."""
        return self.cameras is None or camera in self.cameras

    def may(self, role: Role, scope: Scope) -> bool:
        """Whether it may do what needs a role and a scope."""
        return self.role.includes(role) and (self.scopes is None or scope in self.scopes)
