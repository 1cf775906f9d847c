"""Figures of merit on labelled frames, with bootstrap intervals over clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from surveil.types import BoolMap

T = TypeVar("T")
Scores = NDArray[np.float64]
ROUNDS = 1000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its bootstrap interval."""

    value: float
    low: float
    high: float


def frame_auc(scores: Scores, labels: BoolMap) -> float:
    """Return the area under the ROC curve, ties counted half; NaN with one class only."""
    positive = int(labels.sum())
    negative = len(labels) - positive
    if not positive or not negative:
        return nan
    _, value, times = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(times) - (times - 1) / 2)[value]
    return float((ranks[labels].sum() - positive * (positive + 1) / 2) / (positive * negative))


def average_precision(scores: Scores, labels: BoolMap) -> float:
    """Return the mean precision over recall steps; frames of equal score count together. NaN without positives."""
    positive = int(labels.sum())
    if not positive:
        return nan
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    hits = np.cumsum(labels[order])[ends]
    precision = hits / (ends + 1)
    return float(np.sum(np.diff(hits, prepend=0) * precision) / positive)


def runs(flags: BoolMap) -> list[tuple[int, int]]:
    """Return first and last index of every run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]


def bootstrap(clips: Sequence[T], figure: Callable[[Sequence[T]], float], seed: int = 0) -> Estimate:
    """Return `figure` of all clips and its interval over resamples of whole clips."""
    return bootstrap_each(clips, lambda chosen: np.array([figure(chosen)]), seed)[0]


def bootstrap_each(
    clips: Sequence[T], figures: Callable[[Sequence[T]], Scores], seed: int = 0
) -> list[Estimate]:
    """Return each of several figures, float64 (k,), with its interval; a resample serves all of them."""
    values = figures(clips)
    rng = np.random.default_rng(seed)
    drawn = [figures([clips[i] for i in rng.integers(0, len(clips), len(clips))]) for _ in range(ROUNDS)]
    many = len(clips) > 1
    return [
        _estimate(value, column[np.isfinite(column)] if many else column[:0])
        for value, column in zip(values.tolist(), np.stack(drawn, 1), strict=True)
    ]


def _estimate(value: float, drawn: Scores) -> Estimate:
    if not len(drawn):
        return Estimate(value, nan, nan)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high))
