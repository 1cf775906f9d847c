"""The list of events, one event, and its pictures and clip."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Literal

from pydantic import Field
from starlette.responses import FileResponse, Response

from surveil.alerts.evidence import safe_name
from surveil.alerts.history import Cursor, EventFilter, EventRecord, Verdict
from surveil.alerts.links import picture_path, stored_file
from surveil.config import CameraConfig, Config
from surveil.console.context import Call
from surveil.console.endpoint import Message
from surveil.console.refusal import Refusal, not_found
from surveil.types import Alert
from surveil.wording import Language, in_language

MOST = 200
_KINDS = {"picture.jpg": "snapshot", "clean.jpg": "clean", "heat.jpg": "explained", "before.jpg": "before"}
"""What the addresses of pictures end with, and what the evidence calls them."""


class Pictures(Message):
    """Addresses of the pictures that there are."""

    annotated: str | None
    clean: str | None
    heat: str | None
    before: str | None


class Clip(Message):
    """The clip of an event."""

    url: str | None
    note: str
    """Why there is none, or what is to be said of it."""


class EventAnswer(Message):
    """One event."""

    id: str
    camera: str
    camera_title: str
    rule: str
    rule_title: str
    zone: str
    zone_title: str
    label: str
    start: float
    end: float | None
    score: float
    reason: str
    """What happened, in words."""
    ended_because: str
    severity: Literal["alert", "notice"]
    """`notice`: an alert of the daemon about itself or about a camera."""
    verdict: Verdict | None
    verdict_class: str
    note: str
    judge: str
    judged_at: float | None
    acknowledged: bool
    acknowledged_at: float | None
    pictures: Pictures
    clip: Clip | None


class Events(Message):
    """A page of events, newest first."""

    events: tuple[EventAnswer, ...]
    next: str | None
    """The `cursor` of the next page; null after the last."""


class EventQuery(Message):
    """Which events are wanted."""

    limit: int = Field(default=50, ge=1, le=MOST)
    cursor: str | None = Field(default=None, max_length=80)
    camera: str | None = Field(default=None, max_length=80)
    rule: str = Field(default="", max_length=80)
    label: str = Field(default="", max_length=80, alias="class")
    since: float | None = Field(default=None, alias="from")
    until: float | None = Field(default=None, alias="to")
    judged: Literal["yes", "no"] | None = None


def events(call: Call, query: EventQuery) -> Events:
    """Return a page of events, newest first."""
    page = call.parts.history.page(filter_of(call, query), place_of(query.cursor), query.limit)
    return Events(events=tuple(told(call, one) for one in page.events), next=cursor_of(page.next))


def event(call: Call) -> EventAnswer:
    """Return one event."""
    return told(call, found(call))


def picture(call: Call) -> Response:
    """Return a picture of an event: annotated, clean, the explanation, or the one from before."""
    kind = _KINDS.get(str(call.request.path_params["picture"]))
    if kind is None:
        raise not_found("picture")
    return _file(call, found(call).start, kind)


def clip(call: Call) -> Response:
    """Return the clip of an event; parts of it by Range. A camera that hides areas has none but of the time before."""
    end = found(call).end
    if end is None:
        raise not_found("clip: the event goes on")
    call.check_shown(end.camera, "`surveil alerts show` on the host names its file")
    return _file(call, end, "clip")


def found(call: Call) -> EventRecord:
    """Return the event in the path. Raises Refusal where there is none, or none for this user."""
    return event_named(call, str(call.request.path_params["event"]))


def event_named(call: Call, event: str) -> EventRecord:
    """Return an event. Raises Refusal where there is none, or none for this user."""
    record = call.parts.history.event(event)
    if record is None or not call.identity.sees(record.start.camera):
        raise not_found("event")
    return record


def filter_of(call: Call, query: EventQuery) -> EventFilter:
    """Return which events a query wants. Raises Refusal for a camera that the user may not see."""
    return EventFilter(
        cameras=_cameras(call, query.camera),
        rule=query.rule,
        label=query.label,
        since=query.since,
        until=query.until,
        judged=None if query.judged is None else query.judged == "yes",
    )


def told(call: Call, record: EventRecord) -> EventAnswer:
    """Return an event as the API has it, in the language of the caller."""
    return answer(record, call.parts.daemon.config, call.language)


def answer(record: EventRecord, config: Config, language: Language = Language.ENGLISH) -> EventAnswer:
    """Return an event as the API has it, its reason in a language; without a clip of what is hidden now."""
    start, end, judgement = record.start, record.end, record.judgement
    return EventAnswer(
        id=start.event_id,
        camera=start.camera,
        camera_title=start.title("camera"),
        rule=start.rule,
        rule_title=start.title("rule"),
        zone=start.zone or start.line,
        zone_title=start.title("zone") if start.zone else start.title("line"),
        label=start.label,
        start=start.t_wall,
        end=None if end is None else end.t_wall,
        score=start.score,
        reason=in_language(start.text, language),
        ended_because="" if end is None else end.reason,
        severity="alert" if start.label or start.zone or start.line else "notice",
        verdict=judgement.verdict,
        verdict_class=judgement.label,
        note=judgement.note,
        judge=judgement.judge,
        judged_at=judgement.judged_at,
        acknowledged=judgement.acknowledged_at is not None,
        acknowledged_at=judgement.acknowledged_at,
        pictures=_pictures(start),
        clip=None if end is None else _clip(end, config.cameras.get(end.camera)),
    )


def _pictures(start: Alert) -> Pictures:
    there = {
        kind: f"/api/v1/events/{start.event_id}/{name}"
        for name, kind in _KINDS.items()
        if picture_path(start, kind)
    }
    return Pictures(
        annotated=there.get("snapshot"),
        clean=there.get("clean"),
        heat=there.get("explained"),
        before=there.get("before"),
    )


def _clip(end: Alert, camera: CameraConfig | None) -> Clip | None:
    if "clip" not in end.evidence:
        return None
    is_there = bool(picture_path(end, "clip"))
    if is_there and camera is not None and camera.hides:
        return Clip(url=None, note="areas of this camera are hidden now")
    said = str(end.details.get("clip_note", "")) if is_there else end.evidence["clip"]
    return Clip(url=f"/api/v1/events/{end.event_id}/clip.mp4" if is_there else None, note=said)


def _cameras(call: Call, asked: str | None) -> tuple[str, ...] | None:
    """Return the cameras whose events are shown; those that are gone have events, too."""
    allowed = call.identity.cameras
    if asked is None:
        return None if allowed is None else tuple(sorted(allowed))
    if not call.identity.sees(asked):
        raise not_found("camera")
    return (asked,)


def cursor_of(place: Cursor | None) -> str | None:
    """Return what a page gives out to ask for the next one; None after the last."""
    return None if place is None else f"{place.t_wall!r}~{place.row}"


def place_of(cursor: str | None) -> Cursor | None:
    """Return where a page begins. Raises Refusal for a cursor that was not given out."""
    if cursor is None:
        return None
    t_wall, _, row = cursor.partition("~")
    with suppress(ValueError):
        place = Cursor(float(t_wall), int(row))
        if math.isfinite(place.t_wall) and 0 <= place.row < 2**63:
            return place
    raise Refusal(422, "invalid", "the cursor is unknown", remedy="begin at the first page")


def _file(call: Call, alert: Alert, kind: str) -> Response:
    """Return a file of evidence, and nothing else."""
    folder = call.parts.evidence
    path = stored_file(folder.parent, picture_path(alert, kind)) if picture_path(alert, kind) else None
    try:
        there = path.resolve() if path is not None else None
        if there is None or not there.is_relative_to(folder.resolve()) or not there.is_file():
            raise not_found("picture: it was deleted, or never stored")
    except (OSError, ValueError, RuntimeError):
        raise not_found("picture") from None
    name = f"{safe_name(alert.camera)}-{there.name}"
    shown = "attachment" if "download" in call.request.query_params else "inline"
    return FileResponse(
        there,
        headers={"cache-control": "private, max-age=86400"},
        filename=name,
        content_disposition_type=shown,
    )
