"""A model at work: features to a result. Shared by the daemon and by `surveil evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

import cv2
import numpy as np

from surveil.features.normality.attributes import ATTRIBUTES, HOUR, OBJECT
from surveil.features.normality.budget import Rarity, Threshold
from surveil.features.normality.features import WINDOW, Features
from surveil.features.normality.hours import COLUMNS, ROWS, HourFinding, HourScorer
from surveil.features.normality.model import Examples
from surveil.features.normality.modelfile import LoadedModel
from surveil.features.normality.objects import ObjectFinding, ObjectSample, ObjectScorer
from surveil.features.normality.plane import CELL
from surveil.features.normality.result import (
    EMPTY,
    Explanation,
    NormalityResult,
    NormalityState,
    NormalityStatus,
)
from surveil.features.normality.score import CellScore, Fusion, Scorer, Trend
from surveil.features.normality.words import rarity_words
from surveil.types import Box

REGION = 0.6
"""The box holds the cells connected to the highest whose score is at least this share of it."""


def footage_status(threshold: Threshold) -> NormalityStatus:
    """Return what the footage behind a threshold allows."""
    if not threshold.supported:
        return NormalityStatus(NormalityState.LEARNING, threshold.words())
    return NormalityStatus(
        NormalityState.PROVISIONAL if threshold.provisional else NormalityState.READY, threshold.words()
    )


class Judge:
    """Scores one camera's features against one model. Owned by the slot's holder."""

    def __init__(self, loaded: LoadedModel, budget: float) -> None:
        model = self._model = loaded.model
        self._loaded = loaded
        self.threshold = model.threshold(budget)
        self.status = footage_status(self.threshold)
        """What the footage behind the model vouches for."""
        self._scorer = Scorer(model.usual())
        self._objects = ObjectScorer(model.objects)
        self._hours = HourScorer(model.hours)
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
        cells = self._scorer.score(features)
        objects = self._objects.score(samples) if self._objects.known else ObjectFinding(0.0, None, "")
        raw = {name: score.raw for name, score in cells.items()}
        speed = raw.get("speed")
        if objects.sample is not None:
            raw[OBJECT] = objects.raw
        hours = self._hours.score(features, hour)
        if hours.part is not None:
            raw[HOUR] = hours.raw
        surprise = self._fusion.surprises(raw)
        score, sustained = self._trend.update(self._fusion.fuse(surprise), features.t, features.dt)
        over = sustained >= self.threshold.value
        explanation = None
        if surprise and (over or explain):
            explanation = self._explain(surprise, cells, objects, hours, sustained if over else score)
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
        return result, speed

    def _explain(
        self,
        surprise: dict[str, float],
        cells: dict[str, CellScore],
        objects: ObjectFinding,
        hours: HourFinding,
        value: float,
    ) -> Explanation:
        name = self._fusion.leading(surprise)
        once = self._rarity.once_in(value)
        rarity = rarity_words(once, self._model.seen.seconds)
        if name == OBJECT and objects.sample is not None:
            box = self._scaled(objects.sample.box)
            example = self._examples.nearest("static", self._place(objects.sample.cell))
            return Explanation(
                attribute=name,
                words=f"{objects.words}; {rarity}",
                box=box,
                heat=EMPTY,
                once_in_s=once,
                example=example,
            )
        if name == HOUR and hours.part is not None:
            example = self._examples.nearest(
                "speed", ((hours.part[0] + 0.5) / ROWS, (hours.part[1] + 0.5) / COLUMNS)
            )
            return Explanation(
                attribute=name,
                words=f"{hours.words}; {rarity}",
                box=self._part(hours.part),
                heat=EMPTY,
                once_in_s=once,
                example=example,
            )
        score = cells[name]
        finding = self._scorer.finding(name, score)
        words = f"{ATTRIBUTES[name].words(finding)}; {rarity}"
        example = self._examples.nearest(name, self._place(score.cell))
        numbers = {
            "measured": hypot(*finding.measured),
            "usual": hypot(*finding.usual),
            "deviation": finding.sd,
        }
        return Explanation(
            attribute=name,
            words=words,
            box=self._box(score),
            heat=score.map,
            once_in_s=once,
            example=example,
            numbers=numbers,
        )

    def _place(self, cell: tuple[int, int]) -> tuple[float, float]:
        """Return shares of the picture's height and width."""
        size = self._model.geometry.size
        return (cell[0] + 0.5) / size.rows, (cell[1] + 0.5) / size.columns

    def _box(self, score: CellScore) -> Box:
        mask = (score.map >= REGION * max(score.raw, 1e-6)).astype(np.uint8)
        _, labels = cv2.connectedComponents(mask)
        rows, columns = np.nonzero(labels == labels[score.cell])
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
