"""Zones, lines and masks of a camera, and the rules on them."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import Field
from starlette.responses import JSONResponse, Response

from surveil.config import schema as file_schema
from surveil.config.draft import Plain
from surveil.console.api.changes import Kept, etag_of, kept
from surveil.console.context import Call
from surveil.console.drawnon import Size
from surveil.console.endpoint import Message
from surveil.features.health.rule import CAMERA_MOVED

_Section = dict[str, Any]


class Shapes(Message):
    """What is drawn on a camera, in fractions of the picture, as the configuration file has it."""

    zones: _Section
    lines: _Section
    masks: _Section
    rules: list[_Section]
    origins: dict[str, str]
    """Of each section: `file`, or `console` for what is drawn and not adopted."""
    draft: bool
    """Whether anything is of the console."""
    schedules: dict[str, None]
    """Names that a rule's `schedule` may be."""
    resolution: tuple[int, int]
    """Pixels of the picture as it is now; zeros before the first one."""
    view_changed: bool
    """The camera was moved, or its picture has another size than when this was saved: it may be in the wrong place."""
    etag: str


class ShapesBody(Message):
    """What is drawn from now on, all of it."""

    zones: _Section = Field(default_factory=dict, max_length=200)
    lines: _Section = Field(default_factory=dict, max_length=200)
    masks: _Section = Field(default_factory=dict, max_length=200)
    rules: list[_Section] = Field(default_factory=list, max_length=200)


def shapes(call: Call) -> Shapes:
    """Return what is drawn on a camera."""
    camera = call.camera
    found = call.parts.drafts.shapes(camera)
    size = _size(call)
    return Shapes.model_validate(
        {
            **found.sections,
            "origins": {key: "console" if key in found.drawn else "file" for key in found.sections},
            "draft": bool(found.drawn),
            "schedules": dict.fromkeys(call.parts.daemon.config.schedules),
            "resolution": size,
            "view_changed": CAMERA_MOVED in call.parts.history.open_rules(camera)
            or call.parts.drawn_on.is_other(camera, size),
            "etag": found.etag,
        }
    )


def draw(call: Call, body: ShapesBody) -> Kept:
    """Keep what is drawn as a draft, once the loader accepts it, and apply it."""
    sections: dict[str, Plain] = body.model_dump()
    applied = call.parts.drafts.change(call.camera, sections, etag_of(call))
    call.parts.drawn_on.note(call.camera, _size(call), call.parts.daemon.config.cameras)
    return kept(call, applied)


def drop_draft(call: Call) -> Kept:
    """Go back to what the configuration file says."""
    camera = call.camera
    applied = call.parts.drafts.drop(camera, etag_of(call))
    call.parts.drawn_on.forget(camera)
    return kept(call, applied)


def _size(call: Call) -> Size:
    return next((one.size for one in call.parts.daemon.cameras() if one.name == call.camera), (0, 0))


def schema(_call: Call) -> Response:
    """Return the JSON Schema of the configuration, for forms."""
    return JSONResponse(_schema())


@cache
def _schema() -> dict[str, Any]:
    return file_schema()
