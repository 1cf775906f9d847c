"""Decisions about every camera's frames, minute by minute: why there was an alert, or none.

Counts and best scores, no pictures. The analyse thread fills the present minutes; those that are over may be taken by
another thread.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from surveil.engine import Step
from surveil.lane import Lost
from surveil.types import Detections, GateDecision

MINUTE_S = 60
_MOST = 10_000
"""Minutes that wait to be taken; the oldest is dropped if none are taken."""


@dataclass(slots=True, kw_only=True)
class Minute:
    """One minute of one camera."""

    camera: str
    start: int
    """Unix s."""
    frames: int = 0
    """Analysed."""
    looked: int = 0
    """Those that the detector looked at."""
    gates: Counter[str] = field(default_factory=Counter)
    """Why it looked, or did not."""
    detections: Counter[str] = field(default_factory=Counter)
    """By class, whatever their score."""
    best: dict[str, float] = field(default_factory=dict)
    """The highest score of each class."""
    tracks: dict[str, int] = field(default_factory=dict)
    """Most tracks of a class in one frame."""
    raised: Counter[str] = field(default_factory=Counter)
    """Signals by rule."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """`rule outcome` or `rule suppressed reason`."""
    alerts: int = 0
    lost: str = ""
    """Why the camera was lost last in this minute."""
    held: str = ""
    """Why rules about places were held."""

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON; `asdict` would count the pairs of a Counter."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


class DecisionLog:
    """Fills minutes. Owned by the analyse thread; `take` may come from another."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = tuple(labels)
        self._now: dict[str, Minute] = {}
        # Appending and popping are atomic: no lock on the analyse thread.
        self._over: deque[Minute] = deque(maxlen=_MOST)

    def step(
        self,
        camera: str,
        t_wall: float,
        gate: GateDecision | None,
        detections: Detections | None,
        step: Step,
        held: str = "",
    ) -> None:
        """Note what became of one frame."""
        minute = self._minute(camera, t_wall)
        minute.frames += 1
        if gate is not None:
            minute.gates[gate.value] += 1
        if detections is not None:
            minute.looked += 1
            self._detected(minute, detections)
        for label, n in Counter(track.label for track in step.tracks).items():
            minute.tracks[label] = max(n, minute.tracks.get(label, 0))
        minute.held = held or minute.held
        self._led_to(minute, step)

    def lost(self, lost: Lost, step: Step) -> None:
        """Note that a camera was lost."""
        minute = self._minute(lost.camera, lost.t_wall)
        minute.lost = lost.cause
        self._led_to(minute, step)

    def drop(self, camera: str) -> None:
        """Let a camera go."""
        if camera in self._now:
            self._over.append(self._now.pop(camera))

    def turn(self, t_wall: float) -> None:
        """End the minutes that are over."""
        start = _start(t_wall)
        for camera in [name for name, minute in self._now.items() if minute.start != start]:
            self.drop(camera)

    def take(self) -> list[Minute]:
        """Return the minutes that are over, once."""
        found = []
        while self._over:
            found.append(self._over.popleft())
        return found

    def _minute(self, camera: str, t_wall: float) -> Minute:
        minute = self._now.get(camera)
        if minute is None or not 0 <= t_wall - minute.start < MINUTE_S:
            self.drop(camera)
            minute = self._now[camera] = Minute(camera=camera, start=_start(t_wall))
        return minute

    def _detected(self, minute: Minute, found: Detections) -> None:
        for score, index in zip(found.scores.tolist(), found.classes.tolist(), strict=True):
            label = self._labels[index] if 0 <= index < len(self._labels) else str(index)
            minute.detections[label] += 1
            minute.best[label] = max(round(score, 3), minute.best.get(label, 0.0))

    @staticmethod
    def _led_to(minute: Minute, step: Step) -> None:
        minute.alerts += sum(alert.phase == "start" for alert in step.alerts)
        minute.raised.update(step.raised)
        for (rule, outcome, reason), n in step.outcomes.items():
            minute.outcomes[" ".join(filter(None, (rule, outcome, reason)))] += n


def _start(t_wall: float) -> int:
    return int(t_wall // MINUTE_S) * MINUTE_S
