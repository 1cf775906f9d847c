"""The current state of the cameras."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from surveil.console.context import Call
from surveil.console.endpoint import Message
from surveil.console.running import CameraElsewhere, CameraState

_PLAYED = {"h264": "avc1.640028", "av1": "av01.0.08M.08"}
"""Codecs that a browser plays, and what MSE calls a usual one of each."""


class Decode(Message):
    """How a camera is decoded."""

    mode: str
    why: str


class Playable(Message):
    """Whether a browser can play the camera's own stream."""

    codec: str
    mime: str
    """Empty: it cannot."""
    why_not: str


class CameraAnswer(Message):
    """One camera."""

    id: str
    title: str
    state: str
    cause: str
    error: str
    since: float
    lag_s: float
    decode: Decode
    width: int
    height: int
    fps: float
    last_picture_at: float | None
    armed: bool
    """Whether every rule of it is armed."""
    open_events: int
    playable: Playable
    site: str


class Elsewhere(Message):
    """A camera that another node of the fleet has, or none."""

    id: str
    title: str
    node: str
    """Empty: none."""
    console: str
    """URL of the camera in that node's console; empty: unknown."""


class Cameras(Message):
    """All cameras that the user may see."""

    cameras: tuple[CameraAnswer, ...]
    elsewhere: tuple[Elsewhere, ...]
    removed: tuple[str, ...]
    """Cameras of the configuration file that were removed in the console."""
    etag: str
    """Of the running configuration."""


def cameras(call: Call) -> Cameras:
    """Return the state of every camera."""
    daemon = call.parts.daemon
    going_on = call.parts.history.open_by_camera()
    seen = [one for one in daemon.cameras() if call.identity.sees(one.name)]
    hiding = {name for name, camera in daemon.config.cameras.items() if camera.unstored}
    return Cameras(
        cameras=tuple(_answer(call, one, going_on, hides=one.name in hiding) for one in seen),
        elsewhere=tuple(_elsewhere(one) for one in daemon.elsewhere() if call.identity.sees(one.name)),
        removed=tuple(name for name in call.parts.drafts.removed if call.identity.sees(name)),
        etag=daemon.config.digest,
    )


def _answer(call: Call, one: CameraState, going_on: Mapping[str, int], *, hides: bool) -> CameraAnswer:
    return CameraAnswer(
        id=one.name,
        title=one.title or one.name,
        state=one.state,
        cause=one.cause,
        error=call.said(one.error),
        since=one.since,
        lag_s=round(one.lag_s, 3),
        decode=Decode(mode=one.decode.mode if one.decode else "", why=one.decode or ""),
        width=one.size[0],
        height=one.size[1],
        fps=one.fps,
        last_picture_at=one.last_picture_at,
        armed=not one.disarmed,
        open_events=going_on.get(one.name, 0),
        playable=_playable(one.codec, hides=hides),
        site=one.site,
    )


def _elsewhere(one: CameraElsewhere) -> Elsewhere:
    console = f"{one.pages}/console/#/live/{quote(one.name, safe='')}" if one.pages else ""
    return Elsewhere(id=one.name, title=one.title or one.name, node=one.node, console=console)


def _playable(codec: str, *, hides: bool) -> Playable:
    known = _PLAYED.get(codec)
    if hides:
        return Playable(codec=codec, mime="", why_not="hidden areas")
    if not codec or known is None:
        return Playable(codec=codec, mime="", why_not="codec" if codec else "no picture yet")
    return Playable(codec=codec, mime=f'video/mp4; codecs="{known}"', why_not="")
