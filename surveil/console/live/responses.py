"""Streaming responses, which end when either side closes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from surveil.console.live.hub import LiveHub
from surveil.console.live.viewer import Viewer
from surveil.console.live.wire import message
from surveil.console.refusal import Refusal
from surveil.errors import StateError

_PING_S = 5.0
"""A viewer that is told nothing for so long is told that."""
_LOOK_S = 0.5
_RIGHTS_S = 30.0
"""How often it is asked whether the viewer may still look."""
_FOREVER = "no-store, no-transform"


class LiveResponse(Response):
    """Streams what a viewer is sent. `may_look` raises Refusal when the viewer's rights have ended."""

    def __init__(
        self,
        hub: LiveHub,
        viewer: Viewer,
        cameras: Mapping[str, bool],
        may_look: Callable[[], Awaitable[object]],
        *,
        media_type: str,
        pause_s: float = 0.0,
    ) -> None:
        """`cameras`: name → whether video is wanted; `pause_s`: the least from one piece to the next."""
        super().__init__(media_type=media_type)
        del self.headers["content-length"]
        self.headers["cache-control"] = _FOREVER
        self.headers["x-accel-buffering"] = (
            "no"  # a proxy would keep pictures until it has a page full of them
        )
        self._hub = hub
        self._viewer = viewer
        self._cameras = cameras
        self._may_look = may_look
        self._pause_s = pause_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer until the viewer goes, or is ended."""
        if self._hub.is_full:
            refusal = Refusal(
                503, "too_many_viewers", "as many viewers as there may be look already",
                remedy="close another page of the console", headers={"retry-after": "10"},
            )  # fmt: skip
            await refusal.response()(scope, receive, send)
            return
        # Before the client knows of its answer: it misses nothing from then on.
        self._hub.attach(self._viewer, self._cameras)
        rights = asyncio.ensure_future(self._watch_rights())
        work = [asyncio.ensure_future(self._send(send)), asyncio.ensure_future(_gone(receive))]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        finally:
            self._hub.detach(self._viewer)
            for one in (rights, *work):
                one.cancel()
            await asyncio.gather(rights, *work, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        loop = asyncio.get_running_loop()
        spoke = loop.time()
        while not self._viewer.ended:
            data = await self._viewer.next(_LOOK_S)
            if self._viewer.takes_notes:
                self._hub.look_at_states()
                if not data and loop.time() - spoke >= _PING_S:
                    data = b"".join(message({"type": "ping", "at": self._hub.now()}))
            if data:
                spoke = loop.time()
                await send({"type": "http.response.body", "body": data, "more_body": True})
                if self._pause_s:
                    await asyncio.sleep(self._pause_s)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _watch_rights(self) -> None:
        """End the answer when the viewer may look no more: at the end of a session, for one."""
        while not self._viewer.ended:
            await asyncio.sleep(_RIGHTS_S)
            try:
                await self._may_look()
            except Refusal:
                self._viewer.end()
            except StateError:  # the database is busy or cannot be read now: it is asked again
                continue


async def _gone(receive: Receive) -> None:
    """Wait until the viewer is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
