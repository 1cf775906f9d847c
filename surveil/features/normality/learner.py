"""Learning: planes of normal footage in, a `SceneModel` out. One pass, bounded memory, pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf

import numpy as np

from surveil.clock import DAY_S
from surveil.features.normality.attributes import ATTRIBUTES
from surveil.features.normality.features import FeatureExtractor, Features
from surveil.features.normality.fit import Fit, FoldSums, LearnedSums
from surveil.features.normality.geometry import Geometry
from surveil.features.normality.hours import hour_of
from surveil.features.normality.model import Examples, Exposure, SceneModel
from surveil.features.normality.objects import Dwell, ObjectSample
from surveil.features.normality.peaks import Peaks
from surveil.features.normality.spool import BLOCK_S, FOLDS, Block, Spool, pack
from surveil.features.normality.tails import Tail
from surveil.types import Bytes, Track

SPOOL_BYTES = 192 * 1024 * 1024
"""For footage in files."""
LIVE_SPOOL_BYTES = 24 * 1024 * 1024
"""For a camera that learns beside everything else: about half an hour of uninterrupted motion."""


class TooLittleFootageError(ValueError):
    """There is nothing to learn from: no footage, a single frame."""


class Learner:
    """Learns one camera's normality. Owned by the holder of the camera's slot."""

    def __init__(
        self,
        camera: str,
        frame: tuple[int, int],
        geometry: Geometry,
        base: SceneModel | None = None,
        max_bytes: int = SPOOL_BYTES,
        half_life_days: float = inf,
        block_s: float = BLOCK_S,
    ) -> None:
        self._camera = camera
        self._frame = frame
        self._geometry = geometry
        self._base = base
        self._half_life_days = half_life_days
        self._folds = tuple(FoldSums.zeros(geometry) for _ in range(FOLDS))
        self._spool = Spool(max_bytes, block_s)
        self._examples = Examples(dict(base.examples) if base else None)
        self._early = Peaks()
        self.tails: dict[str, Tail] | None = dict(base.tails) if base else None
        """Of the last fit: what blocks that have to go are scored by. Fitted once where there was none."""
        self._seen = Exposure(0.0, 0.0, 0.0, 0.0)
        self._extractor = FeatureExtractor(geometry)
        self._dwell = Dwell()
        self._last: float | None = None

    @property
    def seen(self) -> Exposure:
        """What was learned from so far."""
        return self._seen

    @property
    def held_bytes(self) -> int:
        """Memory held for held-out scoring."""
        return self._spool.bytes

    def gap(self) -> None:
        """Note an interruption: a new clip, or a pause in learning."""
        self._extractor = FeatureExtractor(self._geometry)
        self._dwell = Dwell()
        self._spool.gap()
        self._last = None

    def observe(self, plane: Bytes, t: float, t_wall: float, tracks: Sequence[Track] = ()) -> None:
        """Learn from the plane of stream time `t` (s); `tracks` in pixels of the frame."""
        features = self._extractor.observe(plane, t)
        if features is not None:
            objects = self._dwell.samples(tracks, t, self._geometry, self._frame)
            self.learn(features, t_wall, objects, plane)

    def learn(
        self,
        features: Features,
        t_wall: float,
        objects: tuple[ObjectSample, ...] = (),
        plane: Bytes | None = None,
        *,
        usual: bool = True,
    ) -> None:
        """Learn from features that were already extracted.

        What is not `usual` (an alarm is open) does not count as normal, but it stays in the held-out footage:
        else every alarm would be missing from the count, and each new threshold would be lower than the last.
        """
        if self._last is not None and features.t - self._last > 1.0:
            self._spool.gap()
        self._last = features.t
        fold = self._folds[self._spool.fold()]
        hour = hour_of(t_wall)
        if usual:
            fold.add(features, objects, hour)
        dropped = self._spool.add(pack(features, objects, hour))
        if dropped:
            self._score_early(dropped)
        if plane is not None and usual:
            self._offer(features, plane)
        moving = 0.0 if features.moving is None else features.dt
        old = self._seen
        self._seen = Exposure(
            old.seconds + features.dt, old.moving_s + moving, old.first_wall or t_wall, t_wall
        )

    def _offer(self, features: Features, plane: Bytes) -> None:
        rows, columns = self._geometry.size.rows, self._geometry.size.columns
        for name, attribute in ATTRIBUTES.items():
            active = attribute.active(features)
            if active is None:
                continue
            values = attribute.values(features)
            size = active * (np.hypot(*values) if len(values) > 1 else values[0])
            r, c = divmod(int(size.argmax()), columns)
            self._examples.offer(name, ((r + 0.5) / rows, (c + 0.5) / columns), float(size[r, c]), plane)

    def _score_early(self, blocks: list[Block]) -> None:
        fit = Fit(replace(self.freeze(), blocks=(*self._spool.blocks, *blocks)))
        if self.tails is None:
            self.tails = fit.tails()
        fit.peaks_of(blocks, self.tails, self._early)

    def freeze(self) -> LearnedSums:
        """Return all that was learned, to be fitted elsewhere.

        Raises TooLittleFootageError before the first pair of frames.
        """
        if self._seen.seconds <= 0:
            raise TooLittleFootageError("no two frames close in time: nothing to learn from")
        folds = tuple(
            FoldSums(
                {n: s.scaled(1.0) for n, s in fold.cells.items()},
                fold.objects.scaled(1.0),
                fold.hours.scaled(1.0),
            )
            for fold in self._folds
        )
        blocks = tuple(
            Block(fold=b.fold, seconds=b.seconds, frames=list(b.frames), size=b.size, follows=b.follows)
            for b in self._spool.blocks
        )
        early = Peaks.unpack(self._early.pack())
        examples = Examples(self._examples.kept)
        base = self._base
        if base is not None:
            days = (self._seen.last_wall - base.seen.last_wall) / DAY_S
            base = base.faded(days, self._half_life_days)
        return LearnedSums(
            self._camera, *self._frame, self._geometry, self._seen, folds, blocks, early, examples, base
        )
