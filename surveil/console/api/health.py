"""Picture health of a camera: current and past faults, with pictures from before and after."""

from __future__ import annotations

from surveil.alerts.camerawatch import RULE as LOST
from surveil.alerts.history import EventFilter
from surveil.console.api.events import EventAnswer, told
from surveil.console.context import Call
from surveil.console.endpoint import Message
from surveil.features.health.rule import PictureSettings
from surveil.rules.base import rule_name

_SHOWN = 20


class Health(Message):
    """The picture of one camera."""

    faults: tuple[str, ...]
    """What is wrong with it now."""
    view_changed_at: float | None
    """Unix s: when another view was last taken for the usual one, since the start of the daemon."""
    events: tuple[EventAnswer, ...]
    """Faults and losses that raised an alert, newest first; those that go on have no end."""


def health(call: Call) -> Health:
    """Return what is wrong with a camera's picture, and the last faults with their pictures."""
    camera, history = call.parts.daemon.config.cameras[call.camera], call.parts.history
    rules = [rule_name(rule) for rule in camera.rules if isinstance(rule, PictureSettings)]
    found = [
        event
        for rule in (*rules, LOST)
        for event in history.page(EventFilter(cameras=(camera.name,), rule=rule), limit=_SHOWN).events
    ]
    found.sort(key=lambda event: event.start.t_wall, reverse=True)
    seen = call.parts.daemon.picture(camera.name)
    return Health(
        faults=seen.faults,
        view_changed_at=seen.view_changed_at,
        events=tuple(told(call, one) for one in found[:_SHOWN]),
    )
