"""Fits a model to what was learned: held-out scores by leaving folds out, then all data for use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surveil.features.normality.attributes import ATTRIBUTES, HOUR, NAMES, OBJECT, PLACE
from surveil.features.normality.cells import SAMPLE_S, CellSums
from surveil.features.normality.features import Features
from surveil.features.normality.geometry import Geometry
from surveil.features.normality.hours import HourScorer, HourSums
from surveil.features.normality.model import Examples, Exposure, SceneModel
from surveil.features.normality.objects import ObjectSample, ObjectScorer, ObjectSums, places
from surveil.features.normality.peaks import Peaks
from surveil.features.normality.rare import PlaceScorer
from surveil.features.normality.score import Fusion, Scorer, Trend
from surveil.features.normality.spool import Block, Packed, unpack
from surveil.features.normality.tails import Tail


@dataclass(slots=True)
class FoldSums:
    """Sums of one fold of the footage."""

    cells: dict[str, CellSums]
    objects: ObjectSums
    hours: HourSums

    @classmethod
    def zeros(cls, geometry: Geometry) -> FoldSums:
        """Return sums of nothing."""
        size = geometry.size
        cells = {n: CellSums.zeros(a.dimensions, size.rows, size.columns) for n, a in ATTRIBUTES.items()}
        return cls(cells, ObjectSums(*places(geometry)), HourSums())

    def add(self, features: Features, objects: Sequence[ObjectSample], hour: int) -> None:
        """Add one frame. A frame after a gap weighs what it lasts, half a second at most."""
        dt = min(features.dt, 0.5)
        for name, attribute in ATTRIBUTES.items():
            active = attribute.active(features)
            if active is not None:
                self.cells[name].add(attribute.values(features), active, dt / SAMPLE_S)
        self.objects.add(objects, dt)
        self.hours.add(features, hour, dt)

    def add_sums(self, other: FoldSums) -> None:
        """Add another's sums."""
        for name, sums in other.cells.items():
            self.cells[name].add_scaled(sums)
        self.objects.add_scaled(other.objects)
        self.hours.add_scaled(other.hours)

    def places(self) -> PlaceScorer:
        """Return how seldom each place was occupied."""
        return PlaceScorer(self.cells["static"].weight, float(self.hours.watched.sum()))


@dataclass(frozen=True, slots=True)
class LearnedSums:
    """Everything that was learned so far, safe to fit on another thread."""

    camera: str
    width: int
    height: int
    geometry: Geometry
    seen: Exposure
    folds: tuple[FoldSums, ...]
    blocks: tuple[Block, ...]
    early: Peaks
    """Peaks of blocks that had to go."""
    examples: Examples
    base: SceneModel | None

    def fit(self) -> SceneModel:
        """Return the model: held-out scores by leaving folds out, then everything for use."""
        return Fit(self).model()


@dataclass(frozen=True, slots=True)
class _FoldJudge:
    """What is usual without one fold."""

    cells: Scorer
    objects: ObjectScorer
    hours: HourScorer
    places: PlaceScorer


Raw = dict[str, NDArray[np.float64]]


class Fit:
    """One fit: total sums, held-out scores per block, tails, peaks."""

    def __init__(self, learned: LearnedSums) -> None:
        self._learned = learned
        self._size = learned.geometry.size
        self._raw: dict[int, Raw] = {}
        self._judges: dict[int, _FoldJudge] = {}

    def model(self) -> SceneModel:
        """Return the model."""
        learned = self._learned
        tails = self.tails()
        peaks = Peaks.unpack(learned.base.peaks.pack()) if learned.base else Peaks()
        early = Peaks.unpack(learned.early.pack())
        if early.seconds:
            peaks.merge(early)
        self.peaks_of(learned.blocks, tails, peaks)
        total = self._sums(leave_out=None)
        seen = _with_base(learned.seen, learned.base)
        return SceneModel(
            camera=learned.camera,
            width=learned.width,
            height=learned.height,
            geometry=learned.geometry,
            seen=seen,
            sums=total.cells,
            objects=total.objects,
            hours=total.hours,
            tails=tails,
            peaks=peaks,
            examples=dict(learned.examples.kept),
        )

    def _sums(self, leave_out: int | None) -> FoldSums:
        total = FoldSums.zeros(self._learned.geometry)
        base = self._learned.base
        if base is not None:
            total.add_sums(FoldSums(dict(base.sums), base.objects, base.hours))
        for i, fold in enumerate(self._learned.folds):
            if i != leave_out:
                total.add_sums(fold)
        return total

    def _judge(self, fold: int) -> _FoldJudge:
        if fold not in self._judges:
            sums = self._sums(leave_out=fold)
            usual = {n: sums.cells[n].fit(a.prior) for n, a in ATTRIBUTES.items()}
            self._judges[fold] = _FoldJudge(
                Scorer(usual), ObjectScorer(sums.objects), HourScorer(sums.hours), sums.places()
            )
        return self._judges[fold]

    def _scores(self, block: Block) -> Raw:
        """Return a block's held-out raw scores (frames,) per attribute; NaN where one was silent."""
        if id(block) not in self._raw:
            raw: Raw = {name: np.full(len(block.frames), np.nan) for name in NAMES}
            for i, frame in enumerate(block.frames):
                for name, value in self._frame(block.fold, frame).items():
                    raw[name][i] = value
            self._raw[id(block)] = raw
        return self._raw[id(block)]

    def _frame(self, fold: int, frame: Packed) -> dict[str, float]:
        """Return the held-out raw scores of what had something to say."""
        judge = self._judge(fold)
        found = {}
        if len(frame.cells):
            features = unpack(frame, self._size.rows, self._size.columns)
            found = {name: score.raw for name, score in judge.cells.score(features).items()}
            finding = judge.hours.score(features, frame.hour)
            if finding.part is not None:
                found[HOUR] = finding.raw
            place = judge.places.score(features)
            if place is not None:
                found[PLACE] = place.raw
        if frame.objects and judge.objects.known:
            found[OBJECT] = judge.objects.score(frame.objects).raw
        return found

    def _judgeable(self, blocks: Sequence[Block]) -> list[Block]:
        """Return the blocks for which there is other footage to judge them by."""
        return [b for b in blocks if b.frames and (self._learned.base or self._others(b.fold))]

    def _others(self, fold: int) -> bool:
        return any(b.frames for b in self._learned.blocks if b.fold != fold)

    def tails(self) -> dict[str, Tail]:
        """Return the tail of every attribute, from held-out frames in which it was not silent."""
        blocks = self._judgeable(self._learned.blocks)
        weights = np.array([f.dt for b in blocks for f in b.frames], np.float64)
        times = np.array([f.t for b in blocks for f in b.frames], np.float64)
        found = {}
        for name in NAMES:
            scores = np.concatenate([self._scores(b)[name] for b in blocks]) if blocks else np.zeros(0)
            spoke = ~np.isnan(scores)
            found[name] = self._mixed(
                name, Tail.fit(scores[spoke], weights[spoke], times[spoke]), weights[spoke].sum()
            )
        return found

    def _mixed(self, name: str, tail: Tail, seconds: float) -> Tail:
        """Mix with the tail of the footage before: a quiet night must not change what a score means."""
        base = self._learned.base
        if base is None:
            return tail
        return base.tails[name].mixed(tail, seconds / max(1.0, seconds + base.seen.moving_s))

    def peaks_of(self, blocks: Sequence[Block], tails: dict[str, Tail], peaks: Peaks) -> None:
        """Run the blocks through fusion and trend as the daemon would, into `peaks`."""
        fusion, trend, last = Fusion(tails), Trend(), -np.inf
        for block in self._judgeable(blocks):
            first = block.frames[0]
            # A block before it may have had to go.
            if not block.follows or abs(first.t - first.dt - last) > 1.0:
                trend.reset()
                peaks.gap()
            last = block.frames[-1].t
            raw = self._scores(block)
            for i, frame in enumerate(block.frames):
                here = {name: float(values[i]) for name, values in raw.items() if not np.isnan(values[i])}
                _, sustained = trend.update(fusion.fuse(fusion.surprises(here)), frame.t, frame.dt)
                peaks.add(sustained, frame.dt)
        peaks.close_slot()


def _with_base(seen: Exposure, base: SceneModel | None) -> Exposure:
    if base is None:
        return seen
    return Exposure(
        base.seen.seconds + seen.seconds,
        base.seen.moving_s + seen.moving_s,
        min(base.seen.first_wall, seen.first_wall),
        max(base.seen.last_wall, seen.last_wall),
    )
