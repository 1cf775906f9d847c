"""A rate limit of alerts per camera and hour, with a digest of the withheld ones: "and 37 more since 14:02".

Pure: the time comes in with the alerts. An hour begins with its first alert. What is withheld is counted in the
ledger (`withheld`: `storm`, and `storm_end` for their ends) and told by the digest, itself an alert; the ends of
withheld events are withheld with them. That a camera is lost is always told: who cuts it may have caused the storm.
The state is small and saved with each commit, so a restart does not open the gate.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

import structlog
from pydantic import Field, TypeAdapter, ValidationError

from surveil.alerts.camerawatch import RULE as CAMERA_LOST
from surveil.alerts.rows import WITHHELD, Entry
from surveil.damage import Damaged, found
from surveil.reasons import Reason
from surveil.settings import Settings
from surveil.types import Alert
from surveil.wording import say

log = structlog.get_logger(__name__)
HOUR_S = 3600.0
RULE = "digest"
STATE_KEY = "storm"
_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://surveil.invalid/storm")


class StormSettings(Settings):
    """Rate limit of alerts per camera."""

    max_per_hour: int = Field(
        default=240,
        ge=0,
        le=100_000,
        description="Maximum number of events per camera and hour; further events are summarised in a digest. 0: no "
        "limit.",
    )


@dataclass(slots=True, kw_only=True)
class _Window:
    """One camera's hour."""

    start: float
    told: int = 0
    withheld: int = 0
    since: float = 0.0
    """When the first one was withheld, Unix s."""
    rules: dict[str, int] = field(default_factory=dict)
    sinks: list[str] | None = field(default_factory=list)
    """Where withheld alerts would have gone; None: to all."""
    events: list[str] = field(default_factory=list)
    """Withheld events that have not ended."""


@dataclass(frozen=True, slots=True)
class StormDecision:
    """What may be committed, and what was withheld."""

    alerts: tuple[Alert, ...]
    withheld: Counter[Entry]


_SAVED = TypeAdapter(dict[str, _Window])
_LAST_S = 1e11
"""No moment is later than this, Unix s."""


def usable(text: str | None) -> str | None:
    """Return a saved state if it can be gone on with; a damaged one is forgotten, so that alerts flow."""
    if text is None or _is_state(text):
        return text
    found.add(Damaged.RECORD)
    log.error("state of the rate limit damaged, reset")
    return None


def _is_state(text: str) -> bool:
    try:
        windows = _SAVED.validate_json(text, strict=True)
    except ValidationError:
        return False
    moments = [t for window in windows.values() for t in (window.start, window.since)]
    return all(0 <= t < _LAST_S for t in moments) and all(
        window.told >= 0 and window.withheld >= 0 for window in windows.values()
    )


class StormCap:
    """Counts alerts. Owned by the alert writer."""

    def __init__(self, settings: StormSettings, state: str | None = None) -> None:
        self._cap = settings.max_per_hour
        saved = json.loads(state) if state else {}
        self._windows = {camera: _Window(**values) for camera, values in saved.items()}

    def dump(self) -> str:
        """Return the state to save."""
        return json.dumps({camera: asdict(window) for camera, window in self._windows.items()})

    def admit(self, alerts: Sequence[Alert]) -> StormDecision:
        """Return which alerts may go, digests that are due first."""
        if not self._cap and not any(window.events for window in self._windows.values()):
            return StormDecision(tuple(alerts), Counter())
        kept: list[Alert] = []
        withheld: Counter[Entry] = Counter()
        for alert in alerts:
            kept += self._turn(alert.camera, alert.t_wall)
            if self._take(alert):
                kept.append(alert)
            else:
                reason = "storm" if alert.phase == "start" else "storm_end"
                withheld[Entry(alert.camera, alert.rule, WITHHELD, reason)] += 1
        return StormDecision(tuple(kept), withheld)

    def tick(self, t_wall: float) -> list[Alert]:
        """Return the digests of hours that are over."""
        return [digest for camera in list(self._windows) for digest in self._turn(camera, t_wall)]

    def _turn(self, camera: str, t_wall: float) -> Iterable[Alert]:
        """End the camera's hour when it is over, or when the clock was set back behind it."""
        window = self._windows.get(camera)
        if window is None or -HOUR_S <= t_wall - window.start < HOUR_S:
            return []
        fresh = _Window(start=t_wall, events=window.events)
        self._windows[camera] = fresh
        if not window.withheld and not window.events:
            del self._windows[camera]
        return [_digest(camera, window, t_wall)] if window.withheld else []

    def _take(self, alert: Alert) -> bool:
        if alert.type == CAMERA_LOST:
            return True
        window = self._windows.setdefault(alert.camera, _Window(start=alert.t_wall))
        if alert.phase == "end":
            if alert.event_id not in window.events:
                return True
            window.events.remove(alert.event_id)
            return False
        if not self._cap or window.told < self._cap:
            window.told += 1
            return True
        _withhold(window, alert)
        return False


def _withhold(window: _Window, alert: Alert) -> None:
    window.since = window.since if window.withheld else alert.t_wall
    window.withheld += 1
    window.rules[alert.rule] = window.rules.get(alert.rule, 0) + 1
    window.events.append(alert.event_id)
    if alert.sinks is None or window.sinks is None:
        window.sinks = None
    else:
        window.sinks = sorted({*window.sinks, *alert.sinks})


def _digest(camera: str, window: _Window, t_wall: float) -> Alert:
    """Return the alert about what was withheld in an hour."""
    since = datetime.fromtimestamp(window.since, UTC).strftime("%H:%M")
    event_id = str(uuid.uuid5(_SPACE, f"{camera}|{window.start:.3f}|{window.since:.3f}"))
    return Alert(
        id=str(uuid.uuid5(uuid.UUID(event_id), "start")),
        event_id=event_id,
        camera=camera,
        rule=RULE,
        type=RULE,
        key="storm",
        phase="start",
        t=0.0,
        t_wall=t_wall,
        score=1.0,
        text=say("and {withheld} more since {since} UTC", withheld=window.withheld, since=since),
        reason=Reason.INSTANT,
        sinks=None if window.sinks is None else tuple(window.sinks),
        details={"withheld": window.withheld, "by_rule": dict(window.rules)},
    )
