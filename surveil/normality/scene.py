"""`SceneNormality`: the run-time object of one camera. Pure: time comes in with the frame, no I/O.

    off ── no model, learn: off
    learning ── no model yet, or its calibration does not reach the budget: watches, says how far it is
    provisional ── the budget is within reach by extrapolation: alerts, and says so
    ready ── the held-out footage vouches for the budget
    invalid ── the camera moved, sends another resolution, what is normal has drifted, or the model is
               too old: does not alert, says why, and learns anew where it is allowed to

Fitting takes seconds and files take I/O, so neither happens here: another thread takes what is ripe
(`take_learned`), runs `Learned.fit()`, saves it, and hands it back with `offer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from surveil.normality.features import FeatureExtractor, Features
from surveil.normality.fit import Learned
from surveil.normality.geometry import Geometry, GeometrySketch, same_geometry
from surveil.normality.judge import Judge
from surveil.normality.learner import LIVE_SPOOL_BYTES, Learner
from surveil.normality.modelfile import LoadedModel
from surveil.normality.objects import Dwell, ObjectSample
from surveil.normality.plane import PlaneSize, plane_size
from surveil.normality.result import NormalityResult, nothing
from surveil.normality.settings import NormalitySettings, excluded
from surveil.normality.validity import DriftWatch, MovedWatch, State, Status
from surveil.normality.words import duration_words
from surveil.types import Bytes, Track

SKETCH = 120
"""Samples of background and people before features are learned: a minute of frames, five if they are rare."""
FIRST_FIT_S = 600.0
DAY_S = 86400.0
ALARM_S = 10.0
"""Nothing is learned as usual until this long after the score fell below the threshold."""


class SceneNormality:
    """Learns and judges one camera. Owned by the holder of the camera's slot."""

    def __init__(
        self,
        camera: str,
        settings: NormalitySettings,
        loaded: LoadedModel | None = None,
        *,
        explain: bool = False,
    ) -> None:
        self.camera = camera
        self._settings = settings
        self._explain = explain
        self._frame: tuple[int, int] | None = None
        self._size: PlaneSize | None = None
        self._geometry: Geometry | None = None
        self._sketch: GeometrySketch | None = None
        self._extractor: FeatureExtractor | None = None
        self._learner: Learner | None = None
        self._judge: Judge | None = None
        self._loaded: LoadedModel | None = None
        self._moved: MovedWatch | None = None
        self._invalid = ""
        self._next_fit_s = FIRST_FIT_S
        self._last_over = -1e18
        self._last: NormalityResult | None = None
        self._holding = ""
        self._offered: LoadedModel | None = None
        self._ripe: Learned | None = None
        self.dwell = Dwell()
        self.drift = DriftWatch()
        self.shadowed = 0
        """Alarms that were not raised because of `shadow`."""
        if loaded is not None:
            self.use(loaded)

    # Models come and go.

    def offer(self, loaded: LoadedModel) -> None:
        """Hand over a model from any thread; it judges from the next frame on."""
        self._offered = loaded

    def take_learned(self) -> Learned | None:
        """Return what there is to fit, once, to any thread; None: nothing yet."""
        learned, self._ripe = self._ripe, None
        return learned

    def use(self, loaded: LoadedModel) -> None:
        """Judge with `loaded` from the next frame on; learning goes on."""
        model = loaded.model
        if self._geometry is None or not same_geometry(model.geometry, self._geometry):
            self._adopt(model.geometry, (model.width, model.height))
        self._loaded, self._judge = loaded, Judge(loaded, self._settings.budget)
        self._invalid = ""
        self.drift = DriftWatch()
        self._rebase(loaded)

    def _adopt(self, geometry: Geometry, frame: tuple[int, int]) -> None:
        self._frame, self._size, self._geometry = frame, geometry.size, geometry
        self._extractor = FeatureExtractor(geometry)
        self._moved = MovedWatch(geometry)
        self._learner, self._sketch = None, None

    def _rebase(self, loaded: LoadedModel) -> None:
        if self._settings.learn != "auto" or self._geometry is None or self._frame is None:
            return
        if self._learner is not None and self._learner.seen.seconds < DAY_S:
            self._learner.tails = dict(loaded.model.tails)
            return
        days = self._learner.seen.seconds / DAY_S if self._learner else 0.0
        base = replace(loaded.model, geometry=self._geometry).faded(days, self._settings.half_life_days)
        self._learner = Learner(self.camera, self._frame, self._geometry, base, LIVE_SPOOL_BYTES)
        self._next_fit_s = min(DAY_S, max(FIRST_FIT_S, base.seen.seconds))

    def _take_offer(self, frame: tuple[int, int]) -> None:
        loaded, self._offered = self._offered, None
        if loaded is None:
            return
        if (loaded.model.width, loaded.model.height) == frame:
            self.use(loaded)
        elif self._judge is None:
            self._invalid = f"the model is for {loaded.model.width}x{loaded.model.height}"

    @property
    def wants_fit(self) -> bool:
        """Whether enough was learned since the last fit: after ten minutes, each doubling, then daily."""
        return self._learner is not None and self._learner.seen.seconds >= self._next_fit_s

    def freeze(self) -> Learned:
        """Return what was learned so far, to be fitted on another thread.

        Raises TooLittleFootageError before there is anything.
        """
        if self._learner is None:
            raise ValueError(f"camera {self.camera} is not learning")
        self._next_fit_s = min(2 * self._next_fit_s, self._next_fit_s + DAY_S)
        return self._learner.freeze()

    # Frames.

    def observe(
        self,
        plane: Bytes,
        t: float,
        t_wall: float,
        frame: tuple[int, int],
        tracks: Sequence[Track] = (),
        hold: str = "",
    ) -> NormalityResult:
        """Judge and learn from one frame.

        Args:
            plane: luma of `plane_size(*frame)`, uint8.
            t: stream time, s.
            t_wall: Unix s.
            frame: width and height of the camera's frames, px.
            tracks: confirmed tracks in pixels of the frame, as of now or of the frame before.
            hold: why not to learn (an alarm of another rule, frozen, covered, moved); empty: learn.
        """
        if self._offered is not None:
            self._take_offer(frame)
        if self._frame != frame:
            self._resolution(frame)
        if self._extractor is None:
            return self._sketching(plane, t, hold)
        features = self._extractor.observe(plane, t)
        if features is None:
            return self._hold_last(t, t_wall)
        samples: tuple[ObjectSample, ...] = ()
        if tracks and self._geometry is not None:
            samples = self.dwell.samples(tracks, t, self._geometry, frame)
        if self._moved is not None and self._moved.update(plane, t):
            self._anew("the camera has moved: the picture no longer matches the background that was learned")
            return nothing(t, self.status(t_wall))
        result = self._judged(features, samples, t_wall)
        self._learn(plane, features, samples, t_wall, hold)
        self._last = result
        return result

    def lost(self) -> None:
        """Note that the stream was interrupted."""
        self._pause("lost")
        if self._judge is not None:
            self._judge.reset()

    def _hold_last(self, t: float, t_wall: float) -> NormalityResult:
        if self._last is None or not 0.0 <= t - self._last.t <= 1.0:
            return nothing(t, self.status(t_wall))
        return replace(self._last, t=t, fresh=False)

    def _judged(
        self, features: Features, samples: tuple[ObjectSample, ...], t_wall: float
    ) -> NormalityResult:
        status = self.status(t_wall)
        if self._judge is None:
            return nothing(features.t, status)
        if self._last is not None and not 0.0 < features.t - self._last.t <= 1.0:
            self._judge.reset()
        alerting = status.state in (State.PROVISIONAL, State.READY) and not self._settings.shadow
        result, speed = self._judge.judge(features, samples, status, alerting=alerting, explain=self._explain)
        if speed is not None:
            self.drift.update(speed > self._judge.knee, features.dt)
        if result.over:
            if self._settings.shadow and features.t - self._last_over > ALARM_S:
                self.shadowed += 1
            self._last_over = features.t
        return result

    # Learning.

    def _learn(
        self, plane: Bytes, features: Features, samples: tuple[ObjectSample, ...], t_wall: float, hold: str
    ) -> None:
        if self._learner is None:
            return
        reason = hold or self._excluded(t_wall)
        if reason:
            self._pause(reason)
            return
        self._holding = ""
        usual = not 0.0 <= features.t - self._last_over <= ALARM_S
        self._learner.learn(features, t_wall, samples, plane, usual=usual)
        if self.wants_fit:
            self._ripe = self.freeze()

    def _pause(self, reason: str) -> None:
        if self._learner is not None and not self._holding:
            self._learner.gap()
        self._holding = reason

    def _excluded(self, t_wall: float) -> str:
        if not self._settings.exclude_hours:
            return ""
        local = datetime.fromtimestamp(t_wall, UTC).astimezone()
        return (
            "excluded hours" if excluded(local.hour * 60 + local.minute, self._settings.exclude_hours) else ""
        )

    def _sketching(self, plane: Bytes, t: float, hold: str) -> NormalityResult:
        if self._sketch is not None and not hold:
            self._sketch.add(plane, t)
            if len(self._sketch) >= SKETCH and self._frame is not None:
                geometry, frame = self._sketch.fit(), self._frame
                self._adopt(geometry, frame)
                self._learner = Learner(self.camera, frame, geometry, None, LIVE_SPOOL_BYTES)
        return nothing(t, self.status(0.0))

    def _resolution(self, frame: tuple[int, int]) -> None:
        before = self._frame
        self._frame, self._size = frame, plane_size(*frame)
        if before is None:
            self._anew("")
        else:
            self._anew(f"the resolution changed from {before[0]}x{before[1]} to {frame[0]}x{frame[1]}")

    def _anew(self, reason: str) -> None:
        self._invalid = reason
        self._judge, self._loaded, self._learner = None, None, None
        self._extractor, self._geometry, self._moved, self._last = None, None, None, None
        self._next_fit_s = FIRST_FIT_S
        learns = self._settings.learn == "auto" and self._size is not None
        self._sketch = None
        if learns and self._size is not None:
            self._sketch = GeometrySketch(self._size, equalise=self._settings.equalise)

    # What it says of itself.

    @property
    def learned_until(self) -> float:
        """Unix s of the last footage behind the model in use; 0 without one."""
        return 0.0 if self._loaded is None else self._loaded.model.seen.last_wall

    def status(self, t_wall: float) -> Status:
        """Return the state and why. `t_wall`: Unix s, for the model's age."""
        if self._invalid:
            anew = "; learning anew" if self._settings.learn == "auto" else ""
            return Status(State.INVALID, self._invalid + anew)
        if self._judge is None or self._loaded is None:
            return (
                Status(State.LEARNING, self.progress())
                if self._settings.learn == "auto"
                else Status(State.OFF)
            )
        days = (t_wall - self._loaded.model.seen.last_wall) / DAY_S
        if days > self._settings.max_age_days:
            return Status(State.INVALID, f"the model learned nothing for {days:.0f} days")
        if self.drift.drifted:
            return Status(
                State.INVALID, f"what is normal has changed: {self.drift.ratio:.1f} × the usual high scores"
            )
        threshold = self._judge.threshold
        if not threshold.supported:
            return Status(State.LEARNING, threshold.words())
        return Status(State.PROVISIONAL if threshold.provisional else State.READY, threshold.words())

    def progress(self) -> str:
        """Return how far learning is, in words."""
        if self._learner is None:
            n = len(self._sketch) if self._sketch is not None else 0
            return f"looking at the background: {n} of {SKETCH} pictures"
        seconds = self._learner.seen.seconds
        return (
            f"watched {duration_words(max(1.0, seconds))}; first fit after {duration_words(self._next_fit_s)}"
        )
