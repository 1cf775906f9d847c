"""Exact bounds of a Poisson mean from a count of rare events (F. Garwood, Biometrika, 1936)."""

from __future__ import annotations

import numpy as np

_HALVINGS = 60


def upper(count: int, confidence: float) -> float:
    """Return the mean that is not exceeded with `confidence` (0..1) when `count` events were seen."""
    return _mean_with(1 - confidence, count)


def lower(count: int, confidence: float) -> float:
    """Return the mean that is reached with `confidence` (0..1) when `count` events were seen."""
    return _mean_with(confidence, count - 1) if count else 0.0


def _mean_with(chance: float, count: int) -> float:
    """Return the mean at which at most `count` events have this chance; the chance falls with the mean."""
    low, high = 0.0, count + 1.0
    while _at_most(count, high) > chance:
        high *= 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(count, middle) > chance else (low, middle)
    return (low + high) / 2


def _at_most(count: int, mean: float) -> float:
    """Return the chance of at most `count` events."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1) / mean))])
    return float(np.exp(-logs - mean).sum())
