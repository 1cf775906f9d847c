"""Normality of a camera: learning progress, learning pauses, maps and hours, and accepting a new view."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from starlette.responses import Response

from surveil.clock import Stop, SystemClock
from surveil.console.context import Call
from surveil.console.endpoint import Message
from surveil.console.refusal import not_found
from surveil.features.health.channel import ViewChannel
from surveil.features.health.rule import CAMERA_MOVED
from surveil.features.normality.settings import NormalitySettings

if TYPE_CHECKING:
    from surveil.features.normality.modelfile import LoadedModel
    from surveil.features.normality.store import NormalityStore

_PATIENCE_S = 5.0
"""How long a browser waits for the daemon to take a view; it is taken later all the same."""


class Hour(Message):
    """One hour of the day, local time."""

    watched_s: float
    """Seconds of footage."""
    moving: float
    """Share of them in which something moved, in the liveliest twelfth of the picture; 0 to 1."""


class UsualModel(Message):
    """The model in use."""

    name: str
    seen_s: float
    moving_s: float
    calibration: str
    """What its footage allows, in words."""
    hours: tuple[Hour, ...]
    """24 of them."""


class Normality(Message):
    """What is known of one camera."""

    enabled: bool
    state: str
    """As of `at`; empty while no daemon has said anything."""
    why: str
    at: float | None
    watched_s: float
    share: float
    """Of the footage that vouching for the budget takes, 0 to 1."""
    budget: float
    """Accepted alarms a day."""
    held_s: dict[str, float]
    """Seconds since the start of the daemon that were not learned from, by reason."""
    view_changed: bool
    """The camera was moved: nothing is judged until the view is accepted, or the camera turned back."""
    model: UsualModel | None


class Accepted(Message):
    """What became of a view that was accepted."""

    taken: bool
    """The daemon knows it."""


def normality(call: Call) -> Normality:
    """Return what is usual in front of a camera, and how far learning is."""
    camera = call.parts.daemon.config.cameras[call.camera]
    settings, store = camera.section(NormalitySettings), _store(call)
    note, loaded = store.noted(), store.load() if settings.enabled else None
    return Normality(
        enabled=settings.enabled,
        state=note.state if note else "",
        why=note.reason if note else "",
        at=note.t_wall if note else None,
        watched_s=note.watched_s if note else 0.0,
        share=note.share if note else 0.0,
        budget=settings.budget,
        held_s={reason: s for reason, s in call.parts.daemon.not_learned_s(camera.name).items() if s >= 1},
        view_changed=CAMERA_MOVED in call.parts.history.open_rules(camera.name),
        model=_model(loaded, settings.budget) if loaded else None,
    )


def usual_picture(call: Call) -> Response:
    """Return maps of what is usual where: speed, direction and presence. Hidden areas are blank."""
    # Who looks at no map does not wait for OpenCV.
    from surveil.alerts.privacy import make_hide  # noqa: PLC0415
    from surveil.features.normality.draw import png, usual_maps  # noqa: PLC0415

    loaded = _store(call).load()
    if loaded is None:
        raise not_found("model")
    hide = make_hide(call.parts.daemon.config.hidden(call.camera), None)
    return Response(png(usual_maps(loaded.model, hide)), media_type="image/png")


def accept_view(call: Call) -> Accepted:
    """Take the present view of a camera for the usual one, after it was moved on purpose."""
    name = call.camera
    board = ViewChannel(call.parts.history.path)
    try:
        board.accept(name)
        return Accepted(taken=_taken(board, name))
    finally:
        board.close()


def _taken(board: ViewChannel, camera: str) -> bool:
    """Wait for the daemon, which looks once a second."""
    clock, never, end = SystemClock(), Stop(), time.monotonic() + _PATIENCE_S
    while camera in board.waiting():
        if time.monotonic() > end:
            return False
        clock.sleep(0.1, never)
    return True


def _store(call: Call) -> NormalityStore:
    from surveil.features.normality.store import NormalityStore  # noqa: PLC0415 - as above

    return NormalityStore(call.parts.daemon.config.state_dir, call.camera)


def _model(loaded: LoadedModel, budget: float) -> UsualModel:
    model, hours = loaded.model, loaded.model.hours
    moving = hours.moving.max(axis=(1, 2))
    return UsualModel(
        name=loaded.name,
        seen_s=model.seen.seconds,
        moving_s=model.seen.moving_s,
        calibration=model.threshold(budget).words(),
        hours=tuple(
            Hour(watched_s=round(float(watched)), moving=min(1.0, float(moved / watched)) if watched else 0.0)
            for watched, moved in zip(hours.watched, moving, strict=True)
        ),
    )
