"""The audit log."""

from __future__ import annotations

from pydantic import Field

from surveil.console.context import Call
from surveil.console.endpoint import Message


class AuditLine(Message):
    """One entry of the audit log."""

    n: int
    at: float
    user: str
    origin: str
    address: str
    action: str
    subject: str
    status: int


class AuditPage(Message):
    """Entries, newest first."""

    entries: tuple[AuditLine, ...]
    next: int | None
    """The `before` of the next page; null after the last."""


class AuditQuery(Message):
    """Which entries are wanted."""

    before: int | None = Field(default=None, ge=1, lt=2**63)
    limit: int = Field(default=100, ge=1, le=1000)


def audit(call: Call, query: AuditQuery) -> AuditPage:
    """Return a page of the audit log, newest first."""
    found = call.parts.auth.audit.page(query.before, query.limit + 1)
    lines = tuple(
        AuditLine(
            n=n, at=one.at, user=one.user, origin=one.origin, address=one.address, action=one.action,
            subject=one.subject, status=one.status,
        )
        for n, one in found[: query.limit]
    )  # fmt: skip
    return AuditPage(entries=lines, next=lines[-1].n if len(found) > query.limit else None)
