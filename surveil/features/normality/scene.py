"""`SceneNormality`: the run-time object of one camera. Pure: time comes in with the frame, no I/O.

    off ── no model, learn: off
    learning ── no model yet, or its calibration does not reach the budget: watches, says how far it is
    provisional ── the budget is within reach by extrapolation: alerts, and says so
    ready ── the held-out footage supports the budget
    invalid ── the model cannot be used, the camera moved, sends another resolution, what is normal has drifted, or the
               model is too old: does not alert, says why, and learns again where it is allowed to

Fitting takes seconds and files take I/O, so neither happens here: another thread takes what is ripe
(`learning.take_learned`), runs `Learned.fit()`, saves it, and hands it back with `offer`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from surveil.clock import DAY_S
from surveil.features.normality.features import FeatureExtractor, Features
from surveil.features.normality.geometry import Geometry, same_geometry
from surveil.features.normality.hours import hour_of
from surveil.features.normality.judge import Judge
from surveil.features.normality.learning import LOST, Learning, LearningPause, PauseReason
from surveil.features.normality.modelfile import LoadedModel
from surveil.features.normality.objects import Dwell, ObjectSample
from surveil.features.normality.result import NormalityResult, NormalityState, NormalityStatus, nothing
from surveil.features.normality.settings import NormalitySettings
from surveil.features.normality.validity import DriftWatch, MovedWatch
from surveil.types import Bytes, Track

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
        self.learning = Learning(camera, settings)
        self._settings = settings
        self._explain = explain
        self._frame: tuple[int, int] | None = None
        self._geometry: Geometry | None = None
        self._extractor: FeatureExtractor | None = None
        self._judge: Judge | None = None
        self._loaded: LoadedModel | None = None
        self._moved: MovedWatch | None = None
        self._invalid = ""
        self._last_over = -1e18
        self._last: NormalityResult | None = None
        self._is_blind = False
        """The last frame did not show what the model knows."""
        self._offered: tuple[LoadedModel, bool] | None = None
        self._refused = ""
        self.dwell = Dwell()
        self.drift = DriftWatch()
        self.said = NormalityStatus(NormalityState.OFF)
        """What the last frame's result said of the model; any thread may look."""
        self.shadowed = 0
        """Alarms that were not raised because of `shadow`."""
        if loaded is not None:
            self.use(loaded)

    # Models come and go.

    def offer(self, loaded: LoadedModel, *, own: bool = False) -> None:
        """Hand over a model from any thread; it judges from the next frame on.

        `own`: it was fitted from what this scene has learned, which then simply goes on; from any other model
        (deployed, rolled back) learning starts out anew.
        """
        self._offered = loaded, own

    def refuse(self, why: str) -> None:
        """Note, from any thread, that what is deployed cannot be used; without another model that is its state."""
        self._refused = why

    def use(self, loaded: LoadedModel, *, own: bool = False) -> None:
        """Judge with `loaded` from the next frame on; learning goes on."""
        model = loaded.model
        if self._geometry is None or not same_geometry(model.geometry, self._geometry):
            self._adopt(model.geometry, (model.width, model.height))
            self.learning.adopt(model.geometry, (model.width, model.height))
        self._loaded, self._judge = loaded, Judge(loaded, self._settings.budget)
        self._invalid = ""
        self.drift = DriftWatch()
        self.learning.follow(model, own=own)

    def _adopt(self, geometry: Geometry, frame: tuple[int, int]) -> None:
        self._frame, self._geometry = frame, geometry
        self._extractor = FeatureExtractor(geometry)
        self._moved = MovedWatch(geometry)

    def _take_offer(self, frame: tuple[int, int]) -> None:
        if self._refused and self._judge is None:
            self._invalid, self._refused = self._refused, ""
        if self._offered is None:
            return
        (loaded, own), self._offered = self._offered, None
        if (loaded.model.width, loaded.model.height) == frame:
            self.use(loaded, own=own)
        elif self._judge is None:
            self._invalid = f"the model is for {loaded.model.width}x{loaded.model.height}"

    # Frames.

    def wants(self, t: float, frame: tuple[int, int]) -> bool:
        """Whether it has to see the frame of stream time `t` (s), although somebody else saw nothing move in it."""
        known = self._extractor is not None and self._frame == frame and self._offered is None
        return not known or self._extractor is None or self._extractor.wants(t)

    @property
    def wants_all(self) -> bool:
        """Whether it has to see the next frames close together, although nothing moves.

        For the background that it learns, until it has seen for itself that nothing moves, and where an alarm begins.
        """
        if self._extractor is None:
            return self.learning.is_sketching
        if self._is_blind:
            return False
        begins = self._last is not None and not self._last.over and self._last.score >= self._last.threshold
        return begins or not self._extractor.is_still

    def observe(
        self,
        plane: Bytes | None,
        t: float,
        t_wall: float,
        frame: tuple[int, int],
        tracks: Sequence[Track] = (),
        hold: LearningPause | None = None,
        *,
        still: bool = False,
    ) -> NormalityResult:
        """Judge and learn from one frame.

        Args:
            plane: luma of `plane_size(*frame)`, uint8; None: nothing moved in it, and nobody `wants` to see it.
            t: stream time, s.
            t_wall: Unix s.
            frame: width and height of the camera's frames, px.
            tracks: confirmed tracks in pixels of the frame, as of now or of the frame before.
            hold: why not to learn (an alarm of another rule, frozen, covered, moved); None: learn.
            still: somebody else, who looks at every frame, saw nothing move in this one.
        """
        result = self._observe(plane, t, t_wall, frame, tracks, hold, still or plane is None)
        self.said = result.status
        return result

    def _observe(
        self,
        plane: Bytes | None,
        t: float,
        t_wall: float,
        frame: tuple[int, int],
        tracks: Sequence[Track],
        hold: LearningPause | None,
        still: bool,
    ) -> NormalityResult:
        self._take_offer(frame)
        if self._frame != frame:
            self._resolution(frame)
        self.learning.pause(hold, t_wall)
        self._is_blind = hold is not None and hold.blind
        if self._extractor is None:
            return self._sketching(plane, t)
        covered = hold is not None and hold.blind and hold.reason is not PauseReason.MOVED
        if not covered and plane is not None and self._looks_elsewhere(plane, t):
            return nothing(t, self.status(t_wall))
        if hold is not None and self._is_blind:
            return self._blind(t, hold)
        features = (
            self._extractor.still(t) if plane is None else self._extractor.observe(plane, t, still=still)
        )
        if features is None:
            return self._hold_last(t, t_wall)
        samples: tuple[ObjectSample, ...] = ()
        if tracks and self._geometry is not None:
            samples = self.dwell.samples(tracks, t, self._geometry, frame)
        result = self._judged(features, samples, t_wall)
        usual = not 0.0 <= features.t - self._last_over <= ALARM_S
        self.learning.learn(plane, features, samples, t_wall, usual=usual)
        self._last = result
        return result

    def lost(self) -> None:
        """Note that the stream was interrupted."""
        self.learning.pause(LOST, 0.0)
        if self._judge is not None:
            self._judge.reset()

    def _looks_elsewhere(self, plane: Bytes, t: float) -> bool:
        if self._moved is None or not self._moved.update(plane, t):
            return False
        self._anew("the camera has moved: the picture no longer matches the background that was learned")
        return True

    def _blind(self, t: float, hold: LearningPause) -> NormalityResult:
        """Judge nothing while the picture does not show what the model knows."""
        if self._judge is not None:
            self._judge.reset()
        self._last = None
        return nothing(t, NormalityStatus(NormalityState.INVALID, hold.words))

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
        alerting = (
            status.state in (NormalityState.PROVISIONAL, NormalityState.READY) and not self._settings.shadow
        )
        result, speed = self._judge.judge(
            features, samples, hour_of(t_wall), status, alerting=alerting, explain=self._explain
        )
        if speed is not None:
            self.drift.update(speed > self._judge.knee, features.dt)
        if result.over:
            if self._settings.shadow and features.t - self._last_over > ALARM_S:
                self.shadowed += 1
            self._last_over = features.t
        return result

    # Beginning, and beginning anew.

    def _sketching(self, plane: Bytes | None, t: float) -> NormalityResult:
        geometry = None if plane is None else self.learning.sketch(plane, t)
        if geometry is not None and self._frame is not None:
            self._adopt(geometry, self._frame)
        return nothing(t, self.status(0.0))

    def _resolution(self, frame: tuple[int, int]) -> None:
        before, self._frame = self._frame, frame
        if before is None:
            self._anew(self._invalid)
        else:
            self._anew(f"the resolution changed from {before[0]}x{before[1]} to {frame[0]}x{frame[1]}")

    def _anew(self, reason: str) -> None:
        self._invalid = reason
        self._judge, self._loaded = None, None
        self._extractor, self._geometry, self._moved, self._last = None, None, None, None
        if self._frame is not None:
            self.learning.begin(self._frame)

    # What it says of itself.

    @property
    def learned_until(self) -> float:
        """Unix s of the last footage behind the model in use; 0 without one."""
        return 0.0 if self._loaded is None else self._loaded.model.seen.last_wall

    def status(self, t_wall: float) -> NormalityStatus:
        """Return the state and why. `t_wall`: Unix s, for the model's age."""
        if self._invalid:
            anew = f"; learning again: {self.learning.words()}" if self.learning.is_on else ""
            return NormalityStatus(NormalityState.INVALID, self._invalid + anew)
        if self._judge is None or self._loaded is None:
            return (
                NormalityStatus(NormalityState.LEARNING, self.learning.words())
                if self.learning.is_on
                else NormalityStatus(NormalityState.OFF)
            )
        days = (t_wall - self._loaded.model.seen.last_wall) / DAY_S
        if days > self._settings.max_age_days:
            return NormalityStatus(NormalityState.INVALID, f"the model learned nothing for {days:.0f} days")
        if self.drift.drifted:
            return NormalityStatus(
                NormalityState.INVALID,
                f"normal activity has changed: {self.drift.ratio:.1f} × the usual high scores",
            )
        return self._judge.status


class Scenes:
    """The scenes of all cameras: one lives on while its camera's settings of normality stay.

    Owned by the thread that makes cameras; any thread may read `all`.
    """

    def __init__(self) -> None:
        self.all: Mapping[str, SceneNormality] = {}
        """By camera. Replaced as a whole, never changed in place."""
        self._settings: dict[str, NormalitySettings] = {}

    def of(self, camera: str, settings: NormalitySettings) -> SceneNormality:
        """Return the scene of a camera: the one that is there, or a new one for other settings."""
        if camera not in self.all or self._settings.get(camera) != settings:
            self.put(SceneNormality(camera, settings))
            self._settings[camera] = settings
        return self.all[camera]

    def put(self, scene: SceneNormality) -> None:
        """Let a scene take the place of its camera's."""
        self.all = {**self.all, scene.camera: scene}

    def drop(self, camera: str) -> None:
        """Let a camera go."""
        self.all = {name: one for name, one in self.all.items() if name != camera}
        self._settings.pop(camera, None)
