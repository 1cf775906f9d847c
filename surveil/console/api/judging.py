"""Verdicts on events, which become pictures to train on, and acknowledgements."""

from __future__ import annotations

import structlog
from pydantic import Field

from surveil.alerts.history import EventRecord, Judgement, Verdict
from surveil.config.problems import suggest
from surveil.console.api.events import EventAnswer, found, told
from surveil.console.context import Call
from surveil.console.endpoint import Message
from surveil.console.refusal import Refusal
from surveil.errors import ConfigError, StateError
from surveil.types import Alert

log = structlog.get_logger(__name__)


class VerdictBody(Message):
    """What an event was. No verdict, no class and no note take back what was said."""

    verdict: Verdict | None = None
    label: str = Field(default="", max_length=80, alias="class")
    note: str = Field(default="", max_length=1000)


def judge(call: Call, body: VerdictBody) -> EventAnswer:
    """Keep a verdict, and add the picture to the rule's data set; one that is taken back takes it out again."""
    record = found(call)
    said = Judgement(
        verdict=body.verdict,
        label=body.label.strip(),
        note=body.note.strip(),
        judge=call.identity.user,
        judged_at=call.parts.clock.wall(),
    )
    if body.verdict in {Verdict.TRUE, Verdict.FALSE}:
        _train_on(call, record.start, said.label or str(body.verdict))
    elif record.judgement.verdict in {Verdict.TRUE, Verdict.FALSE}:
        _forget(call, record.start)
    call.parts.history.judge(record.start.event_id, said)
    return _changed(call, record)


def acknowledge(call: Call) -> EventAnswer:
    """Note that a user has seen the event."""
    record = found(call)
    call.parts.history.acknowledge(record.start.event_id, call.parts.clock.wall())
    return _changed(call, record)


def _train_on(call: Call, alert: Alert, verdict: str) -> None:
    """Add the picture to the rule's data set. Raises Refusal for a class that means nothing here."""
    from surveil.offline.classify.feedback import add_feedback, known_instead  # noqa: PLC0415 - the daemon imports none of it before

    if known := known_instead(alert, verdict, call.parts.evidence.parent):
        raise Refusal(422, "class", f"'{verdict}' is not a label for this alert{suggest(verdict, known)}")
    try:
        add_feedback(alert, verdict, call.parts.evidence.parent)
    except StateError as error:
        # The verdict is worth keeping without a picture, too.
        log.info("verdict without a picture to train on", alert=alert.id, why=str(error))


def _forget(call: Call, alert: Alert) -> None:
    from surveil.offline.classify.feedback import take_back  # noqa: PLC0415 - as above

    try:
        take_back(alert, call.parts.evidence.parent)
    except (ConfigError, StateError) as error:
        log.warning("the picture of a verdict that was taken back stays", alert=alert.id, why=str(error))


def revoke_link(call: Call) -> EventAnswer:
    """Make all links to the event useless."""
    record = found(call)
    call.parts.auth.users.revoke_link(record.start.event_id, call.parts.clock.wall())
    return told(call, record)


def _changed(call: Call, record: EventRecord) -> EventAnswer:
    """Return the event as it is now; pages that are open learn of it, too."""
    call.parts.live.tell_event(record.start.camera, record.start.event_id, "update")
    return told(call, call.parts.history.event(record.start.event_id) or record)
