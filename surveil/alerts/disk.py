"""Alerts about the daemon's own storage: a full disk, a damaged database.

Pure. The disk's starts with the first picture or clip that is missing, and is read from what the alerts say of theirs.
It ends when one of the same kind is stored (a picture may still fit where a clip does not) and none has failed for
five minutes (small pictures may still fit where large ones do not).
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from surveil.reasons import Reason
from surveil.types import Alert
from surveil.wording import say

RULE = "storage"
SYSTEM = "system"
"""Stands for the camera in alerts about the daemon itself."""
_KINDS = (("start", "snapshot"), ("end", "clip"))
"""The phase of the alerts that name it, and the kind of evidence."""
_ERRORS = frozenset(map(os.strerror, errno.errorcode)) | {"write failed"}
CALM_S = 300.0
"""How long nothing must fail before the alert ends."""
_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://surveil.invalid/storage")


class DiskWatch:
    """Remembers whether evidence can be stored. Owned by the alert writer."""

    def __init__(self) -> None:
        self.open: Alert | None = None
        """The alert that was told and is not over."""
        self._failed_at = 0.0
        self._is_stored = False
        """Whether the last one of its kind was stored."""

    def reset(self, was_open: Alert | None) -> None:
        """Take back a look whose alert was not committed."""
        self.open = was_open

    def look(self, alerts: Sequence[Alert], t: float, t_wall: float) -> list[Alert]:
        """Return what is to be told after alerts got, or did not get, their pictures. `t`: monotonic s."""
        said = {kind: _said(alerts, phase, kind) for phase, kind in _KINDS}
        if self.open is None:
            kind, why = next(((k, why) for k, whys in said.items() for why in whys if why), ("", ""))
            self.open = _start(kind, why, t_wall) if why else None
            self._failed_at, self._is_stored = t, False
            return [self.open] if self.open else []
        if same := said[str(self.open.details["kind"])]:
            self._is_stored = not any(same)
            self._failed_at = self._failed_at if self._is_stored else t
        if not self._is_stored or t - self._failed_at < CALM_S:
            return []
        start, self.open = self.open, None
        return [_over(start, t_wall)]


def _over(start: Alert, t_wall: float) -> Alert:
    """Return the end of the alert about evidence."""
    end_id = str(uuid.uuid5(uuid.UUID(start.event_id), "end"))
    end = replace(start, id=end_id, phase="end", t_wall=max(t_wall, start.t_wall), reason=Reason.GONE)
    return replace(end, text=say("evidence is stored again"))


def _said(alerts: Sequence[Alert], phase: str, kind: str) -> list[str]:
    """Return for each picture or clip that was stored an empty text, and why where the disk did not take it."""
    told = [a.evidence[kind] for a in alerts if a.phase == phase and kind in a.evidence]
    found = [s.removeprefix("missing: ") if s.startswith("missing:") else "" for s in told]
    # There are other reasons for no clip: no packets, a mask.
    return found if kind == "snapshot" else [why for why in found if not why or why in _ERRORS]


def damaged(moved: Path, t_wall: float, salvaged: int = 0) -> Alert:
    """Return the alert about a damaged database that was moved away; it has no duration."""
    text = say(
        "the outbox database was damaged and replaced by a new one; undelivered alerts are in {file}",
        file=moved.name,
    )
    if salvaged:
        text = say(
            "the outbox database was damaged; {salvaged} alerts were recovered into a new one, "
            "the unreadable rest is in {file}",
            salvaged=salvaged,
            file=moved.name,
        )
    return replace(_alert("database", text, t_wall), reason=Reason.INSTANT, details={"salvaged": salvaged})


def damaged_records(n: int, t_wall: float) -> Alert:
    """Return the alert about damaged rows of a database that goes on; it has no duration."""
    text = say("damaged records of the outbox database were repaired or dropped: {records}", records=n)
    return replace(_alert("records", text, t_wall), reason=Reason.INSTANT, details={"records": n})


def damaged_file(key: str, text: str, t_wall: float) -> Alert:
    """Return the alert about another damaged file that is not used; it has no duration."""
    event_id = str(uuid.uuid5(_SPACE, f"{key}|{text}|{t_wall:.3f}"))
    start = str(uuid.uuid5(uuid.UUID(event_id), "start"))
    return replace(_alert(key, text, t_wall), id=start, event_id=event_id, reason=Reason.INSTANT)


def _start(kind: str, why: str, t_wall: float) -> Alert:
    text = say("evidence cannot be stored, alerts continue without it: {why}", why=why)
    start = _alert("evidence", text, t_wall)
    return replace(start, details={"kind": kind})


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
