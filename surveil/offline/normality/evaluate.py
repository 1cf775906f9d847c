"""`surveil evaluate`: how well a model separates abnormal from normal on labelled footage.

Frames are scored as the daemon scores them, in order, with nothing but the past; no figure is
normalised per clip. Frames before the first score of a clip (one, where flow needs two) are left out
of the frame figures and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import nan

import numpy as np

from surveil.errors import ConfigError
from surveil.features.normality.attributes import NAMES
from surveil.features.normality.budget import Threshold
from surveil.features.normality.modelfile import LoadedModel
from surveil.features.normality.peaks import SLOT_S
from surveil.features.normality.result import Explanation
from surveil.offline.normality.dataset import Dataset, LabelledClip
from surveil.offline.normality.figures import Estimate, Scores, average_precision, bootstrap, frame_auc, runs
from surveil.offline.normality.frames import Pace
from surveil.offline.normality.normality import Progress, Scored, learn_files, quiet, score_file
from surveil.offline.normality.objects import Follow
from surveil.offline.normality.table import BudgetRow, Found, alerting_threshold, budgets
from surveil.types import BoolMap, Bytes

FIGURES = (
    "frame_auc", "average_precision", "event_recall", "false_alarms_per_hour", "false_alarms_per_day",
    "detection_delay_s", *(f"frame_auc.{name}" for name in NAMES), "events", "events_found", "false_alarms",
    "frames", "frames_abnormal", "frames_unscored", "normal_hours",
)  # fmt: skip
"""Names of what an evaluation finds; an attribute that never was unusual has none."""
BUDGET = 0.5
GRACE_S = 1.0
"""An alarm until this long after an event belongs to it: scores are held up to be sure."""


@dataclass(frozen=True, slots=True)
class PeakMoment:
    """The most unusual moment of a clip."""

    t: float
    plane: Bytes
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class EventFound:
    """One labelled event."""

    t_start: float
    t_end: float
    delay_s: float
    """From its start to the alarm; NaN: missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipResult:
    """One clip, scored."""

    name: str
    t: Scores
    """s (n,)."""
    scores: Scores
    """Smoothed surprise (n,); NaN before the first score."""
    sustained: Scores
    single: dict[str, Scores]
    """Surprise of each attribute alone (n,), unsmoothed."""
    labels: BoolMap
    events: tuple[EventFound, ...]
    false_alarms: tuple[float, ...]
    """Times of alarms outside of events, s."""
    normal_s: float
    """Seconds without a label."""
    sight: PeakMoment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalityReport:
    """Everything an evaluation found."""

    dataset: str
    model: str
    sha256: str
    asked: Threshold
    """Of the budget that was asked for."""
    threshold: Threshold
    """That the figures are of: the same, or where a daemon would not alert at it, that of the least budget at which
    it would."""
    table: tuple[BudgetRow, ...]
    """Other budgets, judged by the same scores."""
    figures: dict[str, Estimate]
    clips: tuple[ClipResult, ...]
    width: int
    height: int

    def values(self) -> dict[str, float]:
        """Return the figures by name, for a gate."""
        return {name: estimate.value for name, estimate in self.figures.items()}


def evaluate(
    dataset: Dataset, model: LoadedModel | None = None, budget: float = BUDGET, progress: Progress = quiet,
    *, equalise: bool = False, follow: Follow | None = None,
) -> NormalityReport:  # fmt: skip
    """Judge `model`, or one learned from the dataset's `normal:` (with `equalise`, if wanted), on its clips.

    With `follow` tracked objects are judged, too. Events and false alarms are counted at a threshold at which a
    daemon would alert, or not at all. Raises ConfigError for a dataset without clips, labels that do not fit,
    sizes that differ.
    """
    if not dataset.clips:
        raise ConfigError([f"{dataset.name}: has no `clips`: nothing to judge"])
    if model is None:
        model = learn_files(
            dataset.name, dataset.normal, dataset.fps, progress, equalise=equalise, follow=follow
        )
    threshold = alerting_threshold(model.model, budget)
    pace = Pace("evaluating", [clip.path for clip in dataset.clips], dataset.fps, progress)
    clips = []
    for i, clip in enumerate(dataset.clips):
        clips.append(_clip(clip, model, dataset.fps, threshold, budget, partial(pace.at, i), follow))
        pace.end(i)
    table = tuple(_row(one, clips) for one in budgets(model.model, budget))
    return NormalityReport(
        dataset=dataset.name,
        model=model.name,
        sha256=model.sha256,
        asked=model.model.threshold(budget),
        threshold=threshold,
        table=table,
        figures=_figures(clips, counted=threshold.supported),
        clips=tuple(clips),
        width=model.model.width,
        height=model.model.height,
    )


def _row(threshold: Threshold, clips: Sequence[ClipResult]) -> BudgetRow:
    """Count what a threshold finds, from scores that are there already."""
    if not threshold.supported:
        return BudgetRow(threshold=threshold, found=None)
    judged = [match(c.t, c.labels, c.sustained >= threshold.value) for c in clips]
    found = Found(
        events=sum(len(events) for events, _ in judged),
        found=sum(e.delay_s == e.delay_s for events, _ in judged for e in events),
        false_alarms=sum(len(false) for _, false in judged),
    )
    return BudgetRow(threshold=threshold, found=found)


def _clip(
    clip: LabelledClip,
    model: LoadedModel,
    fps: float,
    threshold: Threshold,
    budget: float,
    seen: Callable[[float], None],
    follow: Follow | None,
) -> ClipResult:
    times, scores, sustained, single = [], [], [], []
    sight: PeakMoment | None = None
    best = -1.0
    for scored in score_file(model, clip.path, fps, budget, explain=True, follow=follow):
        result = scored.result
        seen(scored.still.t)
        times.append(scored.still.t)
        scores.append(result.score if result.model else nan)
        sustained.append(result.sustained)
        single.append(result.surprise)
        if result.score > best and result.explanation is not None:
            best, sight = result.score, _sight(scored, result.explanation)
    if not times:
        raise ConfigError([f"{clip.path}: it has no frames"])
    try:
        labels = clip.labels.at(times)
    except ValueError as error:
        raise ConfigError([f"{clip.path} ({clip.name}): {error}"]) from None
    t, kept = np.array(times), np.array(sustained)
    events, false_alarms = match(t, labels, kept >= threshold.value)
    parts = {name: np.array([s.get(name, 0.0) for s in single]) for name in NAMES}
    normal_s = float(np.sum(np.diff(t, append=t[-1] + _step(t))[~labels]))
    return ClipResult(
        name=clip.name,
        t=t,
        scores=np.array(scores),
        sustained=kept,
        single=parts,
        labels=labels,
        events=events,
        false_alarms=false_alarms,
        normal_s=normal_s,
        sight=sight,
    )


def _sight(scored: Scored, explanation: Explanation) -> PeakMoment:
    return PeakMoment(scored.still.t, scored.plane, explanation)


def _step(t: Scores) -> float:
    return float(np.median(np.diff(t))) if len(t) > 1 else 0.0


def match(t: Scores, labels: BoolMap, over: BoolMap) -> tuple[tuple[EventFound, ...], tuple[float, ...]]:
    """Return the labelled events with their delays, and the times of alarms that belong to none.

    Alarms closer than a slot are one, as in the calibration.
    """
    events = [(float(t[a]), float(t[b])) for a, b in runs(labels)]
    alarms: list[tuple[float, float]] = []
    for a, b in runs(over):
        if alarms and t[a] - alarms[-1][1] < SLOT_S:
            alarms[-1] = (alarms[-1][0], float(t[b]))
        else:
            alarms.append((float(t[a]), float(t[b])))
    found = []
    for start, end in events:
        inside = t[over & (t >= start) & (t <= end + GRACE_S)]
        found.append(EventFound(start, end, float(inside[0]) - start if len(inside) else nan))
    false = [a for a, b in alarms if not any(a <= end + GRACE_S and b >= start for start, end in events)]
    return tuple(found), tuple(false)


def _figures(clips: Sequence[ClipResult], *, counted: bool) -> dict[str, Estimate]:
    """Return the figures; those of alarms are NaN where none are `counted`."""
    figures = {
        "frame_auc": bootstrap(clips, lambda c: frame_auc(*_frames(c))),
        "average_precision": bootstrap(clips, lambda c: average_precision(*_frames(c))),
    }
    alarms: dict[str, Callable[[Sequence[ClipResult]], float]] = {
        "event_recall": _recall,
        "false_alarms_per_hour": lambda c: _false_rate(c, 3600.0),
        "false_alarms_per_day": lambda c: _false_rate(c, 86400.0),
        "detection_delay_s": _delay,
    }
    for name, figure in alarms.items():
        figures[name] = bootstrap(clips, figure) if counted else Estimate(nan, nan, nan)
    for name in clips[0].single:
        if any(c.single[name].any() for c in clips):
            figures[f"frame_auc.{name}"] = _single(clips, name)
    for name, value in _counts(clips).items():
        is_of_alarms = name in ("events_found", "false_alarms")
        figures[name] = Estimate(value if counted or not is_of_alarms else nan, nan, nan)
    return figures


def _counts(clips: Sequence[ClipResult]) -> dict[str, float]:
    return {
        "events": float(sum(len(c.events) for c in clips)),
        "events_found": float(sum(e.delay_s == e.delay_s for c in clips for e in c.events)),
        "false_alarms": float(sum(len(c.false_alarms) for c in clips)),
        "frames": float(sum(len(c.t) for c in clips)),
        "frames_abnormal": float(sum(int(c.labels.sum()) for c in clips)),
        "frames_unscored": float(sum(int(np.isnan(c.scores).sum()) for c in clips)),
        "normal_hours": sum(c.normal_s for c in clips) / 3600,
    }


def _frames(clips: Sequence[ClipResult]) -> tuple[Scores, BoolMap]:
    scores = np.concatenate([c.scores for c in clips])
    labels = np.concatenate([c.labels for c in clips])
    scored = ~np.isnan(scores)
    return scores[scored], labels[scored]


def _single(clips: Sequence[ClipResult], name: str) -> Estimate:
    scores = np.concatenate([c.single[name] for c in clips])
    return Estimate(frame_auc(scores, np.concatenate([c.labels for c in clips])), nan, nan)


def _recall(clips: Sequence[ClipResult]) -> float:
    delays = [e.delay_s for c in clips for e in c.events]
    return float(np.mean(~np.isnan(delays))) if delays else nan


def _delay(clips: Sequence[ClipResult]) -> float:
    delays = np.array([e.delay_s for c in clips for e in c.events])
    found = delays[~np.isnan(delays)]
    return float(np.median(found)) if len(found) else nan


def _false_rate(clips: Sequence[ClipResult], unit_s: float) -> float:
    seconds = sum(c.normal_s for c in clips)
    return sum(len(c.false_alarms) for c in clips) * unit_s / seconds if seconds > 0 else nan
