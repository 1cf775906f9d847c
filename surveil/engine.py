"""The heart: observations of one camera in, alerts out. No threads, no clock, no I/O.

The same observations give the same alerts, live or in a replay at any speed.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from surveil.events import Episodes, EventPolicy, Outcomes, Transition
from surveil.geometry import inside
from surveil.reasons import Outcome, Reason, Why
from surveil.rules.base import Resumable, Rule, RuleSettings, WhyOff, name_of, places_of
from surveil.titles import Titles
from surveil.track.tracker import Tracker
from surveil.types import Alert, Detections, Event, Observation, Phase, Polygon, Scene, Signal, Track
from surveil.vision.unchanged import NONE, UnchangedTracks

LOST_GRACE_S = 10.0
"""A camera that is back within this has not ended its events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one observation led to."""

    alerts: tuple[Alert, ...] = ()
    outcomes: Outcomes = field(default_factory=Outcomes)
    """What became of signals: (rule, outcome, reason) → number."""
    tracks: tuple[Track, ...] = ()
    doubtful: tuple[Track, ...] = ()
    """New objects that wait for another look to be believed; their id is 0."""
    raised: Mapping[str, int] = field(default_factory=dict)
    """Signals of each rule, whatever becomes of them: the other side of the ledger."""


class CameraEngine:
    """Tracks, rules and events of one camera. Owned by the analyse thread.

    What has its centre in one of `masks` (fractions of the frame) is not seen.
    `off`: by rule name, why it may not alert at a Unix time. Its open event ends then, for that reason, and what
    it signals is suppressed; but it looks on, so that nothing is news to it when it may alert again.
    `hold_moved`: while the picture is `moved`, the same goes for every rule that needs the view it was made for.
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
        masks: Sequence[Polygon] = (),
        lost_grace_s: float = LOST_GRACE_S,
        off: Mapping[str, WhyOff] | None = None,
        hold_moved: bool = True,
        titles: Titles | None = None,
        on_rule_error: Callable[[str, Exception], None] = lambda _rule, _error: None,
    ) -> None:
        self.camera = camera
        self.t = 0.0
        self.t_wall = 0.0
        self._tracker = tracker
        self._labels = tuple(labels)
        self._sinks = sinks
        self._masks = tuple(masks)
        self._lost_grace_s = lost_grace_s
        self._set_rules(rules, off)
        self._hold_moved = hold_moved
        self._titles = titles or Titles()
        self.held: Why = ""
        """Why rules that need the view are held now: `moved`; empty: they are not."""
        self._on_rule_error = on_rule_error
        self._size: tuple[int, int] | None = None
        self._lost_at: float | None = None
        self._degraded = False
        self._episodes = Episodes(camera=camera, policies=[_policy(rule) for rule in self._rules])

    @property
    def open_events(self) -> list[Event]:
        """The events that are open."""
        return self._episodes.events

    def pending(self) -> Mapping[str, int]:
        """Signals whose outcome is not decided, by rule."""
        return self._episodes.pending()

    def step(self, observation: Observation) -> Step:
        """Take one observation; return the alerts it led to."""
        frame, outcomes = observation.frame, Outcomes()
        ended = self._return(frame.t, outcomes)
        self._degraded = frame.degraded
        self.t, self.t_wall = frame.t, frame.t_wall
        self._resize(observation.width, observation.height)
        found = self._unmasked(observation)
        unchanged = observation.findings.get(UnchangedTracks) or NONE
        tracks = self._tracker.update(
            found, frame.t, self._labels, observation.regions, self._size, unchanged.ids, observation.motion,
            observation.closest,
        )  # fmt: skip
        self.held = observation.findings.misfit if self._hold_moved else ""
        off = self._why_off()
        ended += self._episodes.end_rules(off, outcomes)
        signals = list(self._signals(Scene(observation, tracks)))
        raised = Counter(name_of(self._rules[index]) for index, _ in signals) if signals else {}
        allowed = self._allowed(signals, off, outcomes)
        changes = self._episodes.step(frame.t, frame.t_wall, allowed, outcomes)
        return Step(
            alerts=self._alerts([*ended, *changes]),
            outcomes=outcomes,
            tracks=tracks,
            doubtful=self._tracker.doubtful,
            raised=raised,
        )

    def _unmasked(self, observation: Observation) -> Detections | None:
        """Leave out what has its centre in a mask."""
        found, size = observation.detections, (observation.width, observation.height)
        if found is None or not len(found) or not self._masks:
            return found
        centres = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2 / size
        keep = [not any(inside((float(x), float(y)), mask) for mask in self._masks) for x, y in centres]
        return Detections(found.boxes[keep], found.scores[keep], found.classes[keep])

    def _return(self, t: float, outcomes: Outcomes) -> list[Transition]:
        """Go on after a loss: as if nothing had been within the grace, anew after it."""
        if self._lost_at is None:
            return []
        away, self._lost_at = t - self._lost_at, None
        if away < self._lost_grace_s:
            self._resume(t)
            return []
        self._forget()
        return self._episodes.end_all(outcomes, Reason.LOST)

    def _resume(self, t: float) -> None:
        self._episodes.resume(t)
        for rule in self._rules:
            if isinstance(rule, Resumable):
                rule.resume(t)

    def _resize(self, width: int, height: int) -> None:
        """Keep what is followed where it is when the resolution changes in mid-stream."""
        if self._size not in (None, (width, height)):
            before = self._size or (width, height)
            self._tracker.rescale(width / before[0], height / before[1])
        self._size = (width, height)

    def _set_rules(self, rules: Sequence[Rule], off: Mapping[str, WhyOff] | None) -> None:
        self._rules = tuple(rules)
        asked = ((index, (off or {}).get(name_of(rule))) for index, rule in enumerate(self._rules))
        self._off = [(index, ask) for index, ask in asked if ask]

    def _why_off(self) -> dict[int, Reason]:
        """Return the rules that may not alert now, and why."""
        off = {index: why for index, ask in self._off if (why := ask(self.t_wall))}
        if self.held:
            held = (index for index, rule in enumerate(self._rules) if rule.settings.needs_view)
            off = dict.fromkeys(held, self.held) | off
        return off

    def _allowed(
        self, signals: Iterable[tuple[int, Signal]], off: Mapping[int, Reason], outcomes: Outcomes
    ) -> Iterator[tuple[int, Signal]]:
        """Hold back the signals of rules that are off."""
        for index, signal in signals:
            if index in off:
                outcomes[name_of(self._rules[index]), Outcome.SUPPRESSED, off[index]] += 1
            else:
                yield index, signal

    def _signals(self, scene: Scene) -> Iterator[tuple[int, Signal]]:
        for index, rule in enumerate(self._rules):
            try:
                signals = list(rule.signals(scene))
            except Exception as error:  # noqa: BLE001 - a bug in one rule must not blind the others
                self._on_rule_error(name_of(rule), error)
                continue
            yield from ((index, signal) for signal in signals)

    def lost(self, t: float, t_wall: float) -> Step:
        """Note that the stream has ended: open events and tracks wait for the grace."""
        if self._lost_at is None:
            self._lost_at = t
        return self.tick(t, t_wall)

    def _forget(self) -> None:
        """Forget every object: after a long loss nothing says that it is still the same."""
        self._tracker.reset()
        for rule in self._rules:
            rule.reset()

    def tick(self, t: float, t_wall: float) -> Step:
        """Let time pass while the camera is away; its events end when the grace is over."""
        if self._lost_at is None or t - self._lost_at < self._lost_grace_s:
            return Step()
        return self._end(Reason.LOST, t, t_wall)

    def finish(self, t: float, t_wall: float, reason: Reason) -> Step:
        """End every open event: the recording or the program is over."""
        return self._end(reason, t, t_wall)

    def _end(self, reason: Reason, t: float, t_wall: float) -> Step:
        self.t, self.t_wall = max(self.t, t), max(self.t_wall, t_wall)
        outcomes = Outcomes()
        return Step(alerts=self._alerts(self._episodes.end_all(outcomes, reason)), outcomes=outcomes)

    def replace_rules(
        self,
        rules: Sequence[Rule],
        moved: AbstractSet[str] = frozenset(),
        off: Mapping[str, WhyOff] | None = None,
    ) -> Step:
        """Go on with other rules; those that are the same keep their state and their open events.

        `moved`: names of zones and lines that are not where they were; rules about them are new.
        """
        outcomes = Outcomes()
        kept = _same([rule.settings for rule in self._rules], [rule.settings for rule in rules], moved)
        stays = {new: self._rules[old] for old, new in kept.items()}
        self._set_rules([stays.get(new, rule) for new, rule in enumerate(rules)], off)
        policies = [_policy(rule) for rule in self._rules]
        return Step(
            alerts=self._alerts(self._episodes.replace(policies, kept, outcomes, Reason.CONFIG)),
            outcomes=outcomes,
        )

    def retune(
        self,
        *,
        rules: Sequence[Rule],
        moved: AbstractSet[str],
        tracker: Tracker | None,
        sinks: tuple[str, ...] | None,
        masks: Sequence[Polygon],
        off: Mapping[str, WhyOff] | None = None,
        hold_moved: bool = True,
        titles: Titles | None = None,
    ) -> Step:
        """Go on by other settings; `rules`, `moved` and `off` as in `replace_rules`.

        `tracker`: None keeps the one that is there; with another everything that is followed is found again.
        """
        step = self.replace_rules(rules, moved, off)
        self._sinks = sinks
        self._masks = tuple(masks)
        self._hold_moved = hold_moved
        self._titles = titles or Titles()
        if tracker is not None:
            self._tracker = tracker
            self._forget()
        return step

    def _alerts(self, changes: Sequence[Transition]) -> tuple[Alert, ...]:
        return tuple(self._alert(change) for change in changes)

    def _alert(self, change: Transition) -> Alert:
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
            text=self._titles.say(signal.text or f"{event.rule} {event.key}", signal.zone, signal.line),
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
            titles=self._titles.of(event.rule, signal.zone, signal.line),
        )


def _same(
    old: Sequence[RuleSettings], new: Sequence[RuleSettings], moved: AbstractSet[str]
) -> dict[int, int]:
    """Index of each rule that stays → its new index."""
    kept: dict[int, int] = {}
    for index, settings in enumerate(new):
        equal = (i for i, one in enumerate(old) if i not in kept and one == settings)
        found = next(equal, None)
        if found is not None and not places_of(settings) & moved:
            kept[found] = index
    return kept


def _policy(rule: Rule) -> EventPolicy:
    settings = rule.settings
    return EventPolicy(
        name=name_of(rule),
        type=rule.type,
        after_s=rule.after_s,
        linger_s=settings.linger_s,
        cooldown_s=settings.cooldown_s,
    )
