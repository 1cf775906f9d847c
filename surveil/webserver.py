"""The HTTP server of the pages: uvicorn with limits on connections.

A connection costs a file descriptor, and cameras, sinks and the database need those. So there is a cap on
connections, and at the cap a newcomer takes the place of the one that has been waiting longest without a whole
request: a probe or a scrape sends its own at once and gets through, however many connections idle. Times are bounded,
too: for the handshake of TLS, for the head of a request, for idling, for a client that does not read.
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from contextlib import suppress
from pathlib import Path

import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from surveil.clock import LOOK_UP_S

HEAD_S = 5.0
"""How long the head of a request may take, and how long a connection may wait for the next one."""
STALL_S = 30.0
"""How long a client may leave an answer unread."""
MOST, LEAST = 128, 16
"""Connections at once, as far as the limit of file descriptors lets the pages have a quarter of them."""
ACCEPTED_AT_ONCE = 16
BACKLOG = 1024
"""Connections that the kernel keeps until they are accepted."""


def most_connections() -> int:
    """Return how many connections there may be; three quarters of the file descriptors are for everything else."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    share = MOST if limit == resource.RLIM_INFINITY else limit // 4
    return max(LEAST, min(MOST, share))


class Doorway(socket.socket):
    """A listening socket that bounds what waits for the handshake of TLS: uvicorn knows nothing of it yet.

    Of the event loop.
    """

    def __init__(self, listener: socket.socket, most: int) -> None:
        """Accept what comes to `listener`, which stays the caller's; `most` in the handshake at once."""
        super().__init__(fileno=os.dup(listener.fileno()))
        self._most = most
        self._waiting: dict[int, socket.socket] = {}
        """By file descriptor, oldest first; some may be closed."""

    def accept(self) -> tuple[socket.socket, object]:
        """Accept a connection, and give up the one that has been shaking hands for longest where there are too many."""
        accepted, address = super().accept()
        number = accepted.fileno()
        self.let_in(number)
        self._waiting[number] = accepted
        asyncio.get_running_loop().call_later(HEAD_S, self._look, accepted)
        if len(self._waiting) > self._most:
            self._waiting = {n: one for n, one in self._waiting.items() if one.fileno() == n}
        if len(self._waiting) > self._most:
            self._give_up(next(iter(self._waiting)))
        return accepted, address

    def let_in(self, number: int) -> None:
        """Take note that the connection with this file descriptor has shaken hands."""
        self._waiting.pop(number, None)

    def _look(self, accepted: socket.socket) -> None:
        number = accepted.fileno()
        if self._waiting.get(number) is accepted:
            self._give_up(number)

    def _give_up(self, number: int) -> None:
        # asyncio closes it: the handshake has failed then.
        with suppress(OSError):
            self._waiting.pop(number).shutdown(socket.SHUT_RDWR)


class ClientConnection(H11Protocol):
    """One connection. Owned by the event loop."""

    most = MOST
    door: Doorway | None = None
    _timer: asyncio.TimerHandle | None = None
    _open_since = 0.0
    """When it was made, or its last request answered."""
    _since = 0.0
    """When it began to wait for the head of a request, or was last seen to send."""
    _unsent = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, and give up another where there are too many."""
        super().connection_made(transport)
        if self.door is not None:
            self.door.let_in(transport.get_extra_info("socket").fileno())
        self._since = self._open_since = self.loop.time()
        self._timer = self.loop.call_later(HEAD_S, self._look)
        if len(self.connections) > self.most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._since = self._open_since = self.loop.time()

    @property
    def waits(self) -> bool:
        """Whether there is no request whose answer is under way."""
        # uvicorn's annotation leaves out that there is none before the first request.
        cycle: object = self.cycle
        return cycle is None or self.cycle.response_complete

    @property
    def receives(self) -> bool:
        """Whether there is the head of a request, and its body has not come whole."""
        return not self.waits and self.cycle.more_body

    @property
    def stalls(self) -> bool:
        """Whether the client has not read what was sent."""
        return not self.waits and self.flow.write_paused

    def _make_room(self) -> None:
        others = [c for c in self.connections if isinstance(c, ClientConnection) and c is not self]
        # A probe that has not sent its request yet is younger than those that never send a whole one.
        waiting = [c for c in others if c.waits or c.receives]
        chosen = waiting or [c for c in others if c.stalls] or [self]
        min(chosen, key=lambda c: c._open_since).cut()  # noqa: SLF001 - of the same class

    def cut(self) -> None:
        """Close the connection at once."""
        self.connections.discard(self)
        self.transport.abort()

    def _look(self) -> None:
        """Cut the connection when it is late, else look again."""
        now, patience_s = self.loop.time(), HEAD_S if self.waits else STALL_S
        unsent = self.transport.get_write_buffer_size()
        if not self.waits and (not unsent or unsent != self._unsent):
            self._since = now
        self._unsent = unsent
        if now - self._since >= patience_s:
            self.cut()
            return
        self._timer = self.loop.call_later(min(patience_s, HEAD_S), self._look)


class WebServer(uvicorn.Server):
    """Sleeps until it is told to end. uvicorn's own looks up ten times a second: 0.3 % of a core for nothing."""

    _asked: asyncio.Event | None = None
    _loop: asyncio.AbstractEventLoop | None = None

    def __init__(
        self, app: ASGIApp, listener: socket.socket, certificate: Path | None = None, key: Path | None = None
    ) -> None:
        """With certificate and key, what is served is https."""
        self._door = Doorway(listener, most_connections() // 4) if certificate else None

        class Bounded(ClientConnection):
            most, door = most_connections(), self._door

        self._listener = listener
        super().__init__(
            uvicorn.Config(
                app,
                http=Bounded,
                ws="none",
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                # Who is behind a proxy is for those to say who know which proxies may be believed.
                proxy_headers=False,
                ssl_certfile=certificate,
                ssl_keyfile=key,
                timeout_graceful_shutdown=1,
                # Also how many are accepted before the first of them can be closed again.
                backlog=ACCEPTED_AT_ONCE,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve; a crowd of connections waits in the kernel, where it costs no file descriptor."""
        await super().startup(sockets if self._door is None else [self._door])
        self._listener.listen(BACKLOG)

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


class Limited:
    """Answers so many requests of one kind at a time; those beyond are asked to come again. Of the event loop."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._free = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if not self._free:
            busy = PlainTextResponse("too many requests of this kind at once\n", 503, {"retry-after": "1"})
            await busy(scope, receive, send)
            return
        self._free -= 1
        try:
            await self._answer(scope, receive, send)
        finally:
            self._free += 1

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except (OSError, RuntimeError):
            # A file that the retention deleted just now.
            if begun:
                raise
            await PlainTextResponse("no such evidence\n", 404)(scope, receive, send)
