"""An endpoint of the API: who may call it, what it takes, and how its function becomes an answer.

A handler's annotations say what it takes: `body` and `query` are models that the request is checked against, and the
returned model is the answer. The OpenAPI document is made from the same annotations.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, get_type_hints

import structlog
from anyio import CapacityLimiter, to_thread
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from surveil.console.access import Role, Scope
from surveil.console.context import Call, Parts
from surveil.console.refusal import Refusal, invalid, refusal_of
from surveil.console.safety import check_site, secured
from surveil.errors import SurveilError

log = structlog.get_logger(__name__)

MOST_BYTES = 1 << 18
"""Of a body: 200 shapes of 200 points take a quarter of it."""
BODY_S = 10.0
"""How long a body may take to arrive."""
AT_ONCE = 16
"""Answers that are worked on at a time; the rest waits."""
Method = Literal["GET", "POST", "PUT", "DELETE"]
Handler = Callable[..., BaseModel | Response | Awaitable[Response]]


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

    async def answer(self, request: Request) -> Response:
        """Answer one request; whatever happens, in the form of the API."""
        try:
            return secured(await self._answer(request))
        except (SurveilError, OSError) as error:
            return secured(refusal_of(error).response())
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception:
            log.exception("bug in the console", endpoint=self._endpoint.name)
            return secured(Refusal(500, "bug", "this is a bug in surveil, please report it").response())

    async def _answer(self, request: Request) -> Response:
        endpoint = self._endpoint
        if endpoint.changes:
            check_site(request)
        identity = await to_thread.run_sync(
            lambda: self._parts.gate.identify(
                request, endpoint.role, endpoint.scope, changes=endpoint.changes
            ),
            limiter=self._limit,
        )
        call = Call(parts=self._parts, identity=identity, request=request)
        given: dict[str, BaseModel] = {}
        if self._query is not None:
            given["query"] = self._checked(self._query, dict(request.query_params))
        if self._body is not None:
            given["body"] = self._parsed(self._body, await _body(request))
        if inspect.iscoroutinefunction(endpoint.handler):
            answer = await endpoint.handler(call, **given)
        else:
            answer = await to_thread.run_sync(lambda: endpoint.handler(call, **given), limiter=self._limit)
        if isinstance(answer, BaseModel):
            return Response(answer.model_dump_json(by_alias=True), media_type="application/json")
        assert isinstance(answer, Response)
        return answer

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


async def _body(request: Request) -> bytes:
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
