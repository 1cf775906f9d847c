"""Alerts about the daemon's own storage: a disk that takes no more evidence, a database that was damaged.

Pure. The disk's starts with the first picture that is missing, and is read from what the alerts say of theirs.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from surveil.types import Alert

RULE = "storage"
SYSTEM = "system"
"""Stands for the camera in alerts about the daemon itself."""
_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://surveil.invalid/storage")


class DiskWatch:
    """Remembers whether evidence can be stored. Owned by the alert writer."""

    def __init__(self) -> None:
        self.open: Alert | None = None
        """The alert that was told and is not over."""

    def look(self, alerts: Sequence[Alert], t_wall: float) -> list[Alert]:
        """Return what is to be told after alerts got, or did not get, their pictures."""
        said = [a.evidence["snapshot"] for a in alerts if a.phase == "start" and "snapshot" in a.evidence]
        if not said:
            return []
        why = next((s.removeprefix("missing: ") for s in said if s.startswith("missing:")), "")
        if why and self.open is None:
            self.open = _start(why, t_wall)
            return [self.open]
        if not why and self.open is not None:
            start, self.open = self.open, None
            end_id = str(uuid.uuid5(uuid.UUID(start.event_id), "end"))
            end = replace(start, id=end_id, phase="end", t_wall=max(t_wall, start.t_wall), reason="gone")
            return [replace(end, text="evidence is stored again")]
        return []


def damaged(moved: Path, t_wall: float) -> Alert:
    """Return the alert about a damaged database that was moved away; it has no duration."""
    text = f"the outbox database was damaged; what was undelivered is in {moved.name}, a new one is used"
    return replace(_alert("database", text, t_wall), reason="instant")


def _start(why: str, t_wall: float) -> Alert:
    return _alert("evidence", f"evidence cannot be stored, alerts go on without: {why}", t_wall)


def _alert(key: str, text: str, t_wall: float) -> Alert:
    event_id = str(uuid.uuid5(_SPACE, f"{key}|{t_wall:.3f}"))
    return Alert(
        id=str(uuid.uuid5(uuid.UUID(event_id), "start")),
        event_id=event_id,
        camera=SYSTEM,
        rule=RULE,
        type=RULE,
        key=key,
        phase="start",
        t=0.0,
        t_wall=t_wall,
        score=1.0,
        text=text,
    )
