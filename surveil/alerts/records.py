"""An alert from its row: complete if the row is intact, otherwise from the columns that can be read.

A damaged record loses its details, but the alert is still delivered.
"""

from __future__ import annotations

import math
import uuid
from dataclasses import replace
from datetime import UTC, datetime

from surveil.alerts.payload import DamagedAlertError, load
from surveil.types import Alert
from surveil.wording import say

COLUMNS = "a.seq, a.body, a.id, a.event_id, a.camera, a.rule, a.phase, a.t_wall"
"""What `alert_of` takes, of `alerts a`."""
LOST = say("the record of this alert was damaged, its details are lost")
Row = tuple[object, ...]


def alert_of(row: Row) -> tuple[Alert, bool]:
    """Return the alert of a row of `COLUMNS`, and whether it is whole."""
    seq, body, *columns = row
    try:
        alert = load(body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body))
    except DamagedAlertError:
        return _rebuilt(seq, *columns), False
    # The columns are what an event's start and end are paired by.
    id_, event_id = text_of(columns[0]) or alert.id, text_of(columns[1]) or alert.event_id
    if (id_, event_id) != (alert.id, alert.event_id):
        alert = replace(alert, id=id_, event_id=event_id)
    return alert, True


def _rebuilt(
    seq: object, id_: object, event_id: object, camera: object, rule: object, phase: object, t_wall: object
) -> Alert:
    named = text_of(rule) or "unknown"
    event = text_of(event_id) or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{seq}"))
    return Alert(
        id=text_of(id_) or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event}/{phase}")),
        event_id=event,
        camera=text_of(camera) or "unknown",
        rule=named,
        type=named,
        key="damaged",
        phase="end" if phase == "end" else "start",
        t=0.0,
        t_wall=moment_of(t_wall),
        score=0.0,
        text=LOST,
        degraded=True,
        details={"damaged": True},
    )


def text_of(value: object) -> str:
    """Return a column as text that can be sent; empty for what is none."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


def number_of(value: object, default: float = 0.0) -> float:
    """Return a column as a finite number."""
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    return default


def moment_of(value: object) -> float:
    """Return a column as Unix seconds that are a date; 0 for what is none."""
    t_wall = number_of(value)
    try:
        datetime.fromtimestamp(t_wall, UTC)
    except (ValueError, OverflowError, OSError):
        return 0.0
    return t_wall
