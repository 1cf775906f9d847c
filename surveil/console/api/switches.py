"""Arming and disarming of rules, by rule, camera or site."""

from __future__ import annotations

from pydantic import Field

from surveil.alerts import arming
from surveil.alerts.arming import ArmingChannel, Disarmed, RuleKey, Switches
from surveil.console.context import Call
from surveil.console.endpoint import Message
from surveil.console.refusal import Refusal, not_found
from surveil.rules.base import rule_name


class Switch(Message):
    """One rule."""

    camera: str
    camera_title: str
    rule: str
    title: str
    site: str
    armed: bool
    changes_at: float | None
    """Unix s: when it is armed or disarmed again by itself; null: it is not."""


class SwitchList(Message):
    """All rules of the cameras that the user may see."""

    rules: tuple[Switch, ...]


class SwitchBody(Message):
    """Which rules are switched; without camera, site and rule all of them."""

    camera: str = Field(default="", max_length=80)
    rule: str = Field(default="", max_length=80)
    site: str = Field(default="", max_length=80)
    armed: bool
    until: float | None = Field(default=None, description="Unix s: when the rules go back; null: never.")


def switches(call: Call) -> SwitchList:
    """Return which rules are armed."""
    board = ArmingChannel(call.parts.history.path)
    try:
        return _list(call, board.read())
    finally:
        board.close()


def switch(call: Call, body: SwitchBody) -> SwitchList:
    """Arm or disarm rules; a running daemon follows within two seconds."""
    now = call.parts.clock.wall()
    keys = _meant(call, body)
    if body.until is not None and body.until <= now:
        raise Refusal(422, "invalid", "the end is in the past", remedy="give a later time, or none")
    for_s = None if body.until is None else body.until - now
    change = (arming.arm if body.armed else arming.disarm)(keys, now, for_s)
    board = ArmingChannel(call.parts.history.path)
    try:
        return _list(call, board.change(change, now))
    finally:
        board.close()


def _meant(call: Call, body: SwitchBody) -> list[RuleKey]:
    """Return the rules that are meant, none of a camera that the user may not see. Raises Refusal without any."""
    keys = [
        (camera.name, name)
        for camera in call.parts.daemon.config.cameras.values()
        if call.identity.sees(camera.name)
        and body.camera in {"", camera.name}
        and (not body.site or camera.site == body.site)
        for name in map(rule_name, camera.rules)
        if body.rule in {"", name}
    ]
    if not keys:
        raise not_found("rule")
    return keys


def _list(call: Call, found: Switches) -> SwitchList:
    now = call.parts.clock.wall()
    return SwitchList(
        rules=tuple(
            Switch(
                camera=camera.name,
                camera_title=camera.titles.camera or camera.name,
                rule=name,
                title=camera.titles.rules.get(name, name),
                site=camera.site,
                armed=not ((one := found.get((camera.name, name))) and one.holds(now)),
                changes_at=_changes_at(one, now),
            )
            for camera in call.parts.daemon.config.cameras.values()
            if call.identity.sees(camera.name)
            for name in map(rule_name, camera.rules)
        )
    )


def _changes_at(switch: Disarmed | None, now: float) -> float | None:
    if switch is None:
        return None
    moment = switch.since if switch.since > now else switch.until
    return None if moment is None or moment <= now else moment
