"""One intruder, one notification: events at one site within a minute are one incident.

The first event of a site is notified at once and leads the incident. Others that begin within the time after it, of
any rule and camera of the site, are committed and addressed to no sink; instead the lead is sent again with the reason
`update`, listing them. The lead ends when the last of them has ended. The time counts from the lead's start: what
begins later is a notification of its own, however much goes on.

Pure: times come in with the alerts. Forgotten by a restart, which ends open events anyway.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

from pydantic import Field

from surveil.alerts.rows import UPDATE
from surveil.reasons import Reason
from surveil.settings import Settings
from surveil.types import Alert
from surveil.wording import say

_MOST_LISTED = 50
_WAITED_S = 15.0
"""Longest that a picture waits encoded: cameras are analysed out of order by as much."""
_OWN = frozenset({"camera_lost", "storage", "digest"})
"""Alerts about cameras and the daemon are none of a place."""


class IncidentSettings(Settings):
    """Whether events at one site are one notification."""

    enabled: bool = Field(default=True, description="Group events of cameras with the same `site`.")
    within_s: float = Field(
        default=60.0,
        gt=0,
        le=3600,
        description="Time after the first event in which other events of the site join it.",
    )


@dataclass(slots=True, kw_only=True)
class _Incident:
    """An incident whose lead has not ended, or may still be joined."""

    lead: Alert
    open: set[str]
    """Events that have not ended."""
    joined: tuple[Alert, ...] = ()
    """Starts of the others."""
    end: Alert | None = None
    """The lead's own end, as long as it is held back."""
    last: float = 0.0
    """When the last of the events ended, Unix s."""
    updates: int = 0

    def copy(self) -> _Incident:
        """Return a copy that may be changed."""
        return replace(self, open=set(self.open))


@dataclass(slots=True)
class Incidents:
    """Joins alerts. Owned by the alert writer, which keeps a copy that counts only once it is committed."""

    settings: IncidentSettings = field(default_factory=lambda: IncidentSettings(enabled=False))
    sites: Mapping[str, str] = field(default_factory=dict)
    """Camera → site, of the cameras that have one."""
    closing: bool = False
    """The daemon ends: nothing is held back any more."""
    _open: list[_Incident] = field(default_factory=list)

    def copy(self) -> Incidents:
        """Return a copy that may be changed."""
        return replace(self, _open=[incident.copy() for incident in self._open])

    def admit(self, alerts: Sequence[Alert], now: float) -> list[Alert]:
        """Return what is to be committed instead of `alerts`. `now`: Unix s."""
        made: list[Alert] = []
        for alert in alerts:
            made += self._start(alert, now) if alert.phase == "start" else self._end(alert)
        return [*made, *self._release(now)]

    def _start(self, alert: Alert, now: float) -> Iterator[Alert]:
        site = self.sites.get(alert.camera, "") if self.settings.enabled else ""
        if not site or alert.type in _OWN:
            yield alert
            return
        incident = self._leading(alert, site, now)
        if incident is None:
            lead = replace(alert, details={**alert.details, "site": site, "incident": alert.event_id})
            self._open.append(_Incident(lead=lead, open=_still(alert), last=alert.t_wall))
            yield lead
            return
        incident.joined += (alert,)
        incident.open |= _still(alert)
        incident.last = max(incident.last, alert.t_wall)
        incident.updates += 1
        details = {**alert.details, "site": site, "incident": incident.lead.event_id}
        yield replace(alert, sinks=(), details=details)
        yield _update(incident, alert)

    def _leading(self, alert: Alert, site: str, now: float) -> _Incident | None:
        """Return the incident that an alert joins: where its lead goes to every sink that the alert goes to."""
        for incident in self._open:
            lead = incident.lead
            if self._is_near(alert, lead, now) and lead.details.get("site") == site and _reaches(lead, alert):
                return incident
        return None

    def _is_near(self, alert: Alert, lead: Alert, now: float) -> bool:
        """Whether it begins within the time after the lead, or before it in a picture that waited to be decoded."""
        after = alert.t_wall - lead.t_wall
        if after >= 0:
            return after <= self.settings.within_s
        return -after <= _WAITED_S and now - alert.t_wall <= _WAITED_S

    def _end(self, alert: Alert) -> Iterator[Alert]:
        for incident in self._open:
            if alert.event_id == incident.lead.event_id:
                incident.end = alert
            elif any(alert.event_id == one.event_id for one in incident.joined):
                yield replace(alert, sinks=())
            else:
                continue
            incident.open.discard(alert.event_id)
            incident.last = max(incident.last, alert.t_wall)
            return
        yield alert

    def _release(self, now: float) -> Iterator[Alert]:
        """Return the ends of incidents that are over."""
        over = [one for one in self._open if self._is_over(one, now)]
        self._open = [one for one in self._open if one not in over]
        for incident in over:
            if incident.end is not None or incident.joined:
                yield _finish(incident)

    def _is_over(self, incident: _Incident, now: float) -> bool:
        if self.closing:
            return not incident.open or incident.end is not None
        # A clock that was set back far ends it, too.
        return not incident.open and abs(now - incident.lead.t_wall) > self.settings.within_s


def is_listed(alert: Alert) -> bool:
    """Return whether an alert is a part of an incident that another one leads."""
    return alert.details.get("incident", alert.event_id) != alert.event_id


def _still(alert: Alert) -> set[str]:
    """Return the event as open, unless it has no duration."""
    return set() if alert.reason == Reason.INSTANT else {alert.event_id}


def _reaches(lead: Alert, alert: Alert) -> bool:
    if lead.sinks is None:
        return True
    return alert.sinks is not None and set(alert.sinks) <= set(lead.sinks)


def _update(incident: _Incident, new: Alert) -> Alert:
    """Return the lead with all that has joined."""
    lead = incident.lead
    return replace(
        lead,
        id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{lead.event_id}/update/{new.event_id}")),
        reason=UPDATE,
        text=_text(incident),
        details=_details(incident),
    )


def _finish(incident: _Incident) -> Alert:
    """Return the end of the lead, listing what has joined; made here where the lead has no duration."""
    lead, end = incident.lead, incident.end
    if end is None:
        from surveil.alerts.outbox import end_id  # noqa: PLC0415 - the settings here are read without an outbox

        end = replace(lead, id=end_id(lead.event_id), phase="end", reason=Reason.GONE, evidence={})
    if not incident.joined:
        return end
    t_wall = max(incident.last, end.t_wall, lead.t_wall)
    lasted = {"duration_s": round(t_wall - lead.t_wall, 3)}
    details = {**end.details, **_details(incident), **lasted}
    return replace(end, t_wall=t_wall, text=_text(incident), details=details)


def _text(incident: _Incident) -> str:
    shown = [say("{camera}: {text}", camera=one.camera, text=one.text) for one in incident.joined[-3:]]
    also = reduce(lambda before, one: say("{before}; {one}", before=before, one=one), shown)
    more = len(incident.joined) - len(shown)
    if more:
        return say("{lead}; also {also} and {more} more", lead=incident.lead.text, also=also, more=more)
    return say("{lead}; also {also}", lead=incident.lead.text, also=also)


def _details(incident: _Incident) -> dict[str, object]:
    events = [
        {
            "event_id": one.event_id,
            "camera": one.camera,
            "rule": one.rule,
            "text": one.text,
            "t_wall": one.t_wall,
        }
        for one in (incident.lead, *incident.joined)[:_MOST_LISTED]
    ]
    return {**incident.lead.details, "events": events, "event_count": 1 + len(incident.joined)}
