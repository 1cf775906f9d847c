"""Objections to deploying a classifier: an unreliable threshold on the test split, or scores that hardly differ."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from surveil.offline.classify.head import Labels
from surveil.offline.classify.measures import Operating, Wanted
from surveil.types import BoolMap, Doubles

_TIMES, _DEVIATIONS = 3.0, 3.0
_MOST_FALSE = 0.5
_SPAN, _TAIL = 0.1, 0.05


def promises(found: Operating, positive: BoolMap, wanted: Wanted) -> dict[str, float]:
    """Return the shares of false alarms and of misses that a threshold promises, by what it gives on validation.

    A budget is itself the promise. A share of nought among n pictures promises no less than one in n + 1.
    """
    positives, others = int(positive.sum()), int((~positive).sum())
    budget = wanted.false_alarm_budget
    false_alarms = found.false_alarms if budget is None else budget
    return {
        "false_alarms": round(false_alarms or 1 / (others + 1), 5),
        "missed": round((1 - found.recall) or 1 / (positives + 1), 5),
    }


def objections(
    classes: tuple[str, ...],
    scores: Doubles,
    truth: Labels,
    at: tuple[str, float],
    promised: Mapping[str, float],
) -> tuple[str, ...]:
    """Return in words why not to deploy it; nothing when it may be.

    `scores` (n, classes) and `truth` (n,) are of pictures that it has not learned from, `at` is its positive class with
    the threshold, `promised` what `promises` returned; empty: not known.
    """
    label, threshold = at
    which = classes.index(label)
    positive, over = truth == which, scores[:, which] >= threshold
    found = [
        _broken(over[~positive], promised.get("false_alarms"), f"are not {label!r} raise a false alarm"),
        _broken(~over[positive], promised.get("missed"), f"are {label!r} are missed"),
    ]
    if not found[0] and not positive.all() and over[~positive].mean() > _MOST_FALSE:
        found[0] = (
            f"{over[~positive].mean():.0%} of the {int((~positive).sum())} pictures that are not {label!r} "
            "raise a false alarm"
        )
    found += [_alike(label, scores[:, which], positive)]
    if len(classes) > 2:
        found += [_alike(c, scores[:, k], truth == k) for k, c in enumerate(classes) if c != label]
    return tuple(text for text in found if text)


def _broken(wrong: BoolMap, promised: float | None, what: str) -> str:
    """Say that many times more went wrong than was promised, and more than chance explains."""
    if promised is None or not len(wrong):
        return ""
    expected = promised * len(wrong)
    most = max(_TIMES * expected, expected + _DEVIATIONS * sqrt(expected))
    if int(wrong.sum()) < most:
        return ""
    return (
        f"{wrong.mean():.0%} of the {len(wrong)} pictures that {what}; "
        f"the threshold promised at most {promised:.1%}"
    )


def _alike(label: str, scores: NDArray[np.float64], positive: BoolMap) -> str:
    """Say that a class's scores are nearly the same whether a picture is of it or not."""
    if positive.all() or not positive.any():
        return ""
    # Few of a class may lie far from the many others: each side has its own tail.
    span = float(np.quantile(scores[positive], 1 - _TAIL) - np.quantile(scores[~positive], _TAIL))
    if span >= _SPAN:
        return ""
    if span < 0:
        return f"the scores of {label!r} are lower for pictures of that class than for others"
    return (
        f"the scores of {label!r} lie within {span:.2f} of each other, whether pictures are of that class or not: "
        "it does not tell them apart"
    )
