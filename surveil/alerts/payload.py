"""An alert as JSON, and back.

`schema` is raised when a field is renamed, removed or changes its meaning; new fields do not raise it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime
from types import NoneType
from typing import Any, cast

from surveil.filesystem import read_json
from surveil.types import Alert, Box
from surveil.wording import pack, unpack

SCHEMA = 1
_NAMES = tuple(f.name for f in fields(Alert))


def rfc3339(t_wall: float) -> str:
    """Return Unix seconds as RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(t_wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_dict(alert: Alert) -> dict[str, object]:
    """Return the public form of an alert: what every sink sends. Box in pixels x1 y1 x2 y2, times in s."""
    return {
        "schema": SCHEMA,
        "id": alert.id,
        "event_id": alert.event_id,
        "camera": alert.camera,
        "rule": alert.rule,
        "type": alert.type,
        "phase": alert.phase,
        "time": rfc3339(alert.t_wall),
        "t": _finite(alert.t, 3),
        "score": _finite(alert.score, 4),
        "label": alert.label,
        "zone": alert.zone,
        "line": alert.line,
        "direction": alert.direction,
        "track": alert.track,
        "box": [_finite(v, 1) for v in alert.box] if alert.box else None,
        "text": alert.text,
        "evidence": dict(alert.evidence),
        "reason": alert.reason,
        "degraded": alert.degraded,
        "key": alert.key,
        "details": _plain(alert.details),
        **({"titles": dict(alert.titles)} if alert.titles else {}),
    }


def to_json(alert: Alert) -> str:
    """Return the public form as one line."""
    return json.dumps(to_dict(alert), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def dump(alert: Alert) -> str:
    """Return everything needed to make the same alert again: what the outbox stores."""
    whole = to_dict(alert) | {"t_wall": alert.t_wall, "sinks": alert.sinks}
    whole |= {"said": packed} if (packed := pack(alert.text)) else {}
    return json.dumps(whole, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class DamagedAlertError(ValueError):
    """What is stored of an alert is not what was dumped."""


def load(body: str) -> Alert:
    """Return the alert that was dumped. Raises DamagedAlertError, and nothing else."""
    try:
        raw = read_json(body)
        values: dict[str, Any] = {name: raw[name] for name in _NAMES if name in raw}
        values["sinks"] = None if raw.get("sinks") is None else tuple(raw["sinks"])
        values["box"] = None if raw.get("box") is None else cast("Box", tuple(raw["box"]))
        alert = Alert(**values)
        alert = replace(alert, text=unpack(alert.text, raw["said"])) if "said" in raw else alert
        _prove(alert)
    except (ValueError, TypeError, AttributeError, OverflowError, OSError, RecursionError) as error:
        raise DamagedAlertError(f"{type(error).__name__}: {error}") from error
    return alert


_TEXTS = ("id", "event_id", "camera", "rule", "type", "key", "phase", "text", "label", "zone", "line", "direction",
          "reason")  # fmt: skip
_NUMBERS = (int, float, NoneType)
"""A number that JSON cannot say was dumped as null."""


def _prove(alert: Alert) -> None:
    """Raise ValueError or TypeError unless every sink can make something of the alert."""
    for name in _TEXTS:
        _be(getattr(alert, name), str)
    for value in (alert.t, alert.score, *(alert.box or ())):
        _be(value, *_NUMBERS)
    _be(alert.t_wall, int, float)
    _be(alert.degraded, bool)
    _be(alert.track, int, NoneType)
    _be(alert.details, dict)
    _be(alert.evidence, dict)
    _be(alert.titles, dict)
    for value in (*(alert.sinks or ()), *alert.evidence.values(), *alert.titles.values()):
        _be(value, str)
    if alert.phase not in {"start", "end"} or (alert.box is not None and len(alert.box) != 4):
        raise ValueError(f"phase {alert.phase!r}, box {alert.box!r}")
    if any(is_elsewhere(path) for path in alert.evidence.values() if not path.startswith("missing:")):
        raise ValueError("its evidence lies outside the state directory")
    # Dates have bounds, and half a surrogate pair cannot be sent.
    rfc3339(alert.t_wall)
    to_json(alert).encode()


def _be(value: object, *kinds: type) -> None:
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise TypeError(f"{value!r} is no {kinds[0].__name__}")


def is_elsewhere(path: str) -> bool:
    """Return whether a path that should be relative to the state directory leads out of it."""
    return path.startswith("/") or ".." in path.split("/") or "\0" in path


def _finite(value: float, digits: int) -> float | None:
    """Return the rounded number, or None for what JSON cannot say."""
    return round(float(value), digits) if math.isfinite(value) else None


def _plain(value: object) -> object:
    """Return details as JSON types: numpy scalars and arrays, tuples and sets become plain."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v) for v in value]
    as_list = getattr(value, "tolist", None)
    return _plain(as_list()) if callable(as_list) else str(value)
