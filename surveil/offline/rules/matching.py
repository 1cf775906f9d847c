"""Matches alerts to labelled events: found, late or missed; false, repeated or not counted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from surveil.offline.rules.suite import Event
from surveil.types import Alert

SLACK_S = 1.0
"""Labels are written by people: an alert may come so much before it is due, or after the end of its event."""


class EventOutcome(StrEnum):
    """What became of a labelled event."""

    FOUND = "found"
    LATE = "late"
    """The alert came after its time, while the event lasted."""
    MISSED = "missed"


class Kind(StrEnum):
    """What an alert is worth."""

    TRUE = "true"
    LATE = "late"
    REPEATED = "repeated"
    """About an event that another alert has told of."""
    UNCLEAR = "unclear"
    FALSE = "false"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldAlert:
    """The start of an alert, and when it was told."""

    t: float
    """Stream time of the frame after which it was sent, s."""
    alert: Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedEvent:
    """A labelled event and what became of it."""

    event: Event
    type: str
    """Of its rule."""
    due: float
    """When its rule is to alert, s."""
    verdict: EventOutcome
    told: ToldAlert | None = None
    """The alert that counts; of a late one, too."""

    @property
    def delay_s(self) -> float | None:
        """From when it was due to its alert; None without one."""
        return None if self.told is None else self.told.t - self.due


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedAlert:
    """An alert and what it is worth."""

    told: ToldAlert
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a recording's alerts are worth."""

    events: tuple[JudgedEvent, ...]
    """Without unclear ones, and without those that are over before their rule may alert."""
    alerts: tuple[JudgedAlert, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTime:
    """What of a rule's settings decides when it is to alert."""

    type: str
    after_s: float
    """How long something must last before it alerts."""


def judge(
    told: Sequence[ToldAlert], events: Iterable[Event], rules: Mapping[str, RuleTime], within_s: float
) -> Judged:
    """Compare alerts with labels.

    An event is due `after_s` of its rule after its start; a moment at once. Its alert counts until `within_s` (or the
    event's own) later; while the event lasts a later one is late. Each alert counts once. Events are served in the
    order in which their time runs out, each with the earliest alert: no other choice finds more.
    """
    dues = [_Due(event, rules[event.rule], within_s) for event in events]
    wanted = sorted((d for d in dues if d.counts), key=lambda d: d.until)
    free = dict(enumerate(sorted(told, key=lambda one: one.t)))
    found = {id(d): _take(free, d, d.until) for d in wanted}
    for d in wanted:
        if found[id(d)] is None:
            found[id(d)] = _take(free, d, d.end)
    judged = tuple(_event(d, found[id(d)]) for d in sorted(wanted, key=lambda d: d.due))
    kinds = {
        id(e.told): Kind.TRUE if e.verdict is EventOutcome.FOUND else Kind.LATE for e in judged if e.told
    }
    alerts = tuple(JudgedAlert(told=one, kind=kinds.get(id(one)) or _left_over(one, dues)) for one in told)
    return Judged(events=judged, alerts=alerts)


class _Due:
    """An event with its times."""

    def __init__(self, event: Event, rule: RuleTime, within_s: float) -> None:
        self.event = event
        self.type = rule.type
        self.due = event.start + (rule.after_s if event.end is not None else 0.0)
        self.until = self.due + (within_s if event.within_s is None else event.within_s)
        self.end = self.until if event.end is None else max(self.until, event.end + SLACK_S)
        self.counts = not event.unclear and (event.end is None or self.due <= event.end)

    def is_about(self, alert: Alert) -> bool:
        """Return whether the alert is the rule's and names what the label names."""
        wanted = self.event
        return alert.rule == wanted.rule and all(
            not getattr(wanted, name) or getattr(wanted, name) == getattr(alert, name)
            for name in ("zone", "line", "direction", "label")
        )

    def explains(self, t: float) -> Kind:
        """Return what an alert about it is worth that is not its first one."""
        start, end = self.event.start, self.event.end
        if end is None:
            return Kind.FALSE
        if self.event.unclear:
            return Kind.UNCLEAR if start - SLACK_S <= t <= self.end else Kind.FALSE
        return Kind.REPEATED if self.counts and self.due - SLACK_S <= t <= end + SLACK_S else Kind.FALSE


def _take(free: dict[int, ToldAlert], d: _Due, until: float) -> ToldAlert | None:
    for number, one in free.items():
        if d.due - SLACK_S <= one.t <= until and d.is_about(one.alert):
            return free.pop(number)
    return None


def _event(d: _Due, told: ToldAlert | None) -> JudgedEvent:
    in_time = told is not None and told.t <= d.until
    verdict = EventOutcome.FOUND if in_time else EventOutcome.MISSED if told is None else EventOutcome.LATE
    return JudgedEvent(event=d.event, type=d.type, due=d.due, verdict=verdict, told=told)


def _left_over(one: ToldAlert, dues: Iterable[_Due]) -> Kind:
    """Return what an alert is worth that no event has taken."""
    found = {d.explains(one.t) for d in dues if d.is_about(one.alert)}
    return next((kind for kind in (Kind.UNCLEAR, Kind.REPEATED) if kind in found), Kind.FALSE)
