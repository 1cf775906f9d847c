"""Detects faults of the picture: frozen, dark, bright, blurred, covered, moved, noise.

Runs on the gate's brightness plane. Cheap sums are taken of it two or three times a second; structure is
compared with a slowly learned reference at every second look, on a mean of about a second, in which rain,
headlights and passers-by fade.
While anything is wrong the reference rests, so that it cannot learn the fault.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from surveil.features.health import measures as pm
from surveil.features.health.held import Held
from surveil.features.health.report import HealthReport, PictureFault
from surveil.features.health.settings import HealthSettings
from surveil.types import Bytes
from surveil.vision.background import rate

LOOK_S = 0.4
"""Frames that come sooner after the last look are passed over: faults last, and rates do not matter."""
APART_S = 0.8
"""Pictures at least so far apart are those of an idle camera. What is usual between them is another thing: key frames
differ from each other more than pictures that are made from the one before."""
MEAN_S = 0.5
EVALUATE_S = 0.8
RECENT_S = 2.0
"""Span over which grain and liveliness are judged; an encoder's key frame must not matter."""
QUIET = 0.3
"""Share of those frames that must be without life; usual grain is taken in the same way. Two of five looks: with two
of four, a key frame every two seconds kept a frozen picture alive for seven."""
USUAL = 300
"""Evaluations whose grain is remembered: four minutes."""
LATELY_S = 6.6
"""Those of the last seconds do not count for what is usual: they may be frozen already."""
LEAST_USUAL = 5
"""Nothing is usual before so many have been seen."""
LEARNED = 13
"""So many evaluations of pictures close together, ten seconds, say how these usually differ."""
DOUBTFUL = 0.5
"""Key frames that differ by less than this share of what is usual may be of a frozen picture, which an encoder goes on
refining: pictures between them tell."""
ONE_LOOK = 0.45
"""Share of the patience to clear that one look may take where pictures so far apart tell little: those between them,
which are asked for then, outweigh it."""
LIVELY = 0.8
"""Mean change of a block (levels) that shows life, wherever it is but in the rows of a clock."""
GRAIN_MIN, COARSE_MIN, COARSE_SHARE = 0.004, 0.03, 0.2
"""A camera without grain above this (levels; share of pixels by two levels) cannot be told from a frozen one."""
RIPPLES_S = 20.0
"""An encoder's ripples may be all that is left of a frozen picture, or of a quiet one after a busy time: the
latter does not last."""
GAP_S = 5.0
DOUBT = 0.1
"""Weight of a picture of which much is lost already, in the reference: a car that parks is learned in the end."""
ELSEWHERE, ELSEWHERE_STILL = 0.75, 0.5
"""Share that must be lost for a camera to look elsewhere, and to go on doing so."""
RICH = 0.5
SHIFTED = 0.45
"""Correlation that the shifted picture must reach to have been found again."""
UNDISTURBED = 0.95
"""Correlation of two whole pictures from which nothing of them can be lost: a block in twenty would show."""

LOOKS = (PictureFault.BLURRED, PictureFault.COVERED, PictureFault.MOVED)
"""States that are told by comparing with the usual view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameNumbers:
    """What is taken of every frame that is looked at, levels."""

    t: float
    grain: float
    """Change since the look before in the median block: the sensor's noise, and not what moves."""
    coarse: float
    """Share of the median block's pixels that changed by two levels: an encoder's ripples are finer."""
    lively: float
    """Change in the block that changed most, the rows of a clock left out."""
    noise: float
    """Standard deviation of the sensor's noise."""
    low: float
    """The darkest twentieth."""
    high: float
    """The brightest twentieth."""


class PictureHealth:
    """The health of one camera's picture. Mutable; owned by the holder of the camera's slot."""

    def __init__(self, settings: HealthSettings) -> None:
        self._settings = settings
        self._held = {state: Held(settings.raise_s, settings.clear_s) for state in PictureFault}
        self._frames: deque[FrameNumbers] = deque()
        self._usual: dict[bool, deque[tuple[float, float, float]]] = {
            apart: deque(maxlen=USUAL) for apart in (False, True)
        }
        """Stream time, grain and coarse change, by whether pictures were far apart."""
        self._apart = False
        self._previous: Bytes | None = None
        self._t = self._t_evaluated = 0.0
        self._reference = pm.Reference()
        self.accepted = 0
        """How often a view that differs was taken for the usual one."""
        self._report = HealthReport()
        self._odd_s = self._ripples_s = 0.0
        self._is_doubtful = False
        """Whether it may be frozen, as far as pictures far apart can tell."""
        self._is_new = False
        """Whether too little has been seen of pictures so far apart to tell anything by them."""
        self._shift: tuple[float, float] | None = None

    def update(self, luma: Bytes, t: float) -> HealthReport:
        """Take the plane (uint8 (h, w), about 320 px wide) at stream time `t` s; return what is known by now."""
        if self._previous is None or luma.shape != self._previous.shape or not 0 < t - self._t <= GAP_S:
            self._start(luma, t)
            return self._report
        if t - self._t < LOOK_S - 1e-6:
            return self._report
        if self._apart != (t - self._t >= APART_S):
            self._apart = not self._apart
            self._frames.clear()
        self._measure(luma, t)
        cv2.accumulateWeighted(luma, self._mean, rate(t - self._t, MEAN_S))
        self._t, self._previous = t, luma
        if t - self._t_evaluated >= EVALUATE_S - 1e-6:
            self._report = self._evaluate(t)
            self._t_evaluated = t
        return self._report

    @property
    def wants_all(self) -> bool:
        """Whether pictures close together are needed: to learn what is usual between them, or as a fault may begin.

        They tell of it sooner than pictures far apart, once it is known how they usually differ.
        """
        is_learning = len(self._usual[False]) < LEARNED
        is_unsure = self._is_doubtful or (self._tells_little and self._held[PictureFault.FROZEN].is_on)
        return is_learning or is_unsure or not self._report.suspected <= set(self._report.states)

    @property
    def _tells_little(self) -> bool:
        """Whether pictures are far apart, and it is not known how such pictures usually differ."""
        return self._apart and self._is_new

    def _start(self, luma: Bytes, t: float) -> None:
        """Begin again after a hole; the reference stays, the view is most likely the same."""
        self._previous, self._mean = luma, luma.astype(np.float32)
        self._t = self._t_evaluated = t
        self._frames.clear()

    def _measure(self, luma: Bytes, t: float) -> None:
        """Note grain and liveliness of one frame, from every second row."""
        assert self._previous is not None
        difference = np.asarray(cv2.absdiff(luma[::2], self._previous[::2]), np.uint8)
        blocks = pm.blocks_of(difference)
        coarse = pm.median(pm.blocks_of(pm.at_least(difference, 2)))
        low, high = pm.quantiles(luma, 0.05, 0.95)
        noise = pm.noise(luma, self._previous)
        self._frames.append(
            FrameNumbers(
                t=t,
                grain=pm.median(blocks),
                coarse=coarse,
                lively=float(blocks[1:-1].max()),
                noise=noise,
                low=low,
                high=high,
            )
        )
        while t - self._frames[0].t > RECENT_S:
            self._frames.popleft()

    def _recent(self, name: str, share: float) -> float:
        """Return the value below which a number was in `share` of the recent frames."""
        values = sorted(getattr(frame, name) for frame in self._frames)
        return float(values[int(share * len(values))])

    def _evaluate(self, t: float) -> HealthReport:
        """Compare with the reference, hold the states, and learn."""
        dt = t - self._t_evaluated
        measures = {name: self._recent(name, QUIET) for name in ("grain", "coarse", "lively", "noise")}
        measures |= {name: self._recent(name, 0.5) for name in ("low", "high")}
        truth, self._is_doubtful = self._judge_frames(measures), False
        if not truth:
            truth = self._judge_structure(measures, dt)
        if not truth and self._is_frozen(measures, t, dt):
            truth.add(PictureFault.FROZEN)
        elif not (self._is_new and self._held[PictureFault.FROZEN].is_on):
            self._usual[self._apart].append((t, measures["grain"], measures["coarse"]))
        self._accept(dt if truth.intersection(LOOKS) else 0.0)
        raised = tuple(state for state in PictureFault if self._is_raised(state, truth, dt))
        return HealthReport(
            states=raised,
            measures=measures,
            displacement=self._shift if PictureFault.MOVED in raised else None,
            suspected=frozenset(truth),
        )

    def _is_raised(self, state: PictureFault, truth: set[PictureFault], dt: float) -> bool:
        """Tell whether a state is raised, `dt` s after it was last asked."""
        held = self._held[state]
        if state is PictureFault.FROZEN and not truth:
            if self._is_doubtful:
                held.expect(dt)
                return held.is_on
            if self._tells_little:
                if not held.is_on:
                    return False
                dt = min(dt, ONE_LOOK * self._settings.clear_s)
        return held.update(now=state in truth, dt=dt)

    def _judge_frames(self, measures: Mapping[str, float]) -> set[PictureFault]:
        """Return which of dark, bright and noise is true at the moment."""
        limits = self._settings
        checks = {
            PictureFault.DARK: measures["high"] < limits.dark_below,
            PictureFault.BRIGHT: measures["low"] > limits.bright_above,
            PictureFault.NOISE: measures["noise"] > limits.noise_above,
        }
        return {state for state, true in checks.items() if true}

    def _judge_structure(self, measures: dict[str, float], dt: float) -> set[PictureFault]:
        """Return which of moved, blurred and covered is true; learn when none is."""
        now, sharpness = pm.structure(self._mean), pm.sharpness(self._mean)
        if not self._reference.is_ready:
            self._reference.learn(now, sharpness, dt)
            return set()
        truth, shift = compare(
            self._reference,
            now,
            sharpness,
            self._settings,
            measures,
            was_moved=self._held[PictureFault.MOVED].is_on,
        )
        if not truth:
            in_doubt = measures["covered"] > self._settings.covered_above / 2
            self._reference.learn(now, sharpness, dt, DOUBT if in_doubt else 1.0)
            self._shift = None
        # A later look that cannot tell by how much takes nothing back.
        self._shift = shift or self._shift
        return truth

    def _is_frozen(self, measures: dict[str, float], t: float, dt: float) -> bool:
        """Tell whether grain and life are gone that this camera's picture usually has.

        What is usual is what the quieter times of the last minutes had, the last seconds left out.
        """
        usual = self._usually(t, apart=self._apart)
        self._is_new = usual is None
        # Key frames differ more than pictures close together: what is usual of those is enough for a doubt.
        other = usual or self._usually(t, apart=False)
        self._is_doubtful = (
            self._apart and other is not None and _is_below(measures["grain"], other[0], DOUBTFUL)
        )
        if usual is None:
            self._ripples_s = 0.0
            return False
        measures["usual_grain"], measures["usual_coarse"] = usual
        if measures["lively"] >= LIVELY:
            self._ripples_s = 0.0
            return False
        ripples = usual[1] > COARSE_MIN and measures["coarse"] < COARSE_SHARE * usual[1]
        self._ripples_s = self._ripples_s + dt if ripples else max(0.0, self._ripples_s - dt)
        gone = _is_below(measures["grain"], usual[0], self._settings.frozen_share)
        return gone or self._ripples_s >= RIPPLES_S

    def _usually(self, t: float, *, apart: bool) -> tuple[float, float] | None:
        """Return the usual grain and coarse change of pictures that are `apart` or not; None: not known yet."""
        past = [usual for usual in self._usual[apart] if t - usual[0] > LATELY_S]
        if len(past) < LEAST_USUAL:
            return None
        return _low(grain for _, grain, _ in past), _low(coarse for _, _, coarse in past)

    def accept(self) -> None:
        """Take what the camera shows from now on for the usual view."""
        self._take()
        for state in LOOKS:
            self._held[state].clear()

    def _accept(self, odd_s: float) -> None:
        """Take a view that has stayed odd for long for the usual one."""
        self._odd_s = self._odd_s + odd_s if odd_s else 0.0
        if self._odd_s >= self._settings.accept_after_s:
            self._take()

    def _take(self) -> None:
        self._reference = pm.Reference()
        self._odd_s = 0.0
        self.accepted += 1


def _low(values: Iterable[float]) -> float:
    """Return the lower fifth of some values, between two of them if need be: NumPy takes ten times as long for few."""
    ordered = sorted(values)
    whole, part = divmod((len(ordered) - 1) / 5, 1)
    low, high = ordered[int(whole)], ordered[min(int(whole) + 1, len(ordered) - 1)]
    return low + part * (high - low)


def _is_below(grain: float, usual: float, share: float) -> bool:
    """Whether a camera that has grain has less than a share of it."""
    return usual > GRAIN_MIN and grain < share * usual


def compare(
    reference: pm.Reference,
    now: pm.Structure,
    sharpness: float,
    settings: HealthSettings,
    measures: dict[str, float],
    *,
    was_moved: bool,
) -> tuple[set[PictureFault], tuple[float, float] | None]:
    """Return which of moved, blurred and covered is true, in this order of precedence, and the displacement."""
    was = reference.structure
    measures["sharpness"] = sharpness / max(reference.sharpness, 1e-6)
    measures["alike"] = alike = pm.alike(was, now)
    loss = pm.lost(was, now) if alike < UNDISTURBED else pm.NOTHING_LOST
    measures["lost"], measures["covered"] = loss.share, loss.covered
    if alike < pm.SAME:
        shift = pm.displacement(was, now)
        measures["shifted"] = pm.shifted_alike(was, now, shift)
        measures["dx"], measures["dy"] = shift
        far = max(abs(shift[0]), abs(shift[1])) >= settings.moved_above
        if far and measures["shifted"] > max(SHIFTED, alike + 0.15):
            return {PictureFault.MOVED}, shift
    if measures["sharpness"] < settings.sharpness_below and pm.coarse_alike(was, now) > 0.7:
        return {PictureFault.BLURRED}, None
    # Everything is different, and as rich as before: the camera looks elsewhere.
    if loss.share > (ELSEWHERE_STILL if was_moved else ELSEWHERE) and loss.texture > RICH:
        return {PictureFault.MOVED}, None
    if loss.covered >= settings.covered_above:
        return {PictureFault.COVERED}, None
    return set(), None
