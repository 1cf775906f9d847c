"""Crops of events and of zones, which become pictures of a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio import to_thread
from pydantic import Field
from starlette.responses import Response

from surveil.alerts.history import EventRecord
from surveil.console.api.events import EventQuery, cursor_of, event_named, filter_of, place_of
from surveil.console.api.training.common import camera_named, folder_of, items_of, jpeg, set_of, state_of
from surveil.console.api.training.sets import SetPictures, pictures_of
from surveil.console.context import Call
from surveil.console.endpoint import Message
from surveil.console.refusal import Refusal, not_found
from surveil.types import Alert, Bytes, Polygon

if TYPE_CHECKING:
    from surveil.console.live.feed import Jpeg

_NOW_S = 8.0
"""How long the picture of a camera may take."""


class AddBody(Message):
    """A crop of an `event`: its object, or with `zone` that zone. Without an event: a zone of `camera` as it is now."""

    label: str = Field(alias="class", min_length=1, max_length=63)
    event: str = Field(default="", max_length=80)
    camera: str = Field(default="", max_length=80)
    zone: str = Field(default="", max_length=80)


class CropsQuery(EventQuery):
    """Which events are wanted, and what of their pictures."""

    set: str = Field(default="", max_length=64, description="Data set that is searched for their classes.")
    zone: str = Field(default="", max_length=80, description="A zone of `camera` instead of the object.")


class CropQuery(Message):
    """What of a picture is wanted."""

    zone: str = Field(default="", max_length=80, description="A zone instead of the object.")


class CropAnswer(Message):
    """The crop of one event."""

    event: str
    camera: str
    rule: str
    start: float
    label: str = Field(alias="class")
    """In the data set; empty: it is not in it."""
    url: str


class Crops(Message):
    """A page of crops, newest first."""

    crops: tuple[CropAnswer, ...]
    next: str | None
    """The `cursor` of the next page; null after the last."""


def training_crops(call: Call, query: CropsQuery) -> Crops:
    """Return a page of events with the crops of their pictures."""
    page = call.parts.history.page(filter_of(call, query), place_of(query.cursor), query.limit)
    there = _labels(call, query.set)
    kept = [one for one in page.events if _has_picture(one.start)]
    return Crops(crops=tuple(_crop(one, there, query.zone) for one in kept), next=cursor_of(page.next))


def training_crop(call: Call, query: CropQuery) -> Response:
    """Return the crop of an event, or of a zone in its picture."""
    from surveil.console.training.crops import shown  # noqa: PLC0415 - imported by its first request

    return jpeg(shown(_of_event(call, str(call.request.path_params["event"]), query.zone)[1]))


async def add_picture(call: Call, body: AddBody) -> SetPictures:
    """Add a crop to a data set, which is made by its first picture."""
    await to_thread.run_sync(lambda: _check(call, body))
    now = None if body.event else await _now(call, body.camera)
    return await to_thread.run_sync(lambda: _added(call, body, now))


def _check(call: Call, body: AddBody) -> None:
    """Refuse what needs no picture to be refused."""
    from surveil.console.training.sets import check_class  # noqa: PLC0415 - as above

    set_of(call)
    check_class(body.label)
    if not body.event:
        _outline(call, body.camera, body.zone)


def _added(call: Call, body: AddBody, now: Jpeg | None) -> SetPictures:
    from surveil.console.training import crops  # noqa: PLC0415 - as above

    name = set_of(call)
    if now is None:
        start, crop = _of_event(call, body.event, body.zone)
        camera, at, origin = start.camera, start.t_wall, "feedback"
    else:
        crop = crops.of_jpeg(now.data, _outline(call, body.camera, body.zone))
        camera, at, origin = body.camera, now.at, "camera"
    crops.store(folder_of(call, name), crop, body.label, camera=camera, at=at, origin=origin)
    return pictures_of(call, name)


async def _now(call: Call, camera: str) -> Jpeg:
    """Return the picture of a camera. Raises Refusal (503) where none comes."""
    found = await call.parts.live.picture(camera, _NOW_S)
    if found is None:
        remedy = "see its state under /api/v1/cameras"
        raise Refusal(503, "no_picture", "the camera has given no picture", remedy=remedy)
    return found


def _of_event(call: Call, event: str, zone: str) -> tuple[Alert, Bytes]:
    from surveil.console.training.crops import of_event  # noqa: PLC0415 - as above

    start = event_named(call, event).start
    return start, of_event(start, state_of(call), _outline(call, start.camera, zone) if zone else None)


def _outline(call: Call, camera: str, zone: str) -> Polygon:
    """Return a zone. Raises Refusal (404)."""
    found = camera_named(call, camera).zones.get(zone)
    if found is None:
        raise not_found("zone")
    return found


def _has_picture(start: Alert) -> bool:
    return not start.evidence.get("clean", "missing:").startswith("missing:")


def _labels(call: Call, name: str) -> dict[tuple[str, float | None], str]:
    """Return the classes of a data set's pictures by camera and time."""
    return {(item.camera, item.t_wall): item.label for item in items_of(call, name)} if name else {}


def _crop(record: EventRecord, there: dict[tuple[str, float | None], str], zone: str) -> CropAnswer:
    start = record.start
    return CropAnswer(
        event=start.event_id,
        camera=start.camera,
        rule=start.rule,
        start=start.t_wall,
        label=there.get((start.camera, start.t_wall), ""),
        url=f"/api/v1/training/crops/{start.event_id}" + (f"?zone={zone}" if zone else ""),
    )
