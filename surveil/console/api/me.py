"""The logged-in user, and what the front end must know first."""

from __future__ import annotations

from surveil import __version__
from surveil.console.access import Role
from surveil.console.context import Call
from surveil.console.endpoint import Message
from surveil.wording import Language


class Me(Message):
    """The user and the console."""

    user: str
    role: Role
    cameras: tuple[str, ...]
    """Names, or `*` for all."""
    csrf: str
    """What changing requests carry in the header X-CSRF-Token."""
    version: str
    language: str
    languages: tuple[str, ...]
    first_start: bool
    """No camera is configured yet."""
    grafana_url: str
    """Where Grafana is; empty: nowhere."""
    may: tuple[str, ...]
    """Every endpoint that the user may call, as `GET /cameras`: the pages show what is here."""


def me(call: Call) -> Me:
    """Return who is logged in."""
    from surveil.console.routes import TABLE  # noqa: PLC0415 - the table names this function

    identity, cameras = call.identity, call.identity.cameras
    may = [one for one in TABLE if one.role is None or identity.may(one.role, one.scope)]
    return Me(
        user=identity.user,
        role=identity.role,
        cameras=("*",) if cameras is None else tuple(sorted(cameras)),
        csrf=identity.csrf,
        version=__version__,
        language=call.language,
        languages=tuple(Language),
        first_start=not call.parts.daemon.config.cameras,
        grafana_url=call.parts.daemon.config.http.grafana_url,
        may=tuple(f"{one.method} {one.path}" for one in may),
    )
