"""The result of an evaluation, for people, scripts and a gate; and the limits of its data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from surveil.clock import DAY_S
from surveil.offline.classify.dataset import Item
from surveil.offline.classify.head import Labels
from surveil.offline.classify.measures import (
    BINS,
    Indices,
    Operating,
    Wanted,
    choose_threshold,
    class_figures,
    confusion,
    curve,
    figures,
    operating,
    reliability,
    share,
)
from surveil.offline.classify.objections import objections
from surveil.offline.normality.figures import Estimate
from surveil.types import BoolMap, Doubles

FEW_TEST, FEW_CLASS, UNEVEN = 100, 30, 10
WORST = 24


@dataclass(frozen=True, slots=True)
class Misclassified:
    """A picture that the classifier got wrong, and how sure it was."""

    item: Item
    predicted: str
    score: float


@dataclass(frozen=True, slots=True)
class OfClass:
    """How well one class is told from the others."""

    precision: Estimate
    recall: Estimate
    f1: Estimate
    pictures: int


@dataclass(frozen=True, slots=True)
class OfCamera:
    """How many of one camera's pictures are classified right."""

    accuracy: Estimate
    pictures: int


FIGURES = (
    "accuracy", "confidence", "recall", "precision", "f1", "roc_auc", "pr_auc", "calibration_error",
    "threshold", "false_alarms", "recall_at",
)  # fmt: skip
"""Names of what an evaluation finds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Figures of one classifier on one test split."""

    model: str
    classes: tuple[str, ...]
    positive: str
    pictures: int
    figures: Mapping[str, Estimate]
    """accuracy, confidence, recall, precision, f1 (means over classes), roc_auc, pr_auc, calibration_error."""
    per_class: Mapping[str, OfClass]
    per_camera: Mapping[str, OfCamera]
    table: Indices
    """Counts (true class, predicted class)."""
    at: Operating
    """What the threshold, chosen on validation, gives on the test split."""
    at_recall: Estimate
    at_false_alarms: Estimate
    roc: Doubles
    bins: Sequence[tuple[float, float, int]]
    worst: tuple[Misclassified, ...]
    """The surest mistakes first."""
    objections: tuple[str, ...] = ()
    """Why the classifier should not be deployed."""

    def values(self) -> dict[str, float]:
        """Return the figures `FIGURES` by name, for a gate (`surveil.offline.normality.gate`)."""
        at = {
            "threshold": self.at.threshold,
            "false_alarms": self.at.false_alarms,
            "recall_at": self.at.recall,
        }
        return {name: estimate.value for name, estimate in self.figures.items()} | at


def judge(
    model: str,
    classes: tuple[str, ...],
    scores: Doubles,
    items: Sequence[Item],
    units: Labels,
    positive: str,
    threshold: float,
    promised: Mapping[str, float] | None = None,
) -> Evaluation:
    """Judge probabilities float64 (n, classes) of `items`, which `units` (n,) were split as.

    `promised`: the shares of errors that the threshold promises (`surveil.offline.classify.objections`).
    """
    truth = np.array([classes.index(item.label) for item in items], np.int64)
    predicted = scores.argmax(1)
    table = confusion(truth, predicted, len(classes))
    each = class_figures(predicted, truth, units, len(classes))
    which = classes.index(positive)
    over, wanted = scores[:, which] >= threshold, truth == which
    return Evaluation(
        model=model, classes=classes, positive=positive, pictures=len(items),
        figures=figures(scores, truth, units),
        per_class={c: OfClass(*each[k], int(table[k].sum())) for k, c in enumerate(classes)},
        per_camera=_per_camera(items, predicted == truth, units),
        table=table, at=operating(scores[:, which], wanted, threshold),
        at_recall=share(over[wanted], units[wanted]), at_false_alarms=share(over[~wanted], units[~wanted]),
        roc=curve(scores[:, which], wanted), bins=reliability(scores, truth),
        worst=_worst(items, classes, scores, truth),
        objections=objections(classes, scores, truth, (positive, threshold), promised or {}),
    )  # fmt: skip


def threshold_for(
    classes: tuple[str, ...], scores: Doubles, items: Sequence[Item], positive: str, wanted: Wanted
) -> float:
    """Return the threshold for `positive`, chosen on these (validation) pictures."""
    which = classes.index(positive)
    return choose_threshold(scores[:, which], np.array([item.label == positive for item in items]), wanted)


def _per_camera(items: Sequence[Item], right: BoolMap, units: Labels) -> dict[str, OfCamera]:
    cameras = np.array([item.camera or "unknown" for item in items])
    where = {camera: cameras == camera for camera in sorted(set(cameras.tolist()))}
    return {
        camera: OfCamera(share(right[mine], units[mine]), int(mine.sum())) for camera, mine in where.items()
    }


def _worst(
    items: Sequence[Item], classes: tuple[str, ...], scores: Doubles, truth: Labels
) -> tuple[Misclassified, ...]:
    predicted = scores.argmax(1)
    wrong = sorted(np.flatnonzero(predicted != truth).tolist(), key=lambda i: -float(scores[i].max()))
    return tuple(
        Misclassified(items[i], classes[int(predicted[i])], float(scores[i].max())) for i in wrong[:WORST]
    )


def doubts(items: Sequence[Item], test: Sequence[Item], units: int) -> tuple[str, ...]:
    """Return in words why the data cannot carry the claim; nothing when it can.

    `units`: how many independent units (photos, moments) the test split has.
    """
    counts: dict[str, int] = defaultdict(int)
    for item in items:
        counts[item.label] += 1
    few = [
        f"class {c!r} has {n} pictures; figures need {FEW_CLASS} at the least"
        for c, n in counts.items()
        if n < FEW_CLASS
    ]
    most, least = max(counts.values()), min(counts.values())
    if most >= UNEVEN * least:
        few.append(f"classes are uneven, {most} to {least}: use the recall of each class instead of accuracy")
    if len(test) < FEW_TEST:
        few.append(
            f"{len(test)} test pictures: one picture more or less changes accuracy by {1 / len(test):.1%}"
        )
    elif units < FEW_TEST / 4:
        few.append(f"the {len(test)} test pictures come from {units} independent places or moments only")
    return (*few, *_narrow(items))


def few_bins(found: Evaluation) -> tuple[str, ...]:
    """Return in words why its calibration error says little; nothing when it says something."""
    if len(found.bins) > 1:
        return ()
    return (f"all scores lie in one of {BINS} bins of confidence: the calibration error says little",)


def _narrow(items: Sequence[Item]) -> list[str]:
    cameras = {item.camera for item in items}
    times = [item.t_wall for item in items if item.t_wall is not None]
    found = []
    if len(cameras) == 1:
        found.append(
            "all pictures are of one camera" if cameras != {""} else "the pictures' cameras are not known"
        )
    if not times:
        found.append(
            "when the pictures were taken is not known: weather, light and season may all be the same"
        )
    elif max(times) - min(times) < DAY_S:
        found.append("all pictures were taken within a day")
    return found
