"""Recordings of a camera: ranges and gaps, and each file for the browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field, model_validator
from starlette.responses import FileResponse, Response, StreamingResponse

from surveil.capture.settings import RECORDINGS
from surveil.console.context import Call
from surveil.console.endpoint import Message
from surveil.console.refusal import not_found

_LONGEST_S = 2 * 86_400.0
_CHUNK = 1 << 16
_MOST_ID = 2**63 - 1


class RecordingsQuery(Message):
    """Which time is wanted."""

    since: float = Field(alias="from", description="Unix s.")
    until: float = Field(alias="to", description="Unix s.")

    @model_validator(mode="after")
    def _span(self) -> RecordingsQuery:
        if not 0 < self.until - self.since <= _LONGEST_S:
            raise ValueError(f"'to' must be after 'from', by {_LONGEST_S:.0f} s at most")
        return self


class SegmentAnswer(Message):
    """One file."""

    id: int
    start: float
    """Unix s, by the clock of the host."""
    seconds: float
    bytes: int
    codec: str
    is_open: bool
    """It is being written; its address gives what is there so far."""
    url: str | None
    """None: what the camera shows is hidden now."""


class HoleAnswer(Message):
    """Time of which there is no video."""

    start: float
    end: float
    reason: str


class Recordings(Message):
    """What there is of a camera."""

    segments: tuple[SegmentAnswer, ...]
    missing: tuple[HoleAnswer, ...]


def recordings(call: Call, query: RecordingsQuery) -> Recordings:
    """Return what is recorded of a camera between two moments, and what is missing in between.

    One that is configured no more may still have recordings; they are not shown, since it is unknown what it hid.
    """
    folder, camera = _state_dir(call), str(call.request.path_params["camera"])
    if not call.identity.sees(camera):
        raise not_found("camera")
    if not (folder / RECORDINGS).is_dir():
        return Recordings(segments=(), missing=())
    from surveil.recording.footage import read_footage  # noqa: PLC0415 - where something is recorded

    found = read_footage(folder, camera, query.since, query.until)
    shown = not _hides(call, camera)
    return Recordings(
        segments=tuple(
            SegmentAnswer(
                id=one.id, start=one.start, seconds=one.seconds, bytes=one.bytes, codec=one.codec,
                is_open=one.state == "open", url=f"/api/v1/cameras/{camera}/recordings/{one.id}.mp4" if shown else None,
            )
            for one in found.segments
        ),
        missing=tuple(HoleAnswer(start=one.start, end=one.end, reason=one.reason) for one in found.missing),
    )  # fmt: skip


def recording(call: Call) -> Response:
    """Return a file of a recording; parts of it by Range."""
    camera, row = call.camera, str(call.request.path_params["segment"])
    call.check_shown(camera, "`surveil export` on the host")
    if not row.isdecimal() or int(row) > _MOST_ID or not (_state_dir(call) / RECORDINGS).is_dir():
        raise not_found("recording")
    from surveil.recording.files import recording_file  # noqa: PLC0415 - where something is recorded
    from surveil.recording.footage import find_segment  # noqa: PLC0415

    segment = find_segment(_state_dir(call), int(row))
    path = recording_file(_state_dir(call), segment) if segment and segment.camera == camera else None
    if segment is None or path is None or not path.is_file():
        raise not_found("recording: it was deleted, or never was")
    if segment.state == "open":
        return _so_far(path)
    name = f"{camera}-{path.name}"
    shown = "attachment" if "download" in call.request.query_params else "inline"
    headers = {"cache-control": "private, max-age=86400"}
    return FileResponse(path, headers=headers, filename=name, content_disposition_type=shown)


def _so_far(path: Path) -> Response:
    """Return what is whole of a file that is being written."""
    from surveil.recording.boxes import extent  # noqa: PLC0415 - where something is recorded

    size = extent(path).bytes
    headers = {"cache-control": "no-store", "content-length": str(size)}
    return StreamingResponse(_first(path, size), media_type="video/mp4", headers=headers)


def _first(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while size > 0 and (chunk := file.read(min(size, _CHUNK))):
            size -= len(chunk)
            yield chunk


def _state_dir(call: Call) -> Path:
    return call.parts.evidence.parent


def _hides(call: Call, camera: str) -> bool:
    known = call.parts.daemon.config.cameras.get(camera)
    return known is None or known.hides
