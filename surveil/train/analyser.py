"""Your own classifiers as an analyser of the prepare stage: crops in, findings in `Observation.extras`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from surveil.train.classifier import Classifier
from surveil.types import Box, Bytes, Frame, Polygon, Track

EXTRA = "classified"
_DRIFT_MEMORY = 0.02


class View(Protocol):
    """One frame as analysers see it (see `surveil.pipeline.work`)."""

    @property
    def frame(self) -> Frame:
        """The frame."""

    @property
    def tracks(self) -> Sequence[Track]:
        """Tracks as of the frame before."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a classifier says about one crop."""

    model: str
    on: str
    zone: str
    track: int | None
    box: Box
    scores: Mapping[str, float]
    thresholds: Mapping[str, float]
    """Chosen in training, for the class it was about."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a rule wants looked at."""

    model: str
    on: Literal["frame", "zone", "track"]
    every_s: float
    zone: str = ""
    outline: Polygon = ()
    """Of the zone, in fractions of the frame."""
    classes: tuple[str, ...] = ()
    """Of tracks."""


@dataclass(slots=True)
class Drift:
    """How far the running scores are from those of the validation split: 0 alike, 1 elsewhere. One thread's."""

    quantiles: tuple[float, ...]
    _shares: list[float] = field(default_factory=list)

    def add(self, score: float) -> None:
        """Count one score, with an exponential memory of some 50."""
        place = int(np.searchsorted(self.quantiles[1:-1], score, side="right"))
        bins = len(self.quantiles) - 1
        if not self._shares:
            self._shares = [1 / bins] * bins
        self._shares = [
            s * (1 - _DRIFT_MEMORY) + _DRIFT_MEMORY * (k == place) for k, s in enumerate(self._shares)
        ]

    @property
    def value(self) -> float:
        """Largest difference between the two cumulative distributions (Kolmogorov-Smirnov)."""
        if not self._shares:
            return 0.0
        expected = np.arange(1, len(self._shares) + 1) / len(self._shares)
        return float(np.abs(np.cumsum(self._shares) - expected).max())


class ClassifyAnalyser:
    """One camera's looks. Owned by the holder of the camera's slot; `models` are its own, or used by one thread."""

    name = EXTRA

    def __init__(self, models: Mapping[str, Classifier], looks: Sequence[Look]) -> None:
        self._models = dict(models)
        self._looks = tuple(looks)
        self._due = [float("-inf")] * len(looks)
        self.drift = {name: Drift(model.card.quantiles) for name, model in self._models.items()}

    def observe(self, view: View) -> tuple[Finding, ...] | None:
        """Classify the crops that are due; None when none is."""
        t = view.frame.t
        due = [k for k, at in enumerate(self._due) if t >= at]
        if not due or (view.frame.damaged and not view.frame.degraded):
            return None
        for k in due:
            self._due[k] = t + self._looks[k].every_s - 1e-6
        size = (view.frame.picture.width, view.frame.picture.height)
        crops = [
            (look, place)
            for look in (self._looks[k] for k in due)
            for place in _places(look, size, view.tracks)
        ]
        if not crops:
            return ()
        rgb = np.asarray(view.frame.picture.bgr()[:, :, ::-1])
        return tuple(
            f
            for name in self._models
            for f in self._classify(name, [c for c in crops if c[0].model == name], rgb)
        )

    def _classify(self, name: str, crops: Sequence[tuple[Look, _Place]], rgb: Bytes) -> list[Finding]:
        model = self._models[name]
        card = model.card
        found = model.probabilities([_cut(rgb, place.box) for _, place in crops])
        which = card.labels.index(card.positive)
        findings = []
        for (look, place), row in zip(crops, found, strict=True):
            self.drift[name].add(float(row[which]))
            scores = {label: float(p) for label, p in zip(card.labels, row, strict=True)}
            thresholds = {card.positive: card.threshold}
            findings.append(Finding(name, look.on, look.zone, place.track, place.box, scores, thresholds))
        return findings


@dataclass(frozen=True, slots=True)
class _Place:
    box: Box
    track: int | None = None


def _places(look: Look, size: tuple[int, int], tracks: Sequence[Track]) -> list[_Place]:
    w, h = size
    if look.on == "frame":
        return [_Place((0.0, 0.0, float(w), float(h)))]
    if look.on == "zone":
        xs, ys = [p[0] * w for p in look.outline], [p[1] * h for p in look.outline]
        return [_Place((min(xs), min(ys), max(xs), max(ys)))]
    wanted = [t for t in tracks if t.label in look.classes]
    return [
        _Place(_wider(t.box, size), t.id)
        for t in wanted
        if t.box[2] - t.box[0] >= 4 and t.box[3] - t.box[1] >= 4
    ]


_CONTEXT = 0.1


def _wider(box: Box, size: tuple[int, int]) -> Box:
    """A tenth more on each side, as collected crops have it, cut at the frame."""
    dx, dy = (box[2] - box[0]) * _CONTEXT, (box[3] - box[1]) * _CONTEXT
    return (
        max(0.0, box[0] - dx),
        max(0.0, box[1] - dy),
        min(float(size[0]), box[2] + dx),
        min(float(size[1]), box[3] + dy),
    )


def _cut(rgb: Bytes, box: Box) -> Bytes:
    x0, y0 = max(0, int(box[0])), max(0, int(box[1]))
    x1, y1 = min(rgb.shape[1], max(x0 + 2, round(box[2]))), min(rgb.shape[0], max(y0 + 2, round(box[3])))
    return rgb[max(0, min(y0, y1 - 2)) : y1, max(0, min(x0, x1 - 2)) : x1]
