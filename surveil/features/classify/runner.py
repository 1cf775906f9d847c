"""Runs classifiers on all waiting crops, with one call per model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from surveil.clock import Clock
from surveil.features.classify.classifier import BATCH, Card, Classifier
from surveil.features.classify.crops import CropCutter, Cut, Ready
from surveil.features.classify.finding import Classification, Classifications
from surveil.features.classify.metrics import ClassifierMetrics
from surveil.metrics import Metrics
from surveil.pipeline.work import CameraSlot
from surveil.types import Findings, Floats

_MEMORY = 0.02


class ClassifierRunner:
    """Part of the detect stage, whose thread runs every session."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics.of(ClassifierMetrics)
        self._clock = clock
        self._drift: dict[tuple[str, str], tuple[str, Drift]] = {}
        """By camera and classifier: the version it is told of, and how far its scores are from training."""

    def process(self, slots: Sequence[CameraSlot]) -> None:
        """Classify the crops of `slots` and add what was found to their findings."""
        by_slot = [(slot, _cuts(slot)) for slot in slots]
        waiting = [ready for _, cuts in by_slot for cut in cuts for ready in (cut.current, cut.shadow)]
        scores = self._scores([ready for ready in waiting if ready is not None])
        for slot, cuts in by_slot:
            findings = [f for cut in cuts if (f := self._finding(slot.camera, cut, scores))]
            if findings:
                slot.state.findings = Findings([*slot.state.findings, Classifications(tuple(findings))])

    def _scores(self, waiting: Sequence[Ready]) -> dict[int, Floats]:
        """Return the probabilities by the crop's identity."""
        by_model: dict[Classifier, list[Ready]] = defaultdict(list)
        for ready in waiting:
            by_model[ready.model].append(ready)
        return {
            id(ready): row
            for model, all_ in by_model.items()
            for start in range(0, len(all_), BATCH)
            for ready, row in self._run(model, all_[start : start + BATCH])
        }

    def _run(self, model: Classifier, batch: Sequence[Ready]) -> zip[tuple[Ready, Floats]]:
        started = self._clock.monotonic()
        rows = model.run(np.stack([ready.tensor for ready in batch]))
        self._metrics.seconds.observe(self._clock.monotonic() - started)
        return zip(batch, rows, strict=True)

    def _finding(self, camera: str, cut: Cut, scores: dict[int, Floats]) -> Classification | None:
        """Return what the classifier in use says; count it, and what its shadow says beside it."""
        name, metrics = cut.look.model, self._metrics
        shadow = "" if cut.shadow is None else cut.shadow.model.card.said(scores[id(cut.shadow)].tolist())
        if cut.current is None:
            if shadow:
                metrics.shadow.labels(camera, name, "none", shadow).inc()
            return None
        model, row = cut.current.model, scores[id(cut.current)].tolist()
        said = model.card.said(row)
        metrics.looks.labels(camera, name, said).inc()
        if shadow:
            metrics.shadow.labels(camera, name, said, shadow).inc()
        self._watch(camera, name, model, row)
        return _found(cut, model.card, row, model.sha256[:12])

    def _watch(self, camera: str, name: str, model: Classifier, row: list[float]) -> None:
        version, drift = self._drift.get((camera, name), ("", Drift(model.card.quantiles)))
        if version != model.sha256:
            drift = Drift(model.card.quantiles)
        drift.add(row[model.card.labels.index(model.card.positive)])
        self._drift[camera, name] = (model.sha256, drift)
        self._metrics.drift.labels(camera, name).set(drift.value)


def _cuts(slot: CameraSlot) -> tuple[Cut, ...]:
    cutters = (cutter for cutter in slot.state.cutters if isinstance(cutter, CropCutter))
    return tuple(cut for cutter in cutters for cut in cutter.waiting)


def _found(cut: Cut, card: Card, row: list[float], version: str) -> Classification:
    look, place = cut.look, cut.place
    scores = dict(zip(card.labels, row, strict=True))
    return Classification(
        model=look.model,
        on=look.on,
        zone=look.zone,
        track=place.track,
        box=place.box,
        scores=scores,
        thresholds={card.positive: card.threshold},
        version=version,
    )


@dataclass(slots=True)
class Drift:
    """Whether a running classifier still sees what it was trained for. One thread's.

    It is how far the running scores are from those of the validation split: 0 alike, 1 elsewhere.
    """

    quantiles: tuple[float, ...]
    _shares: list[float] = field(default_factory=list)

    def add(self, score: float) -> None:
        """Count one score, with an exponential memory of some 50."""
        place = int(np.searchsorted(self.quantiles[1:-1], score, side="right"))
        bins = len(self.quantiles) - 1
        if not self._shares:
            self._shares = [1 / bins] * bins
        self._shares = [s * (1 - _MEMORY) + _MEMORY * (k == place) for k, s in enumerate(self._shares)]

    @property
    def value(self) -> float:
        """Largest difference between the two cumulative distributions (Kolmogorov-Smirnov)."""
        if not self._shares:
            return 0.0
        expected = np.arange(1, len(self._shares) + 1) / len(self._shares)
        return float(np.abs(np.cumsum(self._shares) - expected).max())
