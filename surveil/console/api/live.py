"""Live pictures: the stream of a page, and of one camera for players, dashboards and tablets."""

from __future__ import annotations

from typing import Literal

from anyio import to_thread
from pydantic import Field
from starlette.responses import Response

from surveil.console.access import Role, Scope
from surveil.console.context import Call
from surveil.console.endpoint import Message
from surveil.console.live.feed import CameraFeed
from surveil.console.live.reasons import WORDS, WhyPictures
from surveil.console.live.responses import LiveResponse
from surveil.console.live.viewer import BOUNDARY, Viewer, ViewerKind
from surveil.console.refusal import Refusal, not_found

_SNAPSHOT_S = 8.0
"""How long a picture may take: an idle camera may be looked at once a group of pictures only."""
_MOST_CAMERAS = 64


class LiveQuery(Message):
    """What a page shows."""

    cameras: str = Field(default="", max_length=4000, description="Ids, separated by commas; empty: all.")
    video: Literal["mp4", "jpeg"] = Field(default="mp4", description="`jpeg`: pictures of all cameras.")
    jpeg: str = Field(
        default="", max_length=4000, description="Ids of cameras of which pictures are wanted, and no video."
    )


class MjpegQuery(Message):
    """How often pictures are wanted."""

    fps: float = Field(default=5.0, ge=0.1, le=5.0, description="Pictures a second at most.")


async def live(call: Call, query: LiveQuery) -> Response:
    """Stream pictures, tracks, events and states of all cameras of a page, in one answer."""
    asked = _names(query.cameras)
    wanted = asked or [name for name in call.parts.daemon.config.cameras if call.identity.sees(name)]
    known = [name for name in wanted if call.parts.live.feed(name) and call.identity.sees(name)]
    if asked and len(known) < len(asked):
        raise not_found("camera")
    if len(known) > _MOST_CAMERAS:
        raise Refusal(
            422, "too_many_cameras", f"a page shows {_MOST_CAMERAS} cameras at most", remedy="ask for fewer"
        )
    pictures = set(_names(query.jpeg))
    cameras = {name: query.video == "mp4" and name not in pictures for name in known}
    return _response(call, ViewerKind.PAGE, cameras, "application/octet-stream")


async def live_mp4(call: Call) -> Response:
    """Stream a camera's own video as fragmented MP4, for players; it ends when the picture's size changes."""
    feed = _feed(call)
    why = call.parts.live.why_no_video(feed)
    if why not in {None, WhyPictures.UNKNOWN}:
        raise Refusal(
            409, "no_video", f"there is no video of this camera: {WORDS[why]}", remedy="use live.mjpeg"
        )
    return _response(call, ViewerKind.PLAYER, {feed.camera: True}, "video/mp4")


async def live_mjpeg(call: Call, query: MjpegQuery) -> Response:
    """Stream pictures of what may be seen, each in the place of the one before."""
    feed = _feed(call)
    kind = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
    return _response(call, ViewerKind.TABLET, {feed.camera: False}, kind, pause_s=1 / query.fps)


async def snapshot(call: Call) -> Response:
    """Return a picture of what may be seen, as of now."""
    feed = _feed(call)
    jpeg = await call.parts.live.picture(feed.camera, _SNAPSHOT_S)
    if jpeg is None:
        raise Refusal(
            503, "no_picture", "the camera has given no picture", remedy="see its state under /api/v1/cameras",
            headers={"retry-after": "5"},
        )  # fmt: skip
    headers = {"cache-control": "no-store", "x-captured-at": f"{jpeg.at:.3f}"}
    return Response(jpeg.data, media_type="image/jpeg", headers=headers)


def _names(listed: str) -> list[str]:
    return [name for name in dict.fromkeys(listed.split(",")) if name]


def _feed(call: Call) -> CameraFeed:
    """Return the feed of the camera in the path. Raises Refusal where there is none."""
    feed = call.parts.live.feed(call.camera)
    if feed is None:
        raise Refusal(
            409, "disabled", "this camera is disabled", remedy="set `enabled: true` in its settings"
        )
    return feed


def _response(
    call: Call, kind: ViewerKind, cameras: dict[str, bool], media_type: str, *, pause_s: float = 0.0
) -> Response:
    parts = call.parts

    async def may_look() -> None:
        identity = await to_thread.run_sync(
            lambda: parts.auth.gate.identify(call.request, Role.VIEWER, Scope.EVIDENCE, changes=False)
        )
        if not all(map(identity.sees, cameras)):
            raise not_found("camera")

    return LiveResponse(parts.live, Viewer(kind), cameras, may_look, media_type=media_type, pause_s=pause_s)
