"""Figures of merit of a classifier: intervals, calibration, and the choice of a threshold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from surveil.offline.classify.head import Labels
from surveil.offline.normality.figures import (
    Estimate,
    average_precision,
    bootstrap,
    bootstrap_each,
    frame_auc,
)
from surveil.types import Doubles

BINS = 10
_BEYOND = 1e6
"""What a false alarm beyond the budget costs, in recall: more than all of it, also where only a part is beyond."""
Indices = NDArray[np.int64]


def confusion(truth: Labels, predicted: Labels, classes: int) -> Indices:
    """Return counts (true class, predicted class)."""
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def precision_recall_f1(table: Indices) -> Doubles:
    """Return (classes, 3); NaN where a class was never predicted or never true."""
    right = np.diag(table).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = right / table.sum(0), right / table.sum(1)
        return np.stack([precision, recall, 2 * right / (table.sum(0) + table.sum(1))], 1)


def calibration_error(scores: Doubles, truth: Labels) -> float:
    """Return the expected calibration error: |confidence - accuracy| over ten bins, weighted by pictures."""
    sure = scores.max(1)
    right = scores.argmax(1) == truth
    which = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = [abs(sure[which == b].mean() - right[which == b].mean()) * (which == b).mean() for b in set(which)]
    return float(sum(gaps))


def _macro(figure: Callable[[Doubles, NDArray[np.bool_]], float], scores: Doubles, truth: Labels) -> float:
    """Mean over classes of one against the rest; with two classes, of the second one."""
    which = [1] if scores.shape[1] == 2 else range(scores.shape[1])
    return float(np.mean([figure(scores[:, c], truth == c) for c in which]))


def figures(scores: Doubles, truth: Labels, units: Labels) -> dict[str, Estimate]:
    """Return each figure with its 95 % interval over resamples of units (what was split together)."""
    classes = scores.shape[1]
    predicted = scores.argmax(1)
    members = _members(units)

    def over(figure: Callable[[Indices], float]) -> Estimate:
        return bootstrap(members, lambda chosen: figure(np.concatenate(chosen)))

    def table(i: Indices) -> Doubles:
        return precision_recall_f1(confusion(truth[i], predicted[i], classes))

    def mean(i: Indices, column: int) -> float:
        values = table(i)[:, column]
        return float(np.nanmean(values)) if np.isfinite(values).any() else nan

    return {
        "accuracy": over(lambda i: float((predicted[i] == truth[i]).mean())),
        "confidence": over(lambda i: float(scores[i].max(1).mean())),
        "recall": over(lambda i: mean(i, 1)),
        "precision": over(lambda i: mean(i, 0)),
        "f1": over(lambda i: mean(i, 2)),
        "roc_auc": over(lambda i: _macro(frame_auc, scores[i], truth[i])),
        "pr_auc": over(lambda i: _macro(average_precision, scores[i], truth[i])),
        "calibration_error": over(lambda i: calibration_error(scores[i], truth[i])),
    }


def class_figures(
    predicted: Labels, truth: Labels, units: Labels, classes: int
) -> list[tuple[Estimate, Estimate, Estimate]]:
    """Return precision, recall and F1 of each class, with intervals over resamples of units."""

    def each(chosen: Sequence[Indices]) -> Doubles:
        i = np.concatenate(chosen)
        return precision_recall_f1(confusion(truth[i], predicted[i], classes)).ravel()

    found = bootstrap_each(_members(units), each)
    return list(zip(found[0::3], found[1::3], found[2::3], strict=True))


def share(true: NDArray[np.bool_], units: Labels) -> Estimate:
    """Return the share of what is true, with its interval over resamples of units; NaN of no picture."""
    if not len(true):
        return Estimate(nan, nan, nan)
    return bootstrap(_members(units), lambda chosen: float(true[np.concatenate(chosen)].mean()))


def _members(units: Labels) -> list[Indices]:
    """Return the indices of each unit's pictures."""
    return [np.flatnonzero(units == unit) for unit in np.unique(units)]


@dataclass(frozen=True, slots=True)
class Operating:
    """A threshold on the score of one class, and what it gives."""

    threshold: float
    recall: float
    false_alarms: float
    """Share of pictures of other classes over the threshold."""
    precision: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """How to choose the threshold: by a budget of false alarms, or (without one) by what errors cost."""

    false_alarm_budget: float | None = None
    """Largest share of pictures of other classes that may be over it, 0..1."""
    miss_cost: float = 1.0
    false_alarm_cost: float = 1.0

    def words(self) -> str:
        """Say it."""
        if self.false_alarm_budget is not None:
            return f"at most {self.false_alarm_budget:.2%} false alarms"
        return f"a miss costs {self.miss_cost:g}, a false alarm {self.false_alarm_cost:g}"


def operating(scores: Doubles, positive: NDArray[np.bool_], threshold: float) -> Operating:
    """Return what `threshold` gives on scores (n,)."""
    over = scores >= threshold
    hits, false = int((over & positive).sum()), int((over & ~positive).sum())
    return Operating(
        threshold, hits / max(1, int(positive.sum())), false / max(1, int((~positive).sum())),
        hits / (hits + false) if hits + false else nan,
    )  # fmt: skip


def choose_threshold(scores: Doubles, positive: NDArray[np.bool_], wanted: Wanted) -> float:
    """Return the threshold that serves `wanted` best on these pictures: midway between two scores.

    Of equally good ones that in the widest gap: furthest from both kinds of error. Where scores reach 1 and no
    threshold keeps the budget, the one with the fewest false alarms.
    """
    between, gaps = _candidates(scores)
    found = [operating(scores, positive, float(t)) for t in between]
    misses, others = int(positive.sum()), int((~positive).sum())

    def cost(o: Operating) -> float:
        if wanted.false_alarm_budget is not None:
            return max(o.false_alarms - wanted.false_alarm_budget, 0.0) * others * _BEYOND + 1 - o.recall
        return (1 - o.recall) * misses * wanted.miss_cost + o.false_alarms * others * wanted.false_alarm_cost

    costs = np.array([cost(o) for o in found])
    good = costs <= costs.min() + 1e-9
    return float(between[np.where(good, gaps, -1.0).argmax()])


def _candidates(scores: Doubles) -> tuple[Doubles, Doubles]:
    """Return the middles of the gaps between scores, up to 1, and how wide the gaps are.

    Nothing lies above 1: a model that is sure says 1.0, and a threshold must be within its reach.
    """
    levels = np.unique(scores)
    if levels[-1] < 1.0 or len(levels) == 1:
        levels = np.append(levels, 1.0)
    return (levels[:-1] + levels[1:]) / 2, np.diff(levels)


def curve(scores: Doubles, positive: NDArray[np.bool_]) -> Doubles:
    """Return the ROC curve (k, 2): share of false alarms, recall."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(positive[order]) / max(1, int(positive.sum()))
    false = np.cumsum(~positive[order]) / max(1, int((~positive).sum()))
    return np.concatenate([[[0.0, 0.0]], np.stack([false, hits], 1)])


def reliability(scores: Doubles, truth: Labels) -> Sequence[tuple[float, float, int]]:
    """Return (mean confidence, accuracy, pictures) of each bin that has any."""
    sure, right = scores.max(1), scores.argmax(1) == truth
    which = np.minimum((sure * BINS).astype(int), BINS - 1)
    return [
        (float(sure[which == b].mean()), float(right[which == b].mean()), int((which == b).sum()))
        for b in sorted(set(which))
    ]
