"""A model at work: features to a result. Shared by the daemon and by `surveil evaluate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import hypot

import cv2
import numpy as np

from surveil.features.normality.attributes import ATTRIBUTES, HOUR, OBJECT, PLACE
from surveil.features.normality.budget import Rarity, Threshold
from surveil.features.normality.features import WINDOW, Features
from surveil.features.normality.hours import COLUMNS, ROWS, HourFinding, HourScorer
from surveil.features.normality.model import Examples
from surveil.features.normality.modelfile import LoadedModel
from surveil.features.normality.objects import ObjectFinding, ObjectSample, ObjectScorer
from surveil.features.normality.plane import CELL
from surveil.features.normality.rare import PlaceFinding, PlaceScorer
from surveil.features.normality.result import (
    EMPTY,
    Explanation,
    NormalityResult,
    NormalityState,
    NormalityStatus,
)
from surveil.features.normality.score import CellScore, Fusion, Scorer, Trend
from surveil.features.normality.words import rarity_words
from surveil.types import Box, Floats
from surveil.wording import say

REGION = 0.6
"""The box holds the cells connected to the highest whose score is at least this share of it."""


def footage_status(threshold: Threshold) -> NormalityStatus:
    """Return what the footage behind a threshold allows."""
    if not threshold.supported:
        return NormalityStatus(NormalityState.LEARNING, threshold.words())
    return NormalityStatus(
        NormalityState.PROVISIONAL if threshold.provisional else NormalityState.READY, threshold.words()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Findings:
    """What each scorer found in one frame."""

    cells: dict[str, CellScore]
    objects: ObjectFinding
    hours: HourFinding
    place: PlaceFinding | None

    def raw(self) -> dict[str, float]:
        """Return the raw scores of what had something to say."""
        raw = {name: score.raw for name, score in self.cells.items()}
        if self.objects.sample is not None:
            raw[OBJECT] = self.objects.raw
        if self.hours.part is not None:
            raw[HOUR] = self.hours.raw
        if self.place is not None:
            raw[PLACE] = self.place.raw
        return raw


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cause:
    """What is said of the attribute that contributed most."""

    words: str
    box: Box
    """px of the frame."""
    like: str
    """The attribute whose example is shown."""
    place: tuple[float, float]
    """Shares of the picture's height and width."""
    heat: Floats = field(default_factory=lambda: EMPTY)
    numbers: Mapping[str, float] = field(default_factory=dict)


class Judge:
    """Scores one camera's features against one model. Owned by the slot's holder."""

    def __init__(self, loaded: LoadedModel, budget: float) -> None:
        model = self._model = loaded.model
        self._loaded = loaded
        self.threshold = model.threshold(budget)
        self.status = footage_status(self.threshold)
        """The budget that the footage behind the model supports."""
        self._scorer = Scorer(model.usual())
        self._objects = ObjectScorer(model.objects)
        self._hours = HourScorer(model.hours)
        self._places = PlaceScorer(model.sums["static"].weight, float(model.hours.watched.sum()))
        self._rarity = Rarity(model.ladder())
        self._examples = Examples(dict(model.examples))
        self._fusion = Fusion(model.tails)
        self._trend = Trend()
        self.knee = float(model.tails["speed"].knots[-1])

    def reset(self) -> None:
        """Forget the past of the score, after a gap."""
        self._trend.reset()

    def judge(
        self,
        features: Features,
        samples: Sequence[ObjectSample],
        hour: int,
        status: NormalityStatus,
        *,
        alerting: bool,
        explain: bool,
    ) -> tuple[NormalityResult, float | None]:
        """Return the result and the raw speed score (None when nothing moved). `hour`: of the day, local."""
        found = self._findings(features, samples, hour)
        raw = found.raw()
        surprise = self._fusion.surprises(raw)
        score, sustained = self._trend.update(self._fusion.fuse(surprise), features.t, features.dt)
        over = sustained >= self.threshold.value
        explanation = None
        if surprise and (over or explain):
            explanation = self._explain(surprise, found, sustained if over else score)
        result = NormalityResult(
            t=features.t,
            status=status,
            score=score,
            sustained=sustained,
            threshold=self.threshold.value,
            surprise=surprise,
            over=over,
            alarm=over and alerting,
            model=self._loaded.name,
            sha256=self._loaded.sha256,
            explanation=explanation,
        )
        return result, raw.get("speed")

    def _findings(self, features: Features, samples: Sequence[ObjectSample], hour: int) -> _Findings:
        return _Findings(
            cells=self._scorer.score(features),
            objects=self._objects.score(samples) if self._objects.known else ObjectFinding(0.0, None, ""),
            hours=self._hours.score(features, hour),
            place=self._places.score(features),
        )

    def _explain(self, surprise: dict[str, float], found: _Findings, value: float) -> Explanation:
        name = self._fusion.leading(surprise)
        once = self._rarity.once_in(value)
        cause = self._cause(name, found)
        return Explanation(
            attribute=name,
            words=say(
                "{cause}; {rarity}",
                cause=cause.words,
                rarity=rarity_words(once, self._model.seen.seconds),
            ),
            box=cause.box,
            heat=cause.heat,
            once_in_s=once,
            example=self._examples.nearest(cause.like, cause.place),
            numbers=cause.numbers,
        )

    def _cause(self, name: str, found: _Findings) -> _Cause:
        if name == OBJECT and found.objects.sample is not None:
            sample = found.objects.sample
            return _Cause(
                words=found.objects.words,
                box=self._scaled(sample.box),
                like="static",
                place=self._place(sample.cell),
            )
        if name == HOUR and found.hours.part is not None:
            row, column = found.hours.part
            place = ((row + 0.5) / ROWS, (column + 0.5) / COLUMNS)
            return _Cause(words=found.hours.words, box=self._part((row, column)), like="speed", place=place)
        if name == PLACE and found.place is not None:
            cell, heat = found.place.cell, found.place.scores
            return _Cause(
                words=self._places.words(cell),
                box=self._box(heat, cell),
                heat=heat,
                like="static",
                place=self._place(cell),
            )
        score = found.cells[name]
        finding = self._scorer.finding(name, score)
        numbers = {
            "measured": hypot(*finding.measured),
            "usual": hypot(*finding.usual),
            "deviation": finding.sd,
        }
        return _Cause(
            words=ATTRIBUTES[name].words(finding),
            box=self._box(score.map, score.cell),
            heat=score.map,
            like=name,
            place=self._place(score.cell),
            numbers=numbers,
        )

    def _place(self, cell: tuple[int, int]) -> tuple[float, float]:
        """Return shares of the picture's height and width."""
        size = self._model.geometry.size
        return (cell[0] + 0.5) / size.rows, (cell[1] + 0.5) / size.columns

    def _box(self, heat: Floats, cell: tuple[int, int]) -> Box:
        mask = (heat >= REGION * max(float(heat[cell]), 1e-6)).astype(np.uint8)
        _, labels = cv2.connectedComponents(mask)
        rows, columns = np.nonzero(labels == labels[cell])
        centre = (float(rows.mean()) + 0.5) * CELL
        side = WINDOW * self._model.geometry.height_at(centre)
        x1, x2 = float(columns.min() + 0.5) * CELL - side / 2, float(columns.max() + 0.5) * CELL + side / 2
        y1, y2 = float(rows.min() + 0.5) * CELL - side / 2, float(rows.max() + 0.5) * CELL + side / 2
        return self._scaled((x1, y1, x2, y2))

    def _part(self, part: tuple[int, int]) -> Box:
        """Return a part of the picture in px of the frame."""
        width, height = self._model.width / COLUMNS, self._model.height / ROWS
        return (part[1] * width, part[0] * height, (part[1] + 1) * width, (part[0] + 1) * height)

    def _scaled(self, box: Box) -> Box:
        model, size = self._model, self._model.geometry.size
        sx, sy = model.width / size.width, model.height / size.height
        return (
            max(0.0, box[0] * sx),
            max(0.0, box[1] * sy),
            min(float(model.width), box[2] * sx),
            min(float(model.height), box[3] * sy),
        )
