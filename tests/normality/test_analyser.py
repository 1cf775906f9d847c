"""Learned normality beside the motion gate: what has to be scaled, and what is known without."""

import cv2
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from surveil.capture.picture import ArrayPicture
from surveil.features.normality.analyser import NormalityAnalyser
from surveil.features.normality.learning import PauseReason
from surveil.features.normality.result import NormalityResult
from surveil.features.normality.scene import SceneNormality
from surveil.features.normality.settings import NormalitySettings
from surveil.metrics import Metrics
from surveil.types import Bytes, Frame, GateDecision, Motion
from surveil.view import FrameView
from tests.normality.drawn import WALKERS, Walker, frames, model

WALL = 1_700_000_100.0
NOTHING = np.zeros((0, 4), np.float32)
SOMETHING = np.array([[10, 10, 40, 90]], np.float32)
STILL = Motion(GateDecision.CLOSED_STILL, NOTHING, 0.0)


class Counted(ArrayPicture):
    """A picture that knows how often it was scaled."""

    scaled = 0

    def luma(self, width: int, height: int) -> Bytes:
        Counted.scaled += 1
        return super().luma(width, height)


def watch(
    analyser: NormalityAnalyser, motion: Motion | None, scene, *, asleep=False, late=False
) -> tuple[list[NormalityResult], int]:
    """Results, and how many frames had to be scaled."""
    Counted.scaled = 0
    found = []
    for i, (grey, t) in enumerate(scene):
        picture = Counted(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
        frame = Frame(camera="yard", seq=i, t=t, t_wall=WALL + t, picture=picture, late=late)
        view = FrameView(frame, (), motion)
        view.asleep = asleep
        found.append(analyser.observe(view))
    return [f for f in found if f is not None], Counted.scaled


def made(scene: SceneNormality, registry: CollectorRegistry | None = None) -> NormalityAnalyser:
    return NormalityAnalyser(scene, Metrics(registry or CollectorRegistry()), fps=5.0)


@pytest.fixture
def analyser() -> NormalityAnalyser:
    return made(SceneNormality("yard", NormalitySettings(enabled=True, budget=2000), model()))


def empty(seconds: float, start: float = 200.0):
    return frames(seconds, 5, start, ())


@pytest.mark.slow
def test_where_the_gate_sees_nothing_move_a_frame_a_second_is_scaled(analyser):
    results, scaled = watch(analyser, STILL, empty(20))
    assert len(results) == 100
    assert scaled <= 23
    assert all(r.fresh for r in results[2:])
    assert analyser.scene.learning.seconds == pytest.approx(model().model.seen.seconds + 19.8, abs=0.5)


@pytest.mark.parametrize(
    "motion",
    [
        None,
        Motion(GateDecision.MOTION, SOMETHING, 0.1),
        Motion(GateDecision.TRACK, NOTHING, 0.0),
        Motion(GateDecision.OFF, NOTHING, 1.0),
        Motion(GateDecision.IDLE, SOMETHING, 0.1),
    ],
)
def test_every_frame_is_scaled_where_something_may_move(analyser, motion):
    _, scaled = watch(analyser, motion, empty(4))
    assert scaled == 20


def test_a_look_of_the_detector_for_no_reason_is_none_to_scale(analyser):
    _, scaled = watch(analyser, Motion(GateDecision.IDLE, NOTHING, 0.0), empty(20))
    assert scaled <= 23


def test_a_runner_raises_an_alarm_after_a_still_scene(analyser):
    watch(analyser, STILL, empty(10))
    walkers = (*WALKERS, Walker(0, 110, 110))
    results, _ = watch(analyser, Motion(GateDecision.MOTION, SOMETHING, 0.1), frames(3, 5, 210, walkers))
    assert any(r.alarm for r in results)


def test_a_runner_whom_the_gate_does_not_see_raises_an_alarm_all_the_same(analyser):
    watch(analyser, STILL, empty(10))
    walkers = (*WALKERS, Walker(0, 110, 110))
    results, _ = watch(analyser, STILL, frames(4, 5, 210, walkers))
    assert any(r.alarm for r in results)


def test_a_still_scene_before_there_is_a_model_is_looked_at():
    fresh = made(SceneNormality("yard", NormalitySettings(enabled=True)))
    _, scaled = watch(fresh, STILL, empty(4))
    assert scaled == 20


STANDING = (Walker(150, 130, 0),)
"""Somebody who came and stands: what is there lasts longer and longer, though nothing moves."""


def watched(interval_s: float) -> tuple[NormalityAnalyser, list[NormalityResult]]:
    """A camera that is decoded in full until nothing moves, and then looked at every `interval_s`, a fifth: in full."""
    scene = SceneNormality("yard", NormalitySettings(enabled=True, budget=2000), model())
    analyser, moving = made(scene), Motion(GateDecision.MOTION, SOMETHING, 0.1)
    watch(analyser, moving, frames(6, 5, 200.0, WALKERS))
    watch(analyser, STILL, frames(2, 5, 206.0, STANDING))
    asleep = interval_s > 0.2
    looks = frames(60, 1 / interval_s, 208.0 + interval_s - 0.2, STANDING)
    results, _ = watch(analyser, STILL, looks, asleep=asleep)
    return analyser, results


@pytest.mark.slow
@pytest.mark.parametrize("interval_s", [1.0, 2.0, 4.0])
def test_a_camera_that_sleeps_learns_and_calibrates_as_one_that_is_decoded_in_full(interval_s):
    (demand, seldom), (full, often) = watched(interval_s), watched(0.2)
    learned, all_of_it = demand.scene.learning.freeze(), full.scene.learning.freeze()
    assert learned.seen.seconds == pytest.approx(all_of_it.seen.seconds, abs=0.01)
    assert learned.seen.moving_s == pytest.approx(all_of_it.seen.moving_s, abs=0.01)
    frames_of = [sum(len(block.frames) for block in one.blocks) for one in (learned, all_of_it)]
    assert frames_of[0] == frames_of[1]
    for few, many in zip(learned.folds, all_of_it.folds, strict=True):
        assert few.hours.watched.sum() == pytest.approx(many.hours.watched.sum(), abs=0.01)
        for name, sums in many.cells.items():
            assert np.allclose(few.cells[name].weight, sums.weight, atol=1e-3), name
            assert np.allclose(few.cells[name].first, sums.first, rtol=0.01, atol=0.5), name
    fits = [one.fit() for one in (learned, all_of_it)]
    assert fits[0].peaks.seconds == pytest.approx(fits[1].peaks.seconds, abs=0.01)
    assert fits[0].threshold(2000).value == pytest.approx(fits[1].threshold(2000).value, rel=0.01)
    assert seldom[-1].sustained == pytest.approx(often[-1].sustained, rel=0.01)


def test_nothing_of_what_moves_first_is_lost_where_a_camera_wakes(analyser):
    """Whenever it begins between two looks; in full, the frame before it may have been one that was not looked at."""
    watch(analyser, STILL, empty(2))
    watch(analyser, STILL, frames(5, 1, 202.8, ()), asleep=True)
    before = analyser.scene.learning.seconds
    watch(analyser, STILL, frames(0.8, 5, 207.0, ()), late=True)
    watch(analyser, Motion(GateDecision.MOTION, SOMETHING, 0.1), frames(2, 5, 207.8, WALKERS), late=True)
    assert analyser.scene.learning.seconds - before == pytest.approx(2.8, abs=0.01)


def test_time_in_which_learning_is_held_is_counted_while_a_camera_sleeps():
    def held_s(interval_s):
        settings = NormalitySettings(enabled=True, exclude_hours=("00:00-12:00", "12:00-24:00"))
        registry = CollectorRegistry()
        analyser = made(SceneNormality("yard", settings, model()), registry)
        watch(analyser, STILL, empty(2))
        watch(
            analyser, STILL, frames(40, 1 / interval_s, 202 + interval_s - 0.2, ()), asleep=interval_s > 0.2
        )
        held = {"camera": "yard", "reason": PauseReason.HOURS.value}
        return registry.get_sample_value("surveil_normality_held_seconds_total", held)

    assert held_s(2.0) == pytest.approx(held_s(0.2), abs=0.01) == pytest.approx(41.8, abs=0.3)


def test_pictures_far_apart_are_enough_once_nothing_moves(analyser):
    watch(analyser, Motion(GateDecision.MOTION, SOMETHING, 0.1), frames(2, 5, 200, WALKERS))
    assert analyser.wants_all
    watch(analyser, STILL, empty(1, 202))
    assert not analyser.wants_all
    watch(analyser, STILL, empty(10, 203 + 0.8), asleep=True)
    assert not analyser.wants_all


def test_every_picture_is_wanted_while_the_background_is_learned():
    fresh = made(SceneNormality("yard", NormalitySettings(enabled=True)))
    watch(fresh, STILL, empty(2))
    assert fresh.wants_all
    off = made(SceneNormality("yard", NormalitySettings(enabled=True, learn="off")))
    watch(off, STILL, empty(2))
    assert not off.wants_all


def test_where_the_scene_looks_odd_between_two_looks_every_picture_is_wanted(analyser):
    """The gate may miss what the model of the scene sees: it asks for the pictures that tell."""
    watch(analyser, STILL, empty(4))
    watch(analyser, STILL, frames(1, 1, 204.8, (Walker(100, 130, 30),)), asleep=True)
    assert analyser.wants_all
