"""Says who asks, and whether they may."""

from __future__ import annotations

import hmac
import secrets

from starlette.requests import Request

from surveil.console.access import Identity, Origin, Role, Scope
from surveil.console.refusal import Refusal

CSRF_HEADER = "x-csrf-token"


class LoopbackGate:
    """Lets everybody on this machine in."""

    def __init__(self) -> None:
        self._identity = Identity(
            user="local",
            role=Role.ADMIN,
            cameras=None,
            origin=Origin.LOOPBACK,
            csrf=secrets.token_urlsafe(24),
        )

    def identify(self, request: Request, role: Role | None, scope: Scope, *, changes: bool) -> Identity:
        """Return who asks. Raises Refusal."""
        if changes and role is not None:
            check_csrf(request, self._identity)
        assert self._identity.may(role or Role.VIEWER, scope)
        return self._identity


def check_csrf(request: Request, identity: Identity) -> None:
    """Refuse a changing request without the token that only the console's own pages can read. Raises Refusal."""
    given = request.headers.get(CSRF_HEADER, "")
    if identity.csrf and not hmac.compare_digest(given.encode(), identity.csrf.encode()):
        raise Refusal(
            403, "csrf", "the request does not carry the token of this session",
            remedy=f"send the `csrf` of /api/v1/me as {CSRF_HEADER}",
        )  # fmt: skip
