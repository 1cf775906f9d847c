"""Features of a frame to scores per attribute, and scores to one fused, smoothed, sustained surprise."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from math import exp

import numpy as np

from surveil.features.normality.attributes import (
    ATTRIBUTES,
    EPISODES,
    OFFSETS,
    SHARES,
    Attribute,
    AttributeScore,
)
from surveil.features.normality.cells import Usual
from surveil.features.normality.features import Features
from surveil.features.normality.tails import Tail
from surveil.types import BoolMap, Floats

SMOOTH_S = 0.11
"""Time constant: six tenths of the new value at 10 frames a second. Twice as slow costs two points of AUC."""
SUSTAIN_S = 1.0
"""An alarm needs a score that stays up this long. On held-out *normal* footage (Ped2's training clips) the
highest peak falls from 2.8 decades at 0.3 s to 1.6 at 1 s, because what is briefly odd is mostly noise."""


@dataclass(frozen=True, slots=True)
class CellScore:
    """One attribute in one frame in which it is active somewhere."""

    raw: float
    """Highest score over the cells, standard deviations, 0 or more."""
    cell: tuple[int, int]
    """Row and column where."""
    scores: Floats
    """(rows, columns); 0 where the attribute means nothing, negative where it is less than usual."""
    values: Floats
    """The measure (d, rows, columns)."""

    @property
    def map(self) -> Floats:
        """Scores (rows, columns), 0 or more."""
        return np.maximum(self.scores, np.float32(0.0))


class Scorer:
    """What is usual, applied to features. Holds no state between frames."""

    def __init__(self, usual: Mapping[str, Usual]) -> None:
        self._usual = dict(usual)

    def score(self, features: Features) -> dict[str, CellScore]:
        """Return by name the score of every attribute that is active somewhere."""
        found = {}
        for name, usual in self._usual.items():
            active = ATTRIBUTES[name].active(features)
            if active is not None:
                found[name] = _score(ATTRIBUTES[name], usual, features, active)
        return found

    def finding(self, name: str, score: CellScore) -> AttributeScore:
        """Return what was measured and what is usual at the highest cell."""
        r, c = score.cell
        usual = self._usual[name]
        measured = tuple(float(v) for v in score.values[:, r, c])
        expected = tuple(float(v) for v in usual.mean[:, r, c])
        return AttributeScore(measured, expected, usual.sd_at(r, c))


def _score(attribute: Attribute, usual: Usual, features: Features, active: BoolMap) -> CellScore:
    values = attribute.values(features)
    scores = attribute.score(usual, values)
    scores *= active
    cell = divmod(int(scores.argmax()), scores.shape[1])
    return CellScore(max(0.0, float(scores[cell])), cell, scores, values)


class Fusion:
    """What all attributes of one camera say together. Holds no state between frames.

    Weak hints add up. An attribute says half of its surprise until that is rare (`OFFSETS`), and all beyond; it
    weighs its share (`SHARES`) times the trust in its tail, in such a way that the weights of those that are known
    add up to their shares: scores of a camera that has seen little have the size of those of one that has seen much.
    What nothing is known of says nothing.
    """

    def __init__(self, tails: Mapping[str, Tail]) -> None:
        self._tails = dict(tails)
        known = [name for name, tail in tails.items() if tail.episodes > 0] or list(tails)
        trusted = {name: SHARES[name] * tails[name].trust(EPISODES[name]) for name in known}
        gain = sum(SHARES[n] for n in known) / sum(trusted.values()) if known else 1.0
        self.weights = {name: gain * trusted.get(name, 0.0) for name in tails}

    def surprises(self, raw: Mapping[str, float]) -> dict[str, float]:
        """Return −log10 tail probability per attribute; 0 for a raw score of 0."""
        return {
            name: self._tails[name].surprise(value) if value > 0 else 0.0
            for name, value in raw.items()
            if name in self._tails
        }

    def fuse(self, surprise: Mapping[str, float]) -> float:
        """Return the sum of what the attributes say."""
        return sum(self._says(name, value) for name, value in surprise.items())

    def leading(self, surprise: Mapping[str, float]) -> str:
        """Return the attribute that contributes most; the first by name when nothing does."""
        return max(sorted(surprise), key=lambda name: self._says(name, surprise[name]))

    def _says(self, name: str, surprise: float) -> float:
        return self.weights[name] * (surprise + max(0.0, surprise - OFFSETS[name])) / 2


class Trend:
    """Fused scores of one camera over time: smoothed, and how high they have *stayed*."""

    def __init__(self) -> None:
        self._smooth: float | None = None
        self._recent: deque[tuple[float, float]] = deque()

    def reset(self) -> None:
        """Forget the past, after a gap."""
        self._smooth = None
        self._recent.clear()

    def update(self, fused: float, t: float, dt: float) -> tuple[float, float]:
        """Take the score of stream time `t`, `dt` after the one before; return (smoothed, sustained)."""
        if self._smooth is None:
            self._smooth = fused
        else:
            self._smooth += (1.0 - exp(-dt / SMOOTH_S)) * (fused - self._smooth)
        self._recent.append((t, self._smooth))
        while len(self._recent) > 1 and t - self._recent[1][0] >= SUSTAIN_S - 1e-6:
            self._recent.popleft()
        full = t - self._recent[0][0] >= SUSTAIN_S - 1e-6
        return self._smooth, min(s for _, s in self._recent) if full else 0.0
