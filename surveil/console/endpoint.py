"""An endpoint of the API: who may call it, its parameters, and how the result becomes a response.

A handler's annotations say what it takes: `body` and `query` are models that the request is checked against, and the
returned model is the answer. The OpenAPI document is made from the same annotations.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf
from typing import Any, Literal, TypeVar, get_type_hints

import structlog
from anyio import CapacityLimiter, to_thread
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response

from surveil.console.access import Origin, Role, Scope
from surveil.console.auth.gate import check_rights
from surveil.console.context import Call, Parts
from surveil.console.language import language_of
from surveil.console.refusal import Refusal, invalid, refusal_of
from surveil.console.safety import check_site, secured
from surveil.errors import SurveilError
from surveil.wording import Language

log = structlog.get_logger(__name__)

MOST_BYTES = 1 << 18
"""Of a body: 200 shapes of 200 points take a quarter of it."""
BODY_S = 10.0
"""How long a body may take to arrive."""
_LOOK_S, _MOST_LOOKS = 3600.0, 1000
"""For how long, and of how many looks, more parts of the same file make no other entry in the audit log."""
AT_ONCE = 16
"""Answers that are worked on at a time; the rest waits."""
Returned = TypeVar("Returned")
Method = Literal["GET", "POST", "PUT", "DELETE"]
Handler = Callable[..., BaseModel | Response | Awaitable[BaseModel | Response]]


class Message(BaseModel):
    """Base of what the API takes and gives."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One line of the table of routes."""

    method: Method
    path: str
    """Below /api/v1."""
    role: Role | None
    """The least that may call it; None: anybody, before a login."""
    scope: Scope
    handler: Handler
    evidence: bool = False
    """It shows pictures: the look is noted in the audit log."""

    @property
    def name(self) -> str:
        """What the audit log calls it."""
        return self.handler.__name__

    @property
    def changes(self) -> bool:
        """Whether it may change something."""
        return self.method != "GET"

    @property
    def hints(self) -> dict[str, Any]:
        """The types of the handler's parameters and of what it returns."""
        return get_type_hints(self.handler)


class Answering:
    """Answers the calls of one endpoint. Of the event loop; handlers run on threads."""

    def __init__(self, endpoint: Endpoint, parts: Parts, limit: CapacityLimiter) -> None:
        self._endpoint = endpoint
        self._parts = parts
        self._limit = limit
        hints = endpoint.hints
        self._body: type[BaseModel] | None = hints.get("body")
        self._query: type[BaseModel] | None = hints.get("query")
        self._looks: dict[tuple[str, str], float] = {}
        """User and path of what is in the audit log, and since when (monotonic s), oldest first."""

    async def answer(self, request: Request) -> Response:
        """Answer one request; whatever happens, in the form of the API."""
        call: Call | None = None
        try:
            if self._endpoint.changes:
                check_site(request)
            call = await self._on_thread(lambda: self._recognised(request))
            if (role := self._endpoint.role) is not None:
                check_rights(
                    request, call.identity, role, self._endpoint.scope, changes=self._endpoint.changes
                )
            response = await self._handle(call)
        except ClientDisconnect:
            return Response(status_code=400)
        except (SurveilError, OSError) as error:
            response = refusal_of(error).response(_language(request))
        except Exception:
            log.exception("bug in the console", endpoint=self._endpoint.name)
            response = Refusal(500, "bug", "this is a bug in surveil, please report it").response()
        if self._is_noted(request, call, response):
            await self._on_thread(lambda: self._note(request, call, response.status_code))
        return secured(response)

    async def _on_thread(self, function: Callable[[], Returned]) -> Returned:
        return await to_thread.run_sync(function, limiter=self._limit)

    def _recognised(self, request: Request) -> Call:
        gate = self._parts.auth.gate
        identity = gate.recognise(request, self._endpoint.role)
        address = gate.peer(request).address
        return Call(parts=self._parts, identity=identity, request=request, address=address)

    async def _handle(self, call: Call) -> Response:
        given: dict[str, BaseModel] = {}
        if self._query is not None:
            given["query"] = self._checked(self._query, dict(call.request.query_params))
        if self._body is not None:
            given["body"] = self._parsed(self._body, await read_body(call.request))
        handler = self._endpoint.handler
        if inspect.iscoroutinefunction(handler):
            answer = await handler(call, **given)
        else:
            answer = await self._on_thread(lambda: handler(call, **given))
        if isinstance(answer, BaseModel):
            return Response(answer.model_dump_json(by_alias=True), media_type="application/json")
        assert isinstance(answer, Response)
        return answer

    def _is_noted(self, request: Request, call: Call | None, response: Response) -> bool:
        """Whether the audit log has the request: every change and every look, of a file in parts only the first part.

        Who logs in has no identity yet: those endpoints write their own entries.
        """
        endpoint = self._endpoint
        if endpoint.role is None or not (endpoint.changes or endpoint.evidence):
            return False
        return call is None or not isinstance(response, FileResponse) or self._is_new(request, call)

    def _is_new(self, request: Request, call: Call) -> bool:
        """Whether a look at a file is another than the last one, and no further part of the same."""
        look, now = (call.identity.user, request.url.path), call.parts.clock.monotonic()
        is_later = not request.headers.get("range", "bytes=0-").startswith("bytes=0-")
        if is_later and now - self._looks.get(look, -inf) < _LOOK_S:
            return False
        self._looks.pop(look, None)
        self._looks[look] = now
        if len(self._looks) > _MOST_LOOKS:
            del self._looks[next(iter(self._looks))]
        return True

    def _note(self, request: Request, call: Call | None, status: int) -> None:
        self._parts.auth.audit.note(
            user=call.identity.user if call else "",
            origin=call.identity.origin if call else Origin.NOBODY,
            address=call.address if call else self._parts.auth.gate.peer(request).address,
            action=self._endpoint.name,
            subject=request.url.path.removeprefix("/api/v1"),
            status=status,
        )

    @staticmethod
    def _checked(kind: type[BaseModel], values: dict[str, str]) -> BaseModel:
        try:
            return kind.model_validate(values)
        except ValidationError as error:
            raise invalid(error) from None

    @staticmethod
    def _parsed(kind: type[BaseModel], body: bytes) -> BaseModel:
        try:
            return kind.model_validate_json(body)
        except ValidationError as error:
            raise invalid(error) from None


def _language(request: Request) -> Language:
    return language_of(request.headers.get("accept-language", ""))


async def read_body(request: Request) -> bytes:
    """Return the body. Raises Refusal for one that is too large, or does not come."""
    found = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                found += chunk
                if len(found) > MOST_BYTES:
                    raise Refusal(
                        413, "too_large", f"the request is larger than {MOST_BYTES} bytes",
                        headers={"connection": "close"},
                    )  # fmt: skip
    except TimeoutError:
        raise Refusal(
            408, "too_slow", f"the request did not arrive within {BODY_S:g} s",
            headers={"connection": "close"},
        ) from None  # fmt: skip
    return bytes(found)
