"""Learned normality beside the motion gate: what has to be scaled, and what is known without."""

import cv2
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from surveil.capture.picture import ArrayPicture
from surveil.features.normality.analyser import NormalityAnalyser
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


def watch(analyser: NormalityAnalyser, motion: Motion | None, scene) -> tuple[list[NormalityResult], int]:
    """Results, and how many frames had to be scaled."""
    Counted.scaled = 0
    found = []
    for i, (grey, t) in enumerate(scene):
        picture = Counted(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
        found.append(
            analyser.observe(
                FrameView(Frame(camera="yard", seq=i, t=t, t_wall=WALL + t, picture=picture), (), motion)
            )
        )
    return [f for f in found if f is not None], Counted.scaled


def made(scene: SceneNormality) -> NormalityAnalyser:
    return NormalityAnalyser(scene, Metrics(CollectorRegistry()))


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
