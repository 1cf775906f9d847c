"""Probes of cameras: the stream at an address, with advice and a picture, before or after it is configured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field
from starlette.responses import Response

from surveil.config import CameraConfig
from surveil.console.api.setup import Addresses, check_visible
from surveil.console.context import Call
from surveil.console.endpoint import Message
from surveil.console.probes import LIMIT_S, Probe
from surveil.console.refusal import Refusal, not_found

_NEW = "new-camera"
"""What a camera is called that has no name yet."""


class ProbeBody(Addresses):
    """What is probed: addresses, or a camera that is configured."""

    camera: str = Field(default="", max_length=63)


class ProbeStarted(Message):
    """A probe that goes on."""

    probe: str
    """Asked for as `GET /probe/{probe}`."""


class StreamFound(Message):
    """What a stream sends; null: not known."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    ok: bool
    state: str
    cause: str | None
    message: str
    codec: str | None
    profile: str | None
    width: int | None
    height: int | None
    fps: float | None
    gop_s: float | None
    gop_longer_than_s: float | None
    bits_per_second: int | None
    first_picture_s: float | None
    transport: str | None
    pictures: int
    """How many were decoded."""


class ProbeAdvice(Message):
    """What to improve."""

    code: str
    text: str


class ProbeAnswer(Message):
    """A probe as of now."""

    done: bool
    elapsed_s: float
    limit_s: float
    """When it ends at the latest."""
    failure: str
    detect: StreamFound | None
    record: StreamFound | None
    advice: tuple[ProbeAdvice, ...]
    picture: bool
    """Whether `GET /probe/{probe}/picture.jpg` has one."""


def probe(call: Call, body: ProbeBody) -> ProbeStarted:
    """Open a camera for some seconds, as the daemon would; nothing is stored."""
    return ProbeStarted(probe=call.parts.probes.start(_camera(call, body)))


def _camera(call: Call, body: ProbeBody) -> CameraConfig:
    """Return what is to be probed. Raises Refusal, and ConfigError for an address that cannot be used."""
    name, change = body.camera, body.change()
    if name:
        check_visible(call, name)
    if change.url:
        return call.parts.drafts.tried(name or _NEW, change)
    found = call.parts.daemon.config.cameras.get(name)
    if found is None:
        raise Refusal(422, "invalid", "there is nothing to probe", remedy="give `url`, or `camera`")
    return found


def probe_state(call: Call) -> ProbeAnswer:
    """Return how far a probe is, and what it found."""
    one = _probe(call)
    found = one.found
    return ProbeAnswer(
        done=found is not None,
        elapsed_s=round(call.parts.probes.since_s(one), 1),
        limit_s=LIMIT_S,
        failure=call.said(found.failure) if found else "",
        detect=_stream(call, found.detect if found else None),
        record=_stream(call, found.record if found else None),
        advice=tuple(ProbeAdvice(code=code, text=text) for code, text in (found.advice if found else ())),
        picture=found is not None and found.picture is not None,
    )


def probe_picture(call: Call) -> Response:
    """Return the picture of a probe."""
    found = _probe(call).found
    if found is None or found.picture is None:
        raise not_found("picture")
    return Response(found.picture, media_type="image/jpeg")


def _probe(call: Call) -> Probe:
    return call.parts.probes.get(str(call.request.path_params["probe"]))


def _stream(call: Call, found: Mapping[str, Any] | None) -> StreamFound | None:
    if found is None:
        return None
    return StreamFound.model_validate({**found, "message": call.said(found["message"])})
