"""The heart: observations of one camera in, alerts out. No threads, no clock, no I/O.

The same observations give the same alerts, live or in a replay at any speed.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from surveil.events import Change, Episodes, Habit, Outcomes
from surveil.rules.base import Rule, name_of
from surveil.track.tracker import Tracker
from surveil.types import Alert, Event, Observation, Phase, Scene, Signal, Track

LOST_GRACE_S = 10.0
"""A camera that is back within this has not ended its events."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one observation led to."""

    alerts: tuple[Alert, ...] = ()
    outcomes: Outcomes = field(default_factory=Outcomes)
    """What became of signals: (rule, outcome, reason) → number."""
    tracks: tuple[Track, ...] = ()


class CameraEngine:
    """Tracks, rules and events of one camera. Owned by the analyse thread.

    `on_rule_error(rule, error)` is told of an exception in a rule; the other rules go on.
    """

    def __init__(
        self,
        camera: str,
        rules: Sequence[Rule],
        tracker: Tracker,
        *,
        labels: Sequence[str] = (),
        sinks: tuple[str, ...] | None = None,
        lost_grace_s: float = LOST_GRACE_S,
        on_rule_error: Callable[[str, Exception], None] = lambda _rule, _error: None,
    ) -> None:
        self.camera = camera
        self.t = 0.0
        self.t_wall = 0.0
        self._rules = tuple(rules)
        self._tracker = tracker
        self._labels = tuple(labels)
        self._sinks = sinks
        self._lost_grace_s = lost_grace_s
        self._on_rule_error = on_rule_error
        self._lost_at: float | None = None
        self._degraded = False
        self._episodes = Episodes(camera, [_habit(rule) for rule in self._rules])

    @property
    def open_events(self) -> list[Event]:
        """The events that are open."""
        return self._episodes.events

    def pending(self) -> Mapping[str, int]:
        """Signals whose outcome is not decided, by rule."""
        return self._episodes.pending()

    def step(self, observation: Observation) -> Step:
        """Take one observation; return the alerts it led to."""
        frame = observation.frame
        self._degraded = frame.degraded
        if self._lost_at is not None:
            self._lost_at = None
            self._episodes.resume(frame.t)
        self.t, self.t_wall = frame.t, frame.t_wall
        tracks = self._tracker.update(observation.detections, frame.t, self._labels, observation.regions)
        scene = Scene(observation, tracks)
        outcomes = Outcomes()
        changes = self._episodes.step(frame.t, frame.t_wall, self._signals(scene), outcomes)
        return Step(self._alerts(changes), outcomes, tracks)

    def _signals(self, scene: Scene) -> Iterator[tuple[int, Signal]]:
        for index, rule in enumerate(self._rules):
            try:
                signals = list(rule.signals(scene))
            except Exception as error:  # noqa: BLE001 - a bug in one rule must not blind the others
                self._on_rule_error(name_of(rule), error)
                continue
            yield from ((index, signal) for signal in signals)

    def lost(self, t: float, t_wall: float) -> Step:
        """Note that the stream has ended: tracks are forgotten, open events wait for the grace."""
        if self._lost_at is None:
            self._lost_at = t
            self._tracker.reset()
            for rule in self._rules:
                rule.reset()
        return self.tick(t, t_wall)

    def tick(self, t: float, t_wall: float) -> Step:
        """Let time pass while the camera is away; its events end when the grace is over."""
        if self._lost_at is None or t - self._lost_at < self._lost_grace_s:
            return Step()
        return self._end("lost", t, t_wall)

    def finish(self, t: float, t_wall: float, reason: str) -> Step:
        """End every open event: the recording or the program is over."""
        return self._end(reason, t, t_wall)

    def _end(self, reason: str, t: float, t_wall: float) -> Step:
        self.t, self.t_wall = max(self.t, t), max(self.t_wall, t_wall)
        outcomes = Outcomes()
        return Step(self._alerts(self._episodes.end_all(outcomes, reason)), outcomes)

    def refund(self, event_id: str) -> None:
        """An alert was not committed: its cooldown is not charged."""
        for event in self._episodes.events:
            if event.id == event_id:
                self._episodes.refund(event)

    def _alerts(self, changes: Sequence[Change]) -> tuple[Alert, ...]:
        return tuple(self._alert(change) for change in changes)

    def _alert(self, change: Change) -> Alert:
        event, signal = change.event, change.event.signal
        phase: Phase = "end" if change.ended else "start"
        # An end is told of at the frame that shows it, and is about the last moment that was seen.
        t = event.t_end if change.ended and event.t_end is not None else event.t_start
        t_wall = event.t_wall_start + (t - event.t_start)
        details = dict(signal.details)
        if change.ended:
            details["duration_s"] = round(t - event.t_start, 3)
        return Alert(
            id=str(uuid.uuid5(uuid.UUID(event.id), phase)),
            event_id=event.id,
            camera=event.camera,
            rule=event.rule,
            type=event.type,
            key=event.key,
            phase=phase,
            t=t,
            t_wall=t_wall,
            score=signal.score,
            text=signal.text or f"{event.rule} {event.key}",
            label=signal.label,
            zone=signal.zone,
            line=signal.line,
            direction=signal.direction,
            track=signal.track,
            box=signal.box,
            reason=change.ended,
            degraded=self._degraded,
            sinks=self._sinks,
            details=details,
        )


def _habit(rule: Rule) -> Habit:
    settings = rule.settings
    return Habit(name_of(rule), rule.type, rule.after_s, settings.linger_s, settings.cooldown_s)
