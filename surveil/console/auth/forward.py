"""Sends the audit log to a sink, entry by entry, at least once; the log itself is the queue.

The sink gets nothing else, so that its connection and its file have one owner.
"""

from __future__ import annotations

import uuid

import structlog

from surveil.alerts.delivery import Context, Delivery
from surveil.alerts.disk import SYSTEM
from surveil.alerts.sinks import make_sink
from surveil.alerts.sinks.base import Sink, SinkSettings
from surveil.clock import Clock, Stop
from surveil.console.auth.audit import Audit, AuditEntry
from surveil.errors import Refused, Rejected, RetryLater, StateError
from surveil.reasons import Reason
from surveil.types import Alert

log = structlog.get_logger(__name__)

RULE = "audit"
"""Rule and type of an entry where alerts are expected."""
_AT_ONCE = 100
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 300.0
_LONGEST_WISH_S = 3600.0
_MOST_REFUSALS = 12
"""Tries of an entry that the sink refuses: half an hour."""
_TELL_EVERY_S = 600.0
"""How often a sink that stays away is logged."""
_LOOK_S = 0.5
"""How often it looks for the end while there is nothing to do."""


class AuditForwarder:
    """Owned by its own thread."""

    def __init__(self, audit: Audit, settings: SinkSettings, context: Context, clock: Clock) -> None:
        self._audit = audit
        self._sink: Sink = make_sink(settings, context)
        self._name, self._instance = context.name, context.instance
        self._clock = clock
        self._pause_s = self._tell_at = 0.0
        self._refusals = 0
        """How often the sink has refused the entry that is under way."""

    def run(self, stop: Stop) -> None:
        """Deliver until `stop`. What is left is delivered after the next start."""
        try:
            while not stop:
                if self._pause_s:
                    self._clock.sleep(self._pause_s, stop)
                if self.run_once(stop) or self._pause_s:
                    continue
                self._audit.written.wait(_LOOK_S)
                self._audit.written.clear()
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the sink's connection."""
        self._sink.close()

    def run_once(self, stop: Stop) -> int:
        """Deliver what waits; return how many entries were taken, or refused for good."""
        done = 0
        try:
            for n, entry in self._audit.unsent(_AT_ONCE):
                if stop:
                    break
                self._deliver(n, entry)
                self._audit.sent(n)
                done += 1
        except (RetryLater, StateError) as error:
            self._back_off(str(error), getattr(error, "after_s", None))
        except Exception as error:
            # A bug in a sink must not end the daemon.
            log.exception("bug in a sink", sink=self._name)
            self._back_off(f"bug in the sink: {type(error).__name__}")
        else:
            self._pause_s = 0.0
        return done

    def _deliver(self, n: int, entry: AuditEntry) -> None:
        """Raises RetryLater; what the sink refuses again and again is given up, so that others are sent."""
        try:
            self._sink.deliver(Delivery(_alert(n, entry, self._instance)))
        except (Rejected, Refused) as error:
            self._refusals += 1
            if isinstance(error, Refused) and self._refusals < _MOST_REFUSALS:
                raise
            self._audit.count("rejected")
            log.warning("sink rejected an audit entry permanently", sink=self._name, entry=n, why=str(error))
        else:
            self._audit.count("sent")
        self._refusals = 0

    def _back_off(self, why: str, after_s: float | None = None) -> None:
        """Pause twice as long as before; longer when the sink asks for it."""
        now = self._clock.monotonic()
        if not self._pause_s or now >= self._tell_at:
            self._tell_at = now + _TELL_EVERY_S
            log.warning("sink unavailable, audit entries wait", sink=self._name, why=why)
        pause = min(_LONGEST_PAUSE_S, max(_FIRST_PAUSE_S, 2 * self._pause_s))
        self._pause_s = max(pause, min(after_s or 0.0, _LONGEST_WISH_S))


def _alert(n: int, entry: AuditEntry, instance: str) -> Alert:
    """Return an entry as sinks take it; of no camera, and of the same id whenever it is sent again."""
    event = uuid.uuid5(uuid.NAMESPACE_URL, f"{instance}/audit/{n}/{entry.at!r}")
    return Alert(
        id=str(uuid.uuid5(event, "start")),
        event_id=str(event),
        camera=SYSTEM,
        rule=RULE,
        type=RULE,
        key=entry.action,
        phase="start",
        t=0.0,
        t_wall=entry.at,
        score=1.0,
        text=f"{entry.user or 'nobody'} ({entry.address}): {entry.action} {entry.subject}: {entry.status}",
        reason=Reason.INSTANT,
        details={
            "entry": n, "user": entry.user, "origin": entry.origin, "address": entry.address,
            "action": entry.action, "subject": entry.subject, "status": entry.status,
        },
    )  # fmt: skip
