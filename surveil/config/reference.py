"""The shipped `config.yaml` and the reference page, both made from the settings, so that neither can be wrong."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from surveil.alerts.sinks import SINKS
from surveil.config.file import CameraSettings, FileSettings
from surveil.features.registry import RULES
from surveil.listening import HttpSettings
from surveil.settings import Settings

_HEAD = """\
# surveil configuration: every setting with its default, except that the console is on (`http.console`). Delete the
# settings that you do not change.
# `surveil check` reports every mistake with its line; `surveil schema` prints a JSON Schema for editors.
# Secrets: ${env:NAME}, ${file:/path}, ${credential:NAME} (systemd) inside any text.
"""
_CAMERAS = """\
# The cameras, and the rules that define their events. Zones, lines and masks are points [x, y] in fractions of
# the frame: [0, 0] is the top left corner, [1, 1] the bottom right corner.
cameras: {}
#cameras:
#  gate:
#    url: rtsp://user:${env:GATE_PASSWORD}@192.0.2.7/stream2 # also http(s)://, a file, a folder, /dev/video0
#    zones:
#      yard: [[0.1, 0.4], [0.9, 0.4], [0.9, 1.0], [0.1, 1.0]]
#    lines:
#      door: [[0.5, 0.0], [0.5, 1.0]]
#    rules:
#      - {type: intrusion, zone: yard, classes: [person], after_s: 1.0}
#      - {type: line_crossing, line: door, classes: [person]}
#      - {type: loitering, zone: yard, after_s: 60}
#  shop:
#    streams:
#      detect: rtsp://192.0.2.8/low
#      record: rtsp://192.0.2.8/high
#    detect: {fps: 10}
#    rules:
#      - {type: crowding, count: 10}
"""
_SCHEDULES = """\
# Times at which rules may alert, by name: weekly windows in a time zone. A rule refers to one with
# `schedule: night`. `surveil alerts disarm` switches rules off by hand, whatever the schedule.
schedules: {}
#schedules:
#  night:
#    timezone: Europe/Berlin
#    windows: ["mon-fri 18:00-06:00", "sat,sun 00:00-24:00"]
"""
_SINKS = """\
# Where alerts go. A camera without `sinks:` uses all of them.
sinks: {}
#sinks:
#  ops: {type: webhook, url: "https://ops.example/hook"}
#  archive: {type: file, path: /var/lib/surveil/alerts.jsonl}
"""
_SHIPPED: dict[tuple[type[BaseModel], str], Any] = {(HttpSettings, "console"): True}
"""What the shipped file switches on: the first camera is added in a browser."""
_ELSEWHERE = frozenset({"defaults", "cameras", "rules", "sinks"})
"""Sections whose settings the reference page has under headings of their own."""
_BY_HAND = {"cameras": _CAMERAS, "schedules": _SCHEDULES, "sinks": _SINKS}


def example() -> str:
    """Return the shipped `config.yaml`: every setting with its meaning and its default, and the console on."""
    return _HEAD + "\n" + "\n".join(_section(FileSettings, 0)) + "\n"


def _section(settings: type[BaseModel], depth: int) -> Iterator[str]:
    for name, field in settings.model_fields.items():
        if depth == 0 and name in _BY_HAND:
            yield "\n" + _BY_HAND[name].rstrip()
            continue
        if depth == 0:
            yield ""
        yield from _comment(field.description or "", depth)
        yield from _value(settings, name, field, depth)


def _value(settings: type[BaseModel], name: str, field: FieldInfo, depth: int) -> Iterator[str]:
    indent = "  " * depth
    section = _settings_in(field)
    if section is not None and field.default_factory is not None:
        yield f"{indent}{name}:"
        yield from _section(section, depth + 1)
        return
    default = _SHIPPED.get((settings, name), _default(field))
    yield f"{indent}#{name}:" if default is None else f"{indent}{name}: {_yaml(default)}"


def _comment(text: str, depth: int) -> Iterator[str]:
    indent = "  " * depth + "# "
    yield from textwrap.wrap(text, 110, initial_indent=indent, subsequent_indent=indent)


def _settings_in(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _default(field: FieldInfo) -> Any:
    if field.is_required():
        return 1 if field.annotation else None
    value = field.get_default(call_default_factory=True, validated_data={})
    return None if value is PydanticUndefined else value


def _yaml(value: Any) -> str:
    plain = value.get_secret_value() if isinstance(value, SecretStr) else value
    if isinstance(plain, str) or not isinstance(plain, bool | int | float | list | dict | tuple):
        text = str(plain)
        return json.dumps(text) if any(c in text for c in ":#{}[]\"'") or not text else text
    return json.dumps(plain)


def reference() -> str:
    """Return `docs/configuration.md`."""
    parts = [
        "# Configuration reference",
        (
            "*Reference.* Generated by `make docs` from the settings; do not edit. "
            "The shipped `config.yaml` has the same settings with their defaults, except that the console is on."
        ),
        "## Top level",
        _table(FileSettings),
        "## A camera",
        "The same settings under `defaults` apply to every camera.",
        _table(CameraSettings),
    ]
    for title, settings in (*_nested(CameraSettings), *_nested(FileSettings)):
        parts += [f"### `{title}`", _table(settings)]
    for heading, registry in (("Rules", RULES), ("Sinks", SINKS)):
        parts.append(f"## {heading}")
        for name, kind in registry.items():
            about = (kind.settings.__doc__ or "").strip().splitlines()[0]
            parts += [f"### `type: {name}`", about, _table(kind.settings)]
            for title, settings in _nested(kind.settings):
                parts += [f"#### `{title}`", _table(settings)]
    return "\n\n".join(parts) + "\n"


def _nested(settings: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield (path, settings) of every section in `settings`; those with a heading of their own are left out."""
    for name, field in settings.model_fields.items():
        inner = next(_models(field.annotation), None)
        if inner is not None and name not in _ELSEWHERE:
            yield prefix + name, inner
            yield from _nested(inner, f"{prefix}{name}.")


def _table(settings: type[Settings | BaseModel]) -> str:
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for name, field in settings.model_fields.items():
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        rows.append(f"| `{field.alias or name}` | {_shown(field)} | {meaning}{_range(field)} |")
    return "\n".join(rows)


def _shown(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if _settings_in(field):
        return "see below"
    default = _default(field)
    return "none" if default is None else f"`{_yaml(default)}`"


def _range(field: FieldInfo) -> str:
    words = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    limits = [
        f"{sign} {getattr(m, key):g}"
        for m in field.metadata
        for key, sign in words.items()
        if hasattr(m, key)
    ]
    return f" ({', '.join(limits)})" if limits else ""
