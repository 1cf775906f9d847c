"""Changes of the configuration: the base that was edited, and the result."""

from __future__ import annotations

from surveil.console.context import Call
from surveil.console.drafts import Applied
from surveil.console.endpoint import Message
from surveil.console.refusal import Refusal


class Kept(Message):
    """A change that was kept."""

    etag: str
    applied: bool
    """Whether the daemon runs with it already."""
    why_not: str


def etag_of(call: Call) -> str:
    """Return which configuration a request changes. Raises Refusal for one that does not say."""
    given = call.request.headers.get("if-match", "")
    if not given:
        raise Refusal(
            412, "conflict", "the request does not say which configuration it changes",
            remedy="send the `etag` that was read as If-Match",
        )  # fmt: skip
    return given


def kept(call: Call, applied: Applied) -> Kept:
    """Return the answer to a change."""
    return Kept(etag=applied.etag, applied=applied.applied, why_not=call.said(applied.why_not))
