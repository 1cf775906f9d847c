"""Retained MQTT topics for cameras and zones, and Home Assistant's discovery of them. Pure."""

from __future__ import annotations

import json
import re
from typing import cast

from surveil.alerts.camerawatch import RULE as CAMERA_LOST
from surveil.alerts.delivery import Camera, InstallationStatus
from surveil.alerts.disk import RULE as STORAGE
from surveil.alerts.disk import SYSTEM
from surveil.alerts.rows import UPDATE
from surveil.alerts.storm import RULE as DIGEST
from surveil.types import Alert
from surveil.wording import Language, in_language, say

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_IN_ID = re.compile(r"[^A-Za-z0-9-]")
_TEST = "test"
"""The rule of test messages."""
_UP = ("streaming", "degraded", "catching_up")
Entity = tuple[str, tuple[str, ...], dict[str, object]]
"""Component, what tells it apart from others of the camera, configuration."""


def topic_part(name: str) -> str:
    """Return a name as one level of a topic."""
    return _UNSAFE.sub("_", name) or "_"


def unique_id(*parts: str) -> str:
    """Return names as one id of letters, digits, `_` and `-` that no other names have.

    A `_` between parts is single and one within a part is doubled, so that camera `yard` with zone `state` is another
    than camera `yard_zone`. Parts begin with a letter or digit.
    """
    return "_".join(_IN_ID.sub(_escaped, part) for part in ("surveil", *parts))


def _escaped(found: re.Match[str]) -> str:
    return "__" if found[0] == "_" else f"_-{ord(found[0]):x}-"


def states(base: str, status: InstallationStatus) -> dict[str, bytes]:
    """Return topic → payload of the retained states of cameras and zones."""
    occupied = {(alert.camera, alert.zone) for alert in status.open if alert.zone}
    said: dict[str, bytes] = {}
    for name, camera in status.cameras.items():
        said[f"{base}/{topic_part(name)}/state"] = camera.state.encode()
        for zone in camera.zones:
            there = b"ON" if (name, zone) in occupied else b"OFF"
            said[f"{base}/{topic_part(name)}/zone/{topic_part(zone)}"] = there
    return said


def discovery(
    prefix: str,
    base: str,
    instance: str,
    status: InstallationStatus,
    *,
    switches: bool = False,
    language: Language = Language.ENGLISH,
) -> dict[str, bytes]:
    """Return topic → payload that make cameras, zones and alerts, and switches if wanted, entities of Home Assistant.

    See https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery.
    """
    said: dict[str, bytes] = {}
    shown = {SYSTEM: [_alerts(f"{base}/{SYSTEM}", [*_kinds(STORAGE), DIGEST, _TEST])]} | {
        name: _entities(f"{base}/{topic_part(name)}", camera, switches=switches)
        for name, camera in status.cameras.items()
    }
    for name, entities in shown.items():
        for component, key, config in entities:
            unique = unique_id(instance, name, *key)
            config["name"] = in_language(cast("str", config["name"]), language)
            config |= {
                "unique_id": unique,
                "availability_topic": f"{base}/status",
                "device": {
                    "identifiers": [unique_id(instance, name)],
                    "name": (status.cameras[name].titles.camera if name in status.cameras else "") or name,
                    "manufacturer": "surveil",
                    "model": "camera" if name in status.cameras else "daemon",
                },
            }
            said[f"{prefix}/{component}/{unique}/config"] = json.dumps(config, sort_keys=True).encode()
    return said


def event_type(alert: Alert) -> str:
    """Return what an alert is to Home Assistant."""
    if alert.phase == "end":
        return f"{alert.rule}_end"
    return f"{alert.rule}_update" if alert.reason == UPDATE else alert.rule


def _kinds(*rules: str) -> list[str]:
    """Return the types of events that alerts of the rules are."""
    return [kind for rule in dict.fromkeys(rules) for kind in (rule, f"{rule}_end")]


def _alerts(topic: str, kinds: list[str]) -> Entity:
    """Return the entity of alerts; one of a type that it does not declare is an error to Home Assistant."""
    return "event", ("alert",), {"name": say("Alert"), "state_topic": f"{topic}/alert", "event_types": kinds}


def _entities(topic: str, camera: Camera, *, switches: bool) -> list[Entity]:
    """Return the entities of a camera."""
    up = " or ".join(f"value == '{state}'" for state in _UP)
    updates = [f"{rule}_update" for rule in dict.fromkeys(camera.rules)] if camera.site else []
    made: list[Entity] = [
        (
            "binary_sensor",
            ("state",),
            {
                "name": say("Connected"),
                "state_topic": f"{topic}/state",
                "device_class": "connectivity",
                "value_template": f"{{{{ 'ON' if {up} else 'OFF' }}}}",
            },
        ),
        _alerts(topic, [*_kinds(*camera.rules, CAMERA_LOST), DIGEST, *updates]),
        (
            "image",
            ("snapshot",),
            {"name": say("Last alert"), "image_topic": f"{topic}/snapshot", "content_type": "image/jpeg"},
        ),
    ]
    made += [
        (
            "binary_sensor",
            ("zone", zone),
            {
                "name": camera.titles.zones.get(zone, zone),
                "state_topic": f"{topic}/zone/{topic_part(zone)}",
                "device_class": "occupancy",
            },
        )
        for zone in camera.zones
    ]
    if switches and camera.rules:
        switch = {
            "name": say("Armed"),
            "state_topic": f"{topic}/armed",
            "command_topic": f"{topic}/armed/set",
        }
        made.append(("switch", ("armed",), {**switch, "icon": "mdi:shield-home"}))
    return made
