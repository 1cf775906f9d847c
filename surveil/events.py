"""Flickering signals become episodes: events that open once and close once.

Episodes are keyed by rule and key (`yard/person`), never by track: an id switch or a reconnect is not a new
event. Every signal has one outcome: it opened an event, joined one, waits (`pending`), or was suppressed
for a reason. Pure: time comes in as an argument.
"""

from __future__ import annotations

import math
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from surveil.reasons import Outcome, Reason, Why
from surveil.types import Event, Signal

OutcomeKey = tuple[str, Outcome, Why]
"""rule, outcome, reason (of suppression)."""
Outcomes = Counter[OutcomeKey]
CREDIT_S = 0.5
"""However long something was signalled, without a signal for longer than this it is not sustained."""
LONGEST_STEP_S = 2.0
"""A longer time between two frames is a hole in the stream."""
_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://surveil.invalid/event")
Known = TypeVar("Known")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPolicy:
    """How one rule's signals become events."""

    name: str
    type: str
    after_s: float
    linger_s: float
    cooldown_s: float


@dataclass(frozen=True, slots=True)
class Transition:
    """An event has opened or ended."""

    event: Event
    ended: Why = ""
    """Why it ended; empty: it has opened."""


@dataclass(slots=True, kw_only=True)
class _Episode:
    """One key of one rule while it is signalled."""

    first: float
    """Since when it has been sustained, s."""
    last: float
    """When it was last signalled, s."""
    away_since: float
    """Since when it may have been over, s; later than `last` when there were no pictures meanwhile."""
    credit_s: float = 0.0
    """For how much longer than not it was signalled lately; below 0 it was not sustained, and begins again."""
    waiting: int = 0
    """Signals whose outcome is not decided."""
    event: Event | None = None
    best: Signal | None = None


@dataclass(slots=True, kw_only=True)
class Episodes:
    """All episodes of one camera. Owned by its engine."""

    camera: str
    policies: list[EventPolicy]
    _open: dict[tuple[int, str], _Episode] = field(default_factory=dict)
    _quiet_until: dict[tuple[int, str], float] = field(default_factory=dict)
    _ended: dict[tuple[int, str], float] = field(default_factory=dict)
    """Stream time (s) at which the event before ended, by key."""
    _t: float | None = None
    _dt: float = 0.0
    """Seconds since the frame before."""

    @property
    def events(self) -> list[Event]:
        """The events that are open."""
        return [e.event for e in self._open.values() if e.event is not None]

    def pending(self) -> Counter[str]:
        """Signals that wait for their outcome, by rule."""
        waits: Counter[str] = Counter()
        for (index, _), episode in self._open.items():
            waits[self.policies[index].name] += episode.waiting
        return waits

    def step(
        self, t: float, t_wall: float, signals: Iterable[tuple[int, Signal]], outcomes: Outcomes
    ) -> list[Transition]:
        """Take one frame's signals, each with the index of its rule; return what opened and what ended."""
        changes: list[Transition] = []
        self._dt = 0.0 if self._t is None else min(max(0.0, t - self._t), LONGEST_STEP_S)
        self._t = t
        for index, signal in signals:
            if signal.instant:
                changes += self._instant(index, signal, t, t_wall, outcomes)
            else:
                changes += self._take(index, signal, t, t_wall, outcomes)
        return changes + self._fade(t, outcomes)

    def _instant(
        self, index: int, signal: Signal, t: float, t_wall: float, outcomes: Outcomes
    ) -> list[Transition]:
        """Open and end at once what has no duration."""
        policy, key = self.policies[index], (index, signal.key)
        if t < self._quiet_until.get(key, t):
            outcomes[policy.name, Outcome.SUPPRESSED, Reason.COOLDOWN] += 1
            return []
        outcomes[policy.name, Outcome.OPENED, ""] += 1
        self._charge(key, t)
        began = t if signal.since is None else signal.since
        # Two may cross in one frame: the track tells their ids apart.
        event = self._event(index, signal, began, t_wall - (t - began), f"{signal.key}#{signal.track}")
        return [Transition(event), Transition(replace(event, t_end=began), Reason.INSTANT)]

    def _take(
        self, index: int, signal: Signal, t: float, t_wall: float, outcomes: Outcomes
    ) -> list[Transition]:
        policy, key = self.policies[index], (index, signal.key)
        episode = self._open.setdefault(key, _Episode(first=t, last=-math.inf, away_since=t))
        self._sustain(episode, t)
        if signal.since is not None and episode.event is None:
            # A stay can outlast its event. The next one goes on from there: from the entry on it would be the same one.
            episode.first = min(episode.first, max(signal.since, self._ended.get(key, -math.inf)))
        if episode.best is None or signal.score > episode.best.score:
            episode.best = signal
        if episode.event is not None:
            outcomes[policy.name, Outcome.JOINED, ""] += 1
            return []
        if t < self._quiet_until.get(key, t):
            outcomes[policy.name, Outcome.SUPPRESSED, Reason.COOLDOWN] += 1
            episode.first = t
            return []
        episode.waiting += 1
        if t - episode.first < policy.after_s:
            return []
        # Those that waited have joined the event they led to.
        outcomes[policy.name, Outcome.OPENED, ""] += 1
        if episode.waiting > 1:
            outcomes[policy.name, Outcome.JOINED, ""] += episode.waiting - 1
        episode.waiting = 0
        # It began with the first signal, not when it had lasted for long enough.
        began_wall = t_wall - (t - episode.first)
        episode.event = self._event(index, signal, episode.first, began_wall, signal.key)
        self._charge(key, t)
        return [Transition(episode.event)]

    def _sustain(self, episode: _Episode, t: float) -> None:
        """Note that the episode is signalled in the frame at `t`."""
        if episode.last == t:
            return
        episode.last = episode.away_since = t
        if episode.credit_s < 0:
            episode.first, episode.credit_s = t, 0.0
        episode.credit_s = min(episode.credit_s + self._dt, max(CREDIT_S, self._dt))

    def _lapse(self, t: float) -> None:
        """Note what waits and is not signalled in the frame at `t`: a few looks now and then last for no time."""
        for episode in self._open.values():
            if episode.event is None and episode.last != t:
                episode.credit_s -= self._dt

    def _event(self, index: int, signal: Signal, t: float, t_wall: float, name: str) -> Event:
        policy = self.policies[index]
        made_of = f"{self.camera}|{policy.name}|{policy.type}|{name}|{t_wall:.3f}"
        event_id = str(uuid.uuid5(_SPACE, made_of))
        return Event(
            id=event_id,
            camera=self.camera,
            rule=policy.name,
            type=policy.type,
            key=signal.key,
            t_start=t,
            t_wall_start=t_wall,
            signal=signal,
        )

    def _charge(self, key: tuple[int, str], t: float) -> None:
        if self.policies[key[0]].cooldown_s > 0:
            self._quiet_until[key] = t + self.policies[key[0]].cooldown_s

    def _fade(self, t: float, outcomes: Outcomes) -> list[Transition]:
        """End what was not signalled for longer than it may linger."""
        self._lapse(t)
        gone = [key for key, e in self._open.items() if t - e.away_since > self.policies[key[0]].linger_s]
        return self._end(gone, outcomes, Reason.GONE, Reason.TOO_SHORT)

    def _end(
        self, keys: Iterable[tuple[int, str]], outcomes: Outcomes, reason: Reason, pending_reason: Reason
    ) -> list[Transition]:
        changes: list[Transition] = []
        for key in keys:
            episode = self._open.pop(key)
            if episode.waiting:
                outcomes[self.policies[key[0]].name, Outcome.SUPPRESSED, pending_reason] += episode.waiting
            if episode.event is not None:
                self._ended[key] = episode.last
                best = episode.best or episode.event.signal
                changes.append(Transition(replace(episode.event, t_end=episode.last, signal=best), reason))
        return changes

    def resume(self, t: float) -> None:
        """The camera is back: the time without it counts neither as absence nor as presence."""
        self._t = t
        for episode in self._open.values():
            away_s, episode.away_since = max(0.0, t - episode.away_since), max(episode.away_since, t)
            if episode.event is None:
                episode.first += away_s

    def end_all(self, outcomes: Outcomes, reason: Reason) -> list[Transition]:
        """End every episode."""
        return self._end(list(self._open), outcomes, reason, reason)

    def end_rules(self, why: Mapping[int, Reason], outcomes: Outcomes) -> list[Transition]:
        """End the episodes of some rules, each for its reason."""
        changes: list[Transition] = []
        for index, reason in why.items():
            keys = [key for key in self._open if key[0] == index]
            changes += self._end(keys, outcomes, reason, reason)
        return changes

    def replace(
        self, policies: Sequence[EventPolicy], kept: Mapping[int, int], outcomes: Outcomes, reason: Reason
    ) -> list[Transition]:
        """Go on with other rules. `kept`: old → new index of those that stay; episodes of the others end."""
        changes = self._end([key for key in self._open if key[0] not in kept], outcomes, reason, reason)
        self.policies = list(policies)
        self._open = _reindexed(self._open, kept)
        self._quiet_until = _reindexed(self._quiet_until, kept)
        self._ended = _reindexed(self._ended, kept)
        return changes


def _reindexed(of: Mapping[tuple[int, str], Known], kept: Mapping[int, int]) -> dict[tuple[int, str], Known]:
    """Return what is known of the rules that stay, under their new index."""
    return {(kept[index], key): known for (index, key), known in of.items() if index in kept}
