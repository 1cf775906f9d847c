"""The HTTP pages of the daemon: /metrics, /livez, /readyz, /status and the evidence.

Serves what others own, through the `StatusSource` protocol; holds no state. Listens on loopback unless
told otherwise; evidence and status need the bearer token where one is set, or a proxy is; one must be set away from
loopback.
"""

from __future__ import annotations

import gzip
import hmac
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, request_response
from starlette.types import ASGIApp, Receive, Scope, Send

from surveil.listening import HttpSettings, is_address
from surveil.webserver import Limited, WebServer

PAGES_AT_ONCE = 16
"""Requests for one of the guarded pages at a time; clips are large, and clients may be slow."""
_GZIP_LEVEL = 1
"""A page of 200 kB becomes 20 kB in 2 ms; higher levels take three times as long for a tenth less."""
_REFUSED = "this host name is not known here: use the address, or name it in 'http.hosts'\n"


class StatusSource(Protocol):
    """What the pages show."""

    def liveness(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether every required stage advances, with the details."""

    def readiness(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether every enabled camera delivers, with the state of each."""

    def status(self) -> Mapping[str, Any]:
        """Return everything worth a look: cameras, tracks, open events, deliveries."""

    def latest_picture(self, camera: str, rule: str, t_wall: float | None) -> str | None:
        """Return the path, below the state directory, of the newest picture up to a moment (None: now)."""


class Web:
    """Runs the pages on a socket that is already bound. Owned by the web thread."""

    def __init__(
        self,
        listener: socket.socket,
        settings: HttpSettings,
        status: StatusSource,
        registry: CollectorRegistry,
        state_dir: Path,
        more: Sequence[BaseRoute] = (),
    ) -> None:
        """`more`: what is served besides, with rights of its own."""
        self._more = tuple(more)
        self._listener = listener
        self._token = settings.token.get_secret_value() if settings.token else None
        # What comes from a proxy on this machine is the whole network.
        self._open = settings.is_loopback and self._token is None and settings.proxy is None
        self._hosts = (
            [Middleware(KnownHosts, hosts=settings.hosts)] if settings.is_loopback or settings.hosts else []
        )
        self._source = status
        self._registry = registry
        self._evidence = (state_dir / "evidence").resolve()
        self._server = WebServer(self.app(), listener, settings.certificate, settings.key)

    def run(self) -> None:
        """Serve until `stop` is called."""
        self._server.run(sockets=[self._listener])

    def stop(self) -> None:
        """Ask the server to end; from any thread."""
        self._server.ask_to_end()

    def app(self) -> Starlette:
        """Build the ASGI application."""
        return Starlette(
            middleware=self._hosts,
            routes=[
                Route("/", self._index),
                Route("/metrics", self._metrics),
                Route("/livez", self._livez),
                Route("/readyz", self._readyz),
                self._page("/status", self._status),
                self._page("/evidence/latest", self._latest),
                self._page("/evidence/{path:path}", self._picture),
                *self._more,
            ],
        )

    async def _index(self, _request: Request) -> Response:
        return PlainTextResponse("surveil: /metrics /livez /readyz /status /evidence/\n")

    async def _metrics(self, request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        # Collecting reads the database and takes the ring's lock: not on the event loop.
        body = await run_in_threadpool(encode, self._registry)
        headers = {"content-type": content_type, "vary": "accept-encoding"}
        if takes_gzip(request.headers.get("accept-encoding", "")):
            body = await run_in_threadpool(gzip.compress, body, _GZIP_LEVEL)
            headers["content-encoding"] = "gzip"
        return Response(body, headers=headers)

    async def _livez(self, _request: Request) -> Response:
        return _health(*self._source.liveness())

    async def _readyz(self, _request: Request) -> Response:
        return _health(*self._source.readiness())

    async def _status(self, _request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._source.status))

    async def _picture(self, request: Request) -> Response:
        name = request.path_params["path"]
        # A clip that a browser refuses to play can be had all the same.
        saved = name.rpartition("/")[2] if "download" in request.query_params else None
        return self._file(name, "private, max-age=86400", saved)

    async def _latest(self, request: Request) -> Response:
        """`?camera=yard&rule=intrusion&at=1700000000000`: the newest picture up to `at` (ms; now by default)."""
        asked = request.query_params
        try:
            t_wall = int(asked["at"]) / 1000 if "at" in asked else None
        except (ValueError, OverflowError):
            return PlainTextResponse("'at' is a moment in milliseconds since 1970\n", 400)
        path = await run_in_threadpool(
            self._source.latest_picture, asked.get("camera", ""), asked.get("rule", ""), t_wall
        )
        # The file itself and no redirect: a token in the address would not travel with it.
        return self._file((path or "").removeprefix("evidence/"), "no-store")

    def _file(self, name: str, cache: str, saved: str | None = None) -> Response:
        """Return a file below the evidence folder, and nothing else; browsers store it as `saved`, if given."""
        try:
            path = (self._evidence / name).resolve()
            found = path.is_relative_to(self._evidence) and path.is_file()
        except (OSError, ValueError, RuntimeError):  # no name of a file: NUL, too long, a circle of links
            found = False
        if not found:
            return PlainTextResponse("no such evidence\n", 404)
        return FileResponse(path, headers={"cache-control": cache}, filename=saved)

    def _page(self, path: str, page: Callable[[Request], Awaitable[Response]]) -> Route:
        """Return the route of a page that needs the token, with a limit on requests at once."""
        return Route(path, Limited(request_response(self._guarded(page)), PAGES_AT_ONCE), methods=["GET"])

    def _guarded(
        self, page: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Let a page be seen with the token; where neither that nor a proxy is set, on loopback."""

        async def guarded(request: Request) -> Response:
            if self._open or self._has_token(request):
                return await page(request)
            return PlainTextResponse("a bearer token is needed here\n", 401, {"www-authenticate": "Bearer"})

        return guarded

    def _has_token(self, request: Request) -> bool:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        given = given or request.query_params.get("token", "")
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())


def takes_gzip(accepted: str) -> bool:
    """Return whether an Accept-Encoding header takes gzip (RFC 9110, 12.5.3); `q=0` says that it does not."""
    for entry in accepted.lower().split(","):
        coding, _, weight = entry.replace(" ", "").partition(";")
        if coding in {"gzip", "x-gzip"}:
            return not re.fullmatch(r"q=0(\.0*)?", weight)
    return False


def _health(good: bool, details: Mapping[str, Any]) -> Response:
    return JSONResponse({"ok": good, **details}, status_code=200 if good else 503)


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
    return host == "localhost" or host.endswith(".localhost") or host in hosts or is_address(host)


def _name_in(header: str) -> str:
    """Return the header without its port."""
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].rstrip(".")
