"""The HTTP side of the daemon: /metrics, /livez, /readyz, /status and the evidence.

Serves facts that others own, through the `StatusSource` protocol; holds no state. Listens on loopback unless
told otherwise; evidence and status need the bearer token where one is set, and one must be set away from loopback.
"""

from __future__ import annotations

import asyncio
import hmac
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from surveil.clock import LOOK_UP_S, Stop
from surveil.listening import HttpSettings
from surveil.webhost import KnownHosts


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


class _Server(uvicorn.Server):
    """Sleeps until it is told to end. uvicorn's own looks up ten times a second: 0.3 % of a core for nothing."""

    _asked: asyncio.Event | None = None
    _loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        """Keep the date header fresh, within `LOOK_UP_S`, until `ask_to_end`."""
        asked, self._loop = asyncio.Event(), asyncio.get_running_loop()
        self._asked = asked
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_UP_S):
                    await asked.wait()

    def ask_to_end(self) -> None:
        """From any thread, at any time, also before `main_loop`."""
        self.should_exit = True
        if self._loop is not None and self._asked is not None:
            with suppress(RuntimeError):  # has ended already
                self._loop.call_soon_threadsafe(self._asked.set)


class Web:
    """Runs the pages on a socket that is already bound. Owned by the web thread."""

    def __init__(
        self,
        listener: socket.socket,
        settings: HttpSettings,
        facts: StatusSource,
        registry: CollectorRegistry,
        state_dir: Path,
    ) -> None:
        self._listener = listener
        self._token = settings.token.get_secret_value() if settings.token else None
        self._open = settings.is_loopback and self._token is None
        self._hosts = (
            [Middleware(KnownHosts, hosts=settings.hosts)] if settings.is_loopback or settings.hosts else []
        )
        self._facts = facts
        self._registry = registry
        self._evidence = (state_dir / "evidence").resolve()
        config = uvicorn.Config(
            self.app(),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=1,
            limit_concurrency=64,
        )
        self._server = _Server(config)

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
                Route("/status", self._guarded(self._status)),
                Route("/evidence/latest", self._guarded(self._latest)),
                Route("/evidence/{path:path}", self._guarded(self._picture)),
            ],
        )

    async def _index(self, _request: Request) -> Response:
        return PlainTextResponse("surveil: /metrics /livez /readyz /status /evidence/\n")

    async def _metrics(self, request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        # Collecting reads the database and takes the ring's lock: not on the event loop.
        body = await run_in_threadpool(encode, self._registry)
        return Response(body, headers={"content-type": content_type})

    async def _livez(self, _request: Request) -> Response:
        return _health(*self._facts.liveness())

    async def _readyz(self, _request: Request) -> Response:
        return _health(*self._facts.readiness())

    async def _status(self, _request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._facts.status))

    async def _picture(self, request: Request) -> Response:
        return self._file(request.path_params["path"], "private, max-age=86400")

    async def _latest(self, request: Request) -> Response:
        """`?camera=yard&rule=intrusion&at=1700000000000`: the newest picture up to `at` (ms; now by default)."""
        asked = request.query_params
        try:
            t_wall = int(asked["at"]) / 1000 if "at" in asked else None
        except ValueError:
            return PlainTextResponse("'at' is a moment in milliseconds since 1970\n", 400)
        path = await run_in_threadpool(
            self._facts.latest_picture, asked.get("camera", ""), asked.get("rule", ""), t_wall
        )
        # The file itself and no redirect: a token in the address would not travel with it.
        return self._file((path or "").removeprefix("evidence/"), "no-store")

    def _file(self, name: str, cache: str) -> Response:
        """Return a file below the evidence folder, and nothing else."""
        path = (self._evidence / name).resolve()
        if not path.is_relative_to(self._evidence) or not path.is_file():
            return PlainTextResponse("no such evidence\n", 404)
        return FileResponse(path, headers={"cache-control": cache})

    def _guarded(
        self, page: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Let a page be seen with the token; where none is set, on loopback."""

        async def guarded(request: Request) -> Response:
            if self._open or self._has_token(request):
                return await page(request)
            return PlainTextResponse("a bearer token is needed here\n", 401, {"www-authenticate": "Bearer"})

        return guarded

    def _has_token(self, request: Request) -> bool:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        given = given or request.query_params.get("token", "")
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())


def _health(good: bool, details: Mapping[str, Any]) -> Response:
    return JSONResponse({"ok": good, **details}, status_code=200 if good else 503)


def wait_until_started(web: Web, stop: Stop) -> None:
    """Return once the pages answer."""
    while not web._server.started and not stop.wait(0.02):  # noqa: SLF001 - same module
        pass
