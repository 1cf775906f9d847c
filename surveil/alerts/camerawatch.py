"""Alerts about cameras: lost, and back again.

Pure: states and times come in. An alert starts when no picture has come for `after_s`, and ends when pictures
have come for `back_after_s` without a break, so that a camera that flaps is one event. Nor does a shorter return
begin the count again: a camera that is reset every few seconds is lost.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import Field

from surveil.reasons import Reason
from surveil.settings import Settings
from surveil.types import Alert
from surveil.wording import Said, say

RULE = "camera_lost"
_UP = frozenset({"streaming", "degraded", "catching_up"})
_QUIET = frozenset({"disabled", "ended"})
_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://surveil.invalid/camera")


class CameraWatchSettings(Settings):
    """When a camera without pictures is an alert."""

    enabled: bool = Field(default=True, description="Alert when a camera is lost and when it is back.")
    after_s: float = Field(
        default=30.0,
        ge=0,
        le=86_400,
        description="Total time without video after which the alert is raised. Interruptions add up until the camera "
        "has sent video for `back_after_s` without one.",
    )
    back_after_s: float = Field(
        default=10.0,
        ge=0,
        le=3600,
        description="Time of uninterrupted video after which the camera counts as back.",
    )


@dataclass(frozen=True, slots=True)
class StreamCondition:
    """What is known of a camera now."""

    state: str
    """One of `metrics.STATES`."""
    cause: str = ""
    """Why it was lost last."""


@dataclass(slots=True, kw_only=True)
class _Watched:
    down_since: float | None = None
    down_wall: float = 0.0
    down_s: float = 0.0
    """Without pictures since then, in all."""
    seen: tuple[bool, float] | None = None
    """Whether there were pictures at the last look, and when that was."""
    came_back: bool = False
    up_since: float | None = None
    start: Alert | None = None


class CameraWatch:
    """Turns cameras' states into alerts. Owned by the thread that calls `step`."""

    def __init__(self, settings: CameraWatchSettings, sinks: Mapping[str, tuple[str, ...] | None]) -> None:
        self._settings = settings
        self._sinks = dict(sinks)
        """Camera → where its alerts go."""
        self._titles: dict[str, str] = {}
        self._cameras = {name: _Watched() for name in sinks}

    def follow(self, camera: str, sinks: tuple[str, ...] | None, title: str = "") -> None:
        """Watch a camera, or tell of it elsewhere, or by another title, from now on."""
        self._sinks[camera] = sinks
        self._titles[camera] = title
        self._cameras.setdefault(camera, _Watched())

    def leave(self, camera: str, t: float, reason: Reason = Reason.CONFIG) -> list[Alert]:
        """Watch a camera no more; return the end of what was told of it."""
        watched = self._cameras.pop(camera, _Watched())
        self._sinks.pop(camera, None)
        self._titles.pop(camera, None)
        return [_end(watched, watched.start, t, reason)] if watched.start else []

    def retune(self, settings: CameraWatchSettings, t: float) -> list[Alert]:
        """Watch by other settings; return the ends of what is told of no more."""
        self._settings = settings
        told = [w for w in self._cameras.values() if w.start and not settings.enabled]
        ends = [_end(w, w.start, t, Reason.CONFIG) for w in told if w.start]
        for watched in told:
            watched.start = watched.down_since = None
        return ends

    def step(self, sights: Mapping[str, StreamCondition], t: float, t_wall: float) -> list[Alert]:
        """Return what is to be told. `t`: monotonic s."""
        if not self._settings.enabled:
            return []
        alerts: list[Alert] = []
        for name, watched in self._cameras.items():
            sight = sights.get(name)
            if sight and sight.state not in _QUIET:
                alerts += self._look(name, watched, sight, t, t_wall)
        return alerts

    def _look(
        self, name: str, watched: _Watched, sight: StreamCondition, t: float, t_wall: float
    ) -> list[Alert]:
        is_up = sight.state in _UP
        if watched.seen and not watched.seen[0] and watched.down_since is not None:
            watched.down_s += t - watched.seen[1]
        watched.seen = (is_up, t)
        if is_up:
            return self._up(watched, t)
        watched.came_back |= watched.up_since is not None
        watched.up_since = None
        if watched.down_since is None:
            watched.down_since, watched.down_wall, watched.down_s, watched.came_back = t, t_wall, 0.0, False
        if watched.start is not None or watched.down_s < self._settings.after_s:
            return []
        watched.start = self._lost(name, watched, sight, t)
        return [watched.start]

    def _up(self, watched: _Watched, t: float) -> list[Alert]:
        watched.up_since = t if watched.up_since is None else watched.up_since
        if t - watched.up_since < self._settings.back_after_s:
            return []
        start, ended = watched.start, []
        if start is not None:
            end = _end(watched, start, t, Reason.BACK)
            ended = [replace(end, text=say("camera {camera} is back", camera=end.title("camera")))]
        watched.start = watched.down_since = None
        return ended

    def _lost(self, name: str, watched: _Watched, sight: StreamCondition, t: float) -> Alert:
        t_wall, title = watched.down_wall, self._titles.get(name, "")
        event_id = str(uuid.uuid5(_SPACE, f"{name}|{t_wall:.3f}"))
        return Alert(
            id=str(uuid.uuid5(uuid.UUID(event_id), "start")),
            event_id=event_id,
            camera=name,
            rule=RULE,
            type=RULE,
            key="camera",
            phase="start",
            t=t,
            t_wall=t_wall,
            score=1.0,
            text=_text(title or name, sight.cause, again=watched.came_back),
            sinks=self._sinks[name],
            details={"state": sight.state, "cause": sight.cause},
            titles={"camera": title} if title else {},
        )


def _end(watched: _Watched, start: Alert, t: float, reason: Reason) -> Alert:
    """Return the alert that ends what `start` began; the camera was away until it came back, or until now.

    Its time is the start's and what has passed since: a clock that was stepped makes no event longer or negative.
    """
    until = t if watched.up_since is None else watched.up_since
    since = until if watched.down_since is None else watched.down_since
    return replace(
        start,
        id=str(uuid.uuid5(uuid.UUID(start.event_id), "end")),
        phase="end",
        t=t,
        t_wall=start.t_wall + t - since,
        reason=reason,
        details={"duration_s": round(until - since, 3)},
    )


def _text(camera: str, cause: str, *, again: bool) -> Said:
    if again and cause:
        return say("camera {camera} is lost repeatedly: {cause}", camera=camera, cause=cause)
    if again:
        return say("camera {camera} is lost repeatedly", camera=camera)
    if cause:
        return say("camera {camera} sends no pictures: {cause}", camera=camera, cause=cause)
    return say("camera {camera} sends no pictures", camera=camera)
