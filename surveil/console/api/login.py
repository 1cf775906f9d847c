"""Logging in and out, and the first administrator."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import Field
from starlette.responses import JSONResponse, Response

from surveil.console.access import Origin, Role
from surveil.console.auth.sessions import COOKIE, LONGEST_S
from surveil.console.context import Call
from surveil.console.endpoint import Message
from surveil.console.refusal import Refusal, refusal_of
from surveil.errors import SurveilError

_FIRST = "first visit"
_UNKNOWN = "unknown"
"""Written to the audit log instead of an unknown name, which may be a password."""
_CHECKED_AT_ONCE = threading.BoundedSemaphore(2)
"""Passwords: each takes a fraction of a second and 32 MiB."""


class Login(Message):
    """A name and a password."""

    user: str = Field(max_length=80)
    password: str = Field(max_length=1024, repr=False)


class FirstUser(Message):
    """The first administrator, and the code that the log shows."""

    code: str = Field(max_length=80, repr=False)
    user: str = Field(max_length=80)
    password: str = Field(max_length=1024, repr=False)


class LoggedIn(Message):
    """Who has logged in."""

    user: str
    role: Role


def login(call: Call, body: Login) -> Response:
    """Begin a session; its secret is in the cookie."""
    auth, address = call.parts.auth, call.address
    _check_wait(call, body.user)
    if not _CHECKED_AT_ONCE.acquire(blocking=False):
        raise _limited(call, 1.0)
    try:
        user = auth.users.check(body.user, body.password)
    finally:
        _CHECKED_AT_ONCE.release()
    _note(call, "login", body.user if user or auth.users.get(body.user) else _UNKNOWN, 200 if user else 401)
    if user is None:
        auth.attempts.failed(body.user, address)
        auth.metrics.logins.labels("refused").inc()
        raise Refusal(401, "password", "the name or the password is wrong")
    auth.attempts.succeeded(body.user)
    auth.metrics.logins.labels("good").inc()
    return _begun(call, user.name, user.role)


def first_visit(call: Call, body: FirstUser) -> Response:
    """Add the first administrator, with the code of the log, and log in."""
    auth = call.parts.auth
    _check_wait(call, _FIRST)
    if auth.users.any():
        raise Refusal(
            409, "not_first", "there is a user already", remedy="log in, or run `surveil users add`"
        )
    is_right = auth.first_visit.holds(body.code)
    with _noting(call, "first_visit", body.user if is_right else _UNKNOWN):
        if not is_right:
            auth.attempts.failed(_FIRST, call.address)
            raise Refusal(
                401, "code", "this is not the code of the log", remedy="see `journalctl -u surveil`"
            )
        if not auth.users.add_first(body.user, body.password, call.parts.clock.wall()):
            raise Refusal(409, "not_first", "there is a user already", remedy="log in")
    return _begun(call, body.user, Role.ADMIN)


def logout(call: Call) -> Response:
    """End the session."""
    secret = call.request.cookies.get(COOKIE, "")
    if secret:
        call.parts.auth.sessions.end(secret)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return response


def _begun(call: Call, user: str, role: Role) -> Response:
    response = JSONResponse(LoggedIn(user=user, role=role).model_dump())
    response.set_cookie(
        COOKIE, call.parts.auth.sessions.begin(user), max_age=int(LONGEST_S), path="/", secure=True,
        httponly=True, samesite="lax",
    )  # fmt: skip
    return response


def _note(call: Call, action: str, user: str, status: int) -> None:
    call.parts.auth.audit.note(
        user=user, origin=Origin.NOBODY, address=call.address, action=action, subject="", status=status
    )


@contextmanager
def _noting(call: Call, action: str, user: str) -> Iterator[None]:
    """Note in the audit log how the block ends."""
    try:
        yield
    except (SurveilError, OSError) as error:
        _note(call, action, user, refusal_of(error).status)
        raise
    _note(call, action, user, 200)


def _check_wait(call: Call, account: str) -> None:
    wait_s = call.parts.auth.attempts.wait_s(account, call.address)
    if wait_s > 0:
        raise _limited(call, wait_s)


def _limited(call: Call, wait_s: float) -> Refusal:
    call.parts.auth.metrics.logins.labels("limited").inc()
    seconds = math.ceil(wait_s)
    return Refusal(
        429, "limited", f"too many attempts: try again in {seconds} s", headers={"retry-after": str(seconds)}
    )
