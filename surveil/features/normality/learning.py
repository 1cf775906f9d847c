"""How one running camera learns: background first, then motion, then a fit now and then. Pure, no clock.

Fitting takes seconds and files take I/O, so neither happens here: another thread takes what is ripe
(`take_learned`), fits and saves it, and hands the model back to the scene.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from surveil.clock import DAY_S
from surveil.features.normality.budget import MIN_ALARMS
from surveil.features.normality.features import Features
from surveil.features.normality.fit import LearnedSums
from surveil.features.normality.geometry import Geometry, GeometrySketch
from surveil.features.normality.learner import LIVE_SPOOL_BYTES, Learner
from surveil.features.normality.model import SceneModel
from surveil.features.normality.objects import ObjectSample
from surveil.features.normality.plane import plane_size
from surveil.features.normality.settings import NormalitySettings, is_excluded
from surveil.features.normality.words import duration_words
from surveil.types import Bytes


class PauseReason(StrEnum):
    """Why a frame is not learned from: a closed set, because it is a metric label."""

    ALARM = "alarm"
    """An event of another rule is open. (Its own alarms are not learned as usual either, but stay in the count.)"""
    LOST = "lost"
    PICTURE = "picture"
    """Frozen, covered, dark, … (picture health)."""
    MOVED = "moved"
    """The camera was turned (picture health): what was learned is of another view."""
    LIGHT = "light"
    """The whole picture changed at once: a switch, an infra-red filter."""
    DAMAGED = "damaged"
    HOURS = "hours"
    """The operator excludes this time of day."""


@dataclass(frozen=True, slots=True)
class LearningPause:
    """One reason, in words, and whether the frame means nothing at all."""

    reason: PauseReason
    words: str
    blind: bool = False
    """The picture no longer shows what the model knows: it is not judged either."""


LOST = LearningPause(PauseReason.LOST, "the camera is lost")
DAMAGED = LearningPause(PauseReason.DAMAGED, "the pictures are damaged")
LIGHT = LearningPause(PauseReason.LIGHT, "the whole picture changed at once")
HOURS = LearningPause(PauseReason.HOURS, "this hour is excluded")


SKETCH = 120
"""Samples of background and people before features are learned: a minute of frames, five if they are rare."""
FIRST_FIT_S = 600.0
FIT_S = 6 * 3600.0
"""At most so much footage is lost when the program ends."""


class Learning:
    """Belongs to its `SceneNormality`. Does nothing with `learn: off`."""

    def __init__(self, camera: str, settings: NormalitySettings) -> None:
        self._camera = camera
        self._settings = settings
        self._frame: tuple[int, int] = (0, 0)
        self._geometry: Geometry | None = None
        self._sketch: GeometrySketch | None = None
        self._learner: Learner | None = None
        self._base_s = 0.0
        self._next_fit_s = FIRST_FIT_S
        self._ripe: LearnedSums | None = None
        self.holding: LearningPause | None = None
        """Why it does not learn now; None: it learns, or is off."""

    @property
    def is_on(self) -> bool:
        """Whether the camera learns by itself at all."""
        return self._settings.learn == "auto"

    # What it learns for.

    def begin(self, frame: tuple[int, int]) -> None:
        """Learn again, from the background on, at frames of `frame` (width, height) px."""
        self._frame, self._geometry, self._learner = frame, None, None
        self._sketch, self._base_s = None, 0.0
        self._next_fit_s = FIRST_FIT_S
        if self.is_on:
            self._sketch = GeometrySketch(plane_size(*frame), equalise=self._settings.equalise)

    def adopt(self, geometry: Geometry, frame: tuple[int, int]) -> None:
        """Take a geometry that somebody else found; what was learned with another one goes."""
        self._frame, self._geometry = frame, geometry
        self._sketch, self._learner = None, None

    def follow(self, model: SceneModel, *, own: bool) -> None:
        """Go on from the model that is in use now. `own`: it is the last fit of what is learned here."""
        if not self.is_on or self._geometry is None:
            return
        if own and self._learner is not None and self._learner.seen.seconds < DAY_S:
            self._learner.tails = dict(model.tails)
            return
        base = replace(model, geometry=self._geometry)
        self._learner = Learner(
            self._camera, self._frame, self._geometry, base, LIVE_SPOOL_BYTES, self._settings.half_life_days
        )
        self._base_s = base.seen.seconds
        self._next_fit_s = min(FIT_S, max(FIRST_FIT_S, base.seen.seconds))

    # Frames.

    def pause(self, hold: LearningPause | None, t_wall: float) -> None:
        """Stop for a reason, or go on; what follows a pause does not continue what was before it."""
        if not self.is_on:
            return
        reason = hold or (HOURS if is_excluded(t_wall, self._settings.exclude_hours) else None)
        if reason is not None and self.holding is None and self._learner is not None:
            self._learner.gap()
        self.holding = reason

    @property
    def is_sketching(self) -> bool:
        """Whether it looks at the background now, which takes pictures close together."""
        return self._sketch is not None and self.holding is None

    def sketch(self, plane: Bytes, t: float) -> Geometry | None:
        """Look at the background; return what was found, once."""
        if self._sketch is None or not self.is_sketching:
            return None
        self._sketch.add(plane, t)
        if len(self._sketch) < SKETCH:
            return None
        self._geometry, self._sketch = self._sketch.fit(), None
        self._learner = Learner(
            self._camera, self._frame, self._geometry, None, LIVE_SPOOL_BYTES, self._settings.half_life_days
        )
        return self._geometry

    def learn(
        self,
        plane: Bytes | None,
        features: Features,
        samples: tuple[ObjectSample, ...],
        t_wall: float,
        *,
        usual: bool,
    ) -> None:
        """Learn from one frame unless something holds it."""
        if self._learner is None or self.holding is not None:
            return
        self._learner.learn(features, t_wall, samples, plane, usual=usual)
        if self._learner.seen.seconds >= self._next_fit_s:
            self._ripe = self.freeze()

    # Fits: after ten minutes, each doubling, then every six hours.

    def take_learned(self) -> LearnedSums | None:
        """Return what there is to fit, once, to any thread; None: nothing yet."""
        learned, self._ripe = self._ripe, None
        return learned

    def freeze(self) -> LearnedSums:
        """Return what was learned so far, to be fitted on another thread.

        Raises ValueError before there is anything.
        """
        if self._learner is None:
            raise ValueError(f"camera {self._camera} is not learning")
        self._next_fit_s = min(2 * self._next_fit_s, self._next_fit_s + FIT_S)
        return self._learner.freeze()

    # What it says of itself.

    @property
    def seconds(self) -> float:
        """Footage that was learned from, that of the model it goes on from included."""
        learner = self._learner  # Other threads ask, too.
        return self._base_s + (learner.seen.seconds if learner else 0.0)

    @property
    def share(self) -> float:
        """Footage as a share of what it takes to support the budget, 0..1."""
        return min(1.0, self.seconds * self._settings.budget / (MIN_ALARMS * DAY_S))

    def words(self) -> str:
        """Return how far learning is."""
        paused = f"; paused: {self.holding.words}" if self.holding else ""
        if self._learner is None:
            n = len(self._sketch) if self._sketch is not None else 0
            return f"looking at the background: {n} of {SKETCH} pictures{paused}"
        watched = duration_words(max(1.0, self.seconds))
        left = self._next_fit_s - self._learner.seen.seconds
        return f"watched {watched}; next fit after {duration_words(max(1.0, left))} more{paused}"
