"""The trained part: a regularised linear classifier on the network's features, with calibrated probabilities.

Multinomial logistic regression with class weights and an L2 penalty, by L-BFGS; then one temperature, fitted on
pictures that were not learned from (C. Guo and others, *On Calibration of Modern Neural Networks*, 2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surveil.offline.classify.lbfgs import minimise
from surveil.types import Doubles, Floats

Labels = NDArray[np.int64]
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)


@dataclass(frozen=True, slots=True)
class Head:
    """logits = features @ weights.T + bias; scaling and temperature are folded in."""

    weights: Doubles
    """float64 (classes, features)."""
    bias: Doubles
    """float64 (classes,)."""

    def logits(self, features: Floats) -> Doubles:
        """Return float64 (n, classes)."""
        return np.asarray(features.astype(np.float64) @ self.weights.T + self.bias)

    def probabilities(self, features: Floats) -> Doubles:
        """Return float64 (n, classes), rows sum to 1."""
        return np.exp(_log_softmax(self.logits(features)))

    def cooled(self, temperature: float) -> Head:
        """Return the head with its logits divided by `temperature`."""
        return Head(self.weights / temperature, self.bias / temperature)

    def moved(self, start: Head, end: Head, share: float) -> Head:
        """Return the head moved by a share of the way from `start` to `end`."""
        return Head(
            self.weights + share * (end.weights - start.weights), self.bias + share * (end.bias - start.bias)
        )


def _log_softmax(logits: Doubles) -> Doubles:
    """Return log probabilities, rows of float64 (n, classes)."""
    shifted = logits - logits.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))


def class_weights(labels: Labels, classes: int) -> Doubles:
    """Return a weight for each picture, mean 1, that makes every class count the same."""
    counts = np.bincount(labels, minlength=classes)
    return np.asarray((len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1)))[labels], np.float64)


def fit(features: Floats, labels: Labels, classes: int, penalty: float, start: Doubles | None = None) -> Head:
    """Fit on float32 (n, d) and class numbers (n,). `penalty`: L2 per standardised feature."""
    x = features.astype(np.float64)
    mean, spread = x.mean(0), x.std(0) + 1e-3
    # The root of the number of features keeps the meaning of the penalty whatever the network.
    x = (x - mean) / spread * (10 / np.sqrt(x.shape[1]))
    weights = class_weights(labels, classes) / len(labels)
    target = np.eye(classes)[labels]

    def loss(flat: Doubles) -> tuple[float, Doubles]:
        w, b = flat[:-classes].reshape(classes, -1), flat[-classes:]
        logs = _log_softmax(x @ w.T + b)
        error = weights[:, None] * (np.exp(logs) - target)
        value = -float(weights @ (logs * target).sum(1)) + penalty * float((w * w).sum()) / 2
        return value, np.concatenate([(error.T @ x + penalty * w).ravel(), error.sum(0)])

    begin = np.zeros(classes * (x.shape[1] + 1)) if start is None else start
    found = minimise(loss, begin)
    w = found[:-classes].reshape(classes, -1) * (10 / np.sqrt(x.shape[1])) / spread
    return Head(w, found[-classes:] - w @ mean)


def log_loss(logits: Doubles, labels: Labels, weights: Doubles | None = None) -> float:
    """Return the mean negative log probability of the true class."""
    return float(np.average(losses_of(logits, labels), weights=weights))


def losses_of(logits: Doubles, labels: Labels) -> Doubles:
    """Return the negative log probability of the true class, float64 (n,)."""
    return np.asarray(-_log_softmax(logits)[np.arange(len(labels)), labels])


def simplest(losses: Doubles, unit: Labels) -> int:
    """Return the first row of float64 (candidates, n) that is no worse than the best by more than a standard error.

    Candidates are ordered from the simplest. On few pictures the best is often so by luck only (L. Breiman and others,
    *Classification and Regression Trees*, 1984). Pictures of one unit count as one observation.
    """
    best = losses[losses.mean(1).argmin()]
    for k, one in enumerate(losses):
        worse = one - best
        sums = np.bincount(unit, worse - worse.mean())
        if worse.mean() <= np.sqrt((sums * sums).sum()) / len(unit):
            return k
    raise AssertionError("the best is no worse than itself")


def temperature(logits: Doubles, labels: Labels) -> float:
    """Return the divisor of the logits, 0.2..20, that fits probabilities best to what was true."""
    true = float(logits[np.arange(len(labels)), labels].mean())
    # The loss is convex in the factor, its slope the mean logit expected less the mean logit of what was true.
    low, high = 1 / 20, 1 / 0.2
    for _ in range(50):
        factor = (low + high) / 2
        expected = float((np.exp(_log_softmax(logits * factor)) * logits).sum(1).mean())
        low, high = (factor, high) if expected < true else (low, factor)
    return 2 / (low + high)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A head and how it was chosen."""

    head: Head
    penalty: float
    temperature: float
    losses: tuple[tuple[float, float], ...]
    """(penalty, log loss on validation) of each that was tried."""


def choose(train: tuple[Floats, Labels], validation: tuple[Floats, Labels], classes: int) -> Fitted:
    """Fit with each penalty, keep the one with the least loss on validation (classes weighted), calibrate it."""
    held, truth = validation
    weights = class_weights(truth, classes)
    heads = {penalty: fit(*train, classes, penalty) for penalty in PENALTIES}
    losses = {penalty: log_loss(head.logits(held), truth, weights) for penalty, head in heads.items()}
    best = min(losses, key=lambda penalty: losses[penalty])
    warm = temperature(heads[best].logits(held), truth)
    return Fitted(heads[best].cooled(warm), best, warm, tuple(losses.items()))
