"""Identifies the caller of a request and checks their permission.

By the first that applies: a token, a trusted proxy, a session, and on loopback all callers while there are no users.
Users that were lost with a damaged database are not no users.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from starlette.requests import Request

from surveil.console.access import Identity, Origin, Role, Scope
from surveil.console.auth.sessions import COOKIE, Sessions, csrf_of
from surveil.console.auth.users import TOKEN_MARK, User, Users
from surveil.console.refusal import Refusal
from surveil.listening import HttpSettings, ProxySettings

CSRF_HEADER = "x-csrf-token"
_LONGEST = 200
"""Characters of a user's name that a proxy may give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Where a request comes from."""

    address: str
    """Of the client, as far as it can be trusted."""
    by_proxy: bool
    """A trusted proxy sent it, with its secret."""
    is_safe: bool
    """The connection cannot be read on its way: TLS, this machine, or a trusted proxy."""


@dataclass(slots=True)
class FirstVisit:
    """The code that the first visitor from elsewhere needs, while there are no users. It is in the log only."""

    code: str = field(default_factory=lambda: secrets.token_hex(8), repr=False)

    def holds(self, given: str) -> bool:
        """Whether it is the code."""
        return hmac.compare_digest(given.strip().lower().encode(), self.code.encode())


class Gatekeeper:
    """Recognises who asks. Any thread may call any method."""

    def __init__(
        self, settings: HttpSettings, users: Users, sessions: Sessions, now: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._users = users
        self._sessions = sessions
        self._now = now
        self._key = secrets.token_bytes(32)
        """Of the tokens against forged requests of those who have no session."""
        # With a name of its own, the port is behind a proxy: what comes from this machine is the whole network.
        self._may_be_open = (
            settings.is_loopback and settings.token is None and settings.proxy is None and not settings.hosts
        )

    @property
    def is_open(self) -> bool:
        """Whether all users of this machine may do everything: on loopback, until there are users."""
        return self._may_be_open and not self._users.any() and not self._users.were_lost()

    def peer(self, request: Request) -> Peer:
        """Return where a request comes from."""
        address = request.client.host if request.client else ""
        by_proxy = self._is_proxy(request, address)
        local = _is_loopback(address)
        if by_proxy:
            forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
            address = forwarded[:64] or address
        return Peer(
            address=address, by_proxy=by_proxy, is_safe=request.url.scheme == "https" or local or by_proxy
        )

    def identify(self, request: Request, role: Role | None, scope: Scope, *, changes: bool) -> Identity:
        """Return the caller. Raises Refusal if the caller lacks this role or scope."""
        found = self.recognise(request, role)
        if role is not None:
            check_rights(request, found, role, scope, changes=changes)
        return found

    def recognise(self, request: Request, role: Role | None) -> Identity:
        """Return the caller, whatever it may do. Raises Refusal for nobody, unless `role` is None."""
        peer = self.peer(request)
        if not peer.is_safe:
            raise Refusal(
                403,
                "insecure",
                "the console is not shown without TLS",
                remedy="use the proxy's or an https:// address",
            )
        found = self._by_token(request) or self._by_proxy(request, peer) or self._by_session(request)
        if found is None and self.is_open:
            found = self._local()
        if role is None:
            return found or _NOBODY
        if found is None:
            raise self._unknown()
        return found

    def _unknown(self) -> Refusal:
        if self._users.any() or self._settings.proxy is not None:
            return Refusal(401, "login", "log in first")
        why = (
            "the users were lost with a damaged database"
            if self._users.were_lost()
            else "no user has been added yet"
        )
        return Refusal(
            401, "first_visit", why,
            remedy="enter the code of the log (`journalctl -u surveil`), or run `surveil users add`",
        )  # fmt: skip

    def _local(self) -> Identity:
        return Identity(
            user="local", role=Role.ADMIN, cameras=None, origin=Origin.LOOPBACK, csrf=self._csrf("loopback")
        )

    def _csrf(self, whose: str) -> str:
        return hmac.new(self._key, whose.encode(), sha256).hexdigest()

    def _by_token(self, request: Request) -> Identity | None:
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not given.startswith(TOKEN_MARK):
            return None
        token = self._users.token(given, self._now())
        if token is None:
            raise Refusal(
                401, "token", "the token is unknown or has expired", remedy="make one: `surveil users token`"
            )
        user = token.user
        return Identity(
            user=f"{user.name}/{token.name}", role=user.role, cameras=user.cameras, scopes=token.scopes,
            origin=Origin.TOKEN,
        )  # fmt: skip

    def _by_session(self, request: Request) -> Identity | None:
        secret = request.cookies.get(COOKIE, "")
        user = self._sessions.user(secret) if secret else None
        return None if user is None else _of(user, Origin.SESSION, csrf_of(secret))

    # Behind a proxy that has asked for the password itself.

    def _is_proxy(self, request: Request, address: str) -> bool:
        proxy = self._settings.proxy
        if proxy is None or not _is_among(address, proxy):
            return False
        given = request.headers.get(proxy.secret_header, "")
        return hmac.compare_digest(given.encode(), proxy.secret.get_secret_value().encode())

    def _by_proxy(self, request: Request, peer: Peer) -> Identity | None:
        proxy = self._settings.proxy
        if proxy is None or not peer.by_proxy:
            return None
        name = request.headers.get(proxy.user_header, "").strip()[:_LONGEST]
        if not name:
            return None
        csrf = self._csrf(f"proxy {name}")
        if user := self._users.get(name):
            return _of(user, Origin.PROXY, csrf)
        groups = {one.strip() for one in request.headers.get(proxy.groups_header, "").split(",")}
        roles = [role for role in Role if any(proxy.roles.get(group) == role for group in groups)]
        if not roles:
            raise Refusal(
                403, "forbidden", "the proxy's user has no role here",
                remedy="name one of its groups in `http.proxy.roles`, or add the user",
            )  # fmt: skip
        return Identity(user=name, role=roles[-1], cameras=None, origin=Origin.PROXY, csrf=csrf)


_NOBODY = Identity(user="", role=Role.VIEWER, cameras=frozenset(), scopes=frozenset(), origin=Origin.NOBODY)


def _of(user: User, origin: Origin, csrf: str) -> Identity:
    return Identity(user=user.name, role=user.role, cameras=user.cameras, origin=origin, csrf=csrf)


def check_rights(request: Request, identity: Identity, role: Role, scope: Scope, *, changes: bool) -> None:
    """Refuse what the caller may not do. Raises Refusal."""
    if changes:
        check_csrf(request, identity)
    if not identity.may(role, scope):
        raise Refusal(
            403, "forbidden", f"this needs the role {role} and the scope {scope}",
            remedy="ask an administrator for it",
        )  # fmt: skip


def check_csrf(request: Request, identity: Identity) -> None:
    """Refuse a changing request without the token that only the console's own pages can read. Raises Refusal."""
    given = request.headers.get(CSRF_HEADER, "")
    if identity.csrf and not hmac.compare_digest(given.encode(), identity.csrf.encode()):
        raise Refusal(
            403, "csrf", "the request does not carry the token of this session",
            remedy=f"send the `csrf` of /api/v1/me as {CSRF_HEADER}",
        )  # fmt: skip


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _is_among(address: str, proxy: ProxySettings) -> bool:
    try:
        given = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(given in ipaddress.ip_network(one) for one in proxy.addresses)
