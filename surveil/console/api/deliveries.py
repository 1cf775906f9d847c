"""Deliveries: pending ones, dead letters and their retry, and the ledger of signals."""

from __future__ import annotations

from pydantic import Field

from surveil.alerts import admin
from surveil.console.context import Call
from surveil.console.endpoint import Message
from surveil.console.refusal import not_found


class DeadLetter(Message):
    """An alert that a sink did not take."""

    id: str
    event: str
    camera: str
    rule: str
    phase: str
    at: float
    sink: str
    reason: str
    error: str
    attempts: int


class DeadLetters(Message):
    """The newest dead letters."""

    letters: tuple[DeadLetter, ...]


class DeadQuery(Message):
    """How many are wanted."""

    limit: int = Field(default=100, ge=1, le=500)


class Retried(Message):
    """How many deliveries are pending again."""

    retried: int


class Line(Message):
    """What became of the signals of one rule."""

    camera: str
    rule: str
    outcome: str
    reason: str
    n: int


class SinkTest(Message):
    """What became of a test message."""

    ok: bool
    text: str


class Books(Message):
    """Both ledgers: of signals by rule, of deliveries by sink and state."""

    signals: tuple[Line, ...]
    deliveries: dict[str, dict[str, int]]
    sinks: dict[str, str]
    """Type by name of the sinks that are configured."""


def dead_letters(call: Call, query: DeadQuery) -> DeadLetters:
    """Return the newest dead letters."""
    found = admin.list_alerts(
        call.parts.history.path, state="dead", cameras=call.identity.cameras, limit=query.limit
    )
    return DeadLetters(
        letters=tuple(
            DeadLetter(
                id=one.alert.id, event=one.alert.event_id, camera=one.alert.camera, rule=one.alert.rule,
                phase=one.alert.phase, at=one.alert.t_wall, sink=way.sink, reason=way.reason,
                error=call.said(way.error), attempts=way.attempts,
            )
            for one in found
            for way in one.sinks
            if way.state == "dead"
        )
    )  # fmt: skip


def retry(call: Call) -> Retried:
    """Make the dead letters of an event pending again."""
    wanted = str(call.request.path_params["letter"])
    listed = admin.show(call.parts.history.path, wanted)
    if not any(one.alert.id == wanted and call.identity.sees(one.alert.camera) for one in listed):
        raise not_found("dead letter")
    return Retried(retried=admin.retry(call.parts.history.path, prefixes=(wanted,)).deliveries)


def books(call: Call) -> Books:
    """Return both ledgers, of the cameras that the user may see."""
    signals, deliveries = call.parts.history.books(call.identity.cameras)
    return Books(
        signals=tuple(
            Line(camera=one.camera, rule=one.rule, outcome=one.outcome, reason=one.reason, n=n)
            for one, n in signals.items()
        ),
        deliveries=deliveries,
        sinks={
            name: str(getattr(one, "type", "")) for name, one in call.parts.daemon.config.every_sink.items()
        },
    )


def try_sink(call: Call) -> SinkTest:
    """Send a test message to a sink, as `surveil check --probe --send-test` does."""
    name = str(call.request.path_params["sink"])
    if name not in call.parts.daemon.config.every_sink:
        raise not_found("sink")
    tried = call.parts.daemon.try_sink(name)
    return SinkTest(ok=tried.ok, text=tried.text if tried.ok else call.said(tried.text))
