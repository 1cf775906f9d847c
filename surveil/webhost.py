"""For which names the pages answer: a web page elsewhere must not read them by a name that it points here."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_REFUSED = "this host name is not known here: use the address, or name it in 'http.hosts'\n"


class KnownHosts:
    """ASGI middleware: refuses a request whose Host header is a name that is not known (DNS rebinding).

    An IP address is always good: nobody but its owner can make a browser take it for another site.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower().rstrip(".") for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        good = scope["type"] != "http" or is_known(Headers(scope=scope).get("host"), self._hosts)
        app = self._app if good else PlainTextResponse(_REFUSED, 421)
        await app(scope, receive, send)


def is_known(header: str | None, hosts: frozenset[str]) -> bool:
    """Whether the Host header names this machine; browsers always send one."""
    if header is None:
        return True
    host = _name_in(header)
    return host == "localhost" or host.endswith(".localhost") or host in hosts or _is_address(host)


def _name_in(header: str) -> str:
    """Return the header without its port."""
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].rstrip(".")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
