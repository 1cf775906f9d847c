from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from surveil.features.normality.learning import SKETCH, LearningPause, PauseReason
from surveil.features.normality.modelfile import LoadedModel
from surveil.features.normality.result import NormalityResult, NormalityState
from surveil.features.normality.scene import SceneNormality
from surveil.features.normality.settings import NormalitySettings, excluded, minutes
from surveil.features.normality.validity import DriftWatch, MovedWatch
from surveil.features.normality.words import duration_words, rarity_words
from surveil.types import Track
from tests.normality.drawn import FRAME, WALKERS, Walker, frames, geometry, model, picture

pytestmark = pytest.mark.slow

WALL = 1_700_000_100.0
RUNNER = (*WALKERS, Walker(0, 110, 110))
GENEROUS = 2000.0
"""A budget that a minute and a half of footage supports."""


def settings(**changes) -> NormalitySettings:
    return NormalitySettings(**({"enabled": True, "learn": "off", "budget": GENEROUS} | changes))


def watch(
    scene: SceneNormality, walkers, seconds=3.0, start=200.0, fps=10.0, **more
) -> list[NormalityResult]:
    return [scene.observe(p, t, WALL + t, FRAME, **more) for p, t in frames(seconds, fps, start, walkers)]


def test_walking_is_usual_and_running_raises_an_explained_alarm():
    scene = SceneNormality("yard", settings(), model())
    assert not any(r.alarm for r in watch(scene, WALKERS))
    alarms = [r for r in watch(scene, RUNNER, start=210) if r.alarm]
    assert alarms
    why = alarms[-1].explanation
    assert why is not None
    assert why.attribute in {"speed", "direction"}
    assert "; " in why.words
    assert alarms[-1].model == model().name
    assert 0 <= why.box[0] < why.box[2] <= FRAME[0]
    assert why.box[1] < 115 < why.box[3]
    assert why.heat.shape == (30, 40)
    assert why.example is not None


@pytest.mark.parametrize("fps", [5, 12.5, 25])
def test_a_model_learned_at_10_fps_works_at_other_rates(fps):
    scene = SceneNormality("yard", settings(), model())
    assert not any(r.alarm for r in watch(scene, WALKERS, fps=fps))
    assert any(r.alarm for r in watch(scene, RUNNER, start=210, fps=fps))


def test_frames_without_a_new_pair_hold_the_score():
    scene = SceneNormality("yard", settings(), model())
    results = watch(scene, RUNNER, fps=25)
    held = [(a, b) for a, b in pairwise(results) if not b.fresh]
    assert held
    assert all(a.score == b.score for a, b in held)


def test_the_same_frames_give_the_same_results():
    first, second = (watch(SceneNormality("yard", settings(), model()), RUNNER) for _ in range(2))
    assert [(r.score, r.sustained, r.surprise) for r in first] == [
        (r.score, r.sustained, r.surprise) for r in second
    ]


def test_shadow_counts_and_does_not_alert():
    scene = SceneNormality("yard", settings(shadow=True), model())
    results = watch(scene, RUNNER)
    assert any(r.over for r in results)
    assert not any(r.alarm for r in results)
    assert scene.shadowed == 1


def test_a_budget_of_zero_never_alerts():
    scene = SceneNormality("yard", settings(budget=0), model())
    assert not any(r.over for r in watch(scene, RUNNER))


def test_a_budget_out_of_reach_does_not_alert_and_says_why():
    scene = SceneNormality("yard", settings(budget=0.5), model())
    results = watch(scene, RUNNER)
    assert not any(r.alarm for r in results)
    assert results[-1].status.state is NormalityState.LEARNING
    assert "0.5 days are needed to begin, 40 days to calibrate it" in results[-1].status.reason


def test_another_resolution_is_invalid_with_a_reason():
    scene = SceneNormality("yard", settings(), model())
    result = scene.observe(np.zeros((240, 424), np.uint8), 1.0, WALL, (640, 360))
    assert result.status.state is NormalityState.INVALID
    assert "from 320x240 to 640x360" in result.status.reason


def test_an_old_model_does_not_alert():
    scene = SceneNormality("yard", settings(max_age_days=1), model())
    late = [scene.observe(p, t, WALL + 10 * 86400, FRAME) for p, t in frames(3, start=200, walkers=RUNNER)]
    assert late[-1].status.state is NormalityState.INVALID
    assert "learned nothing for 10 days" in late[-1].status.reason
    assert not any(r.alarm for r in late)


def test_a_moved_camera_is_invalid_after_a_minute_and_learns_anew():
    scene = SceneNormality("yard", settings(learn="auto"), model())
    turned = [(np.ascontiguousarray(np.rot90(p, 2)), t) for p, t in frames(75, 2.5, 300)]
    results = [scene.observe(p, t, WALL + t, FRAME) for p, t in turned]
    assert results[0].status.state is not NormalityState.INVALID
    assert results[-1].status.state is NormalityState.INVALID
    assert "has moved" in results[-1].status.reason
    assert "learning again" in results[-1].status.reason


def test_learning_alone_goes_from_background_to_a_model_that_is_used():
    scene = SceneNormality("yard", settings(learn="auto"))
    results = watch(scene, WALKERS, seconds=SKETCH * 0.7 + 5, start=0)
    assert results[0].status.state is NormalityState.LEARNING
    assert "looking at the background" in results[0].status.reason
    assert "watched" in results[-1].status.reason
    assert scene.learning.take_learned() is None
    watch(scene, WALKERS, seconds=35, start=100)
    learned = scene.learning.freeze()
    from surveil.features.normality.modelfile import fingerprint

    scene.offer(fingerprint(learned.fit()), own=True)
    before = learned.seen.seconds
    assert watch(scene, WALKERS, start=136)[-1].status.state in {
        NormalityState.PROVISIONAL,
        NormalityState.READY,
        NormalityState.LEARNING,
    }
    assert scene.learning.freeze().seen.seconds > before, "learning went on with what it had"


def test_nothing_is_learned_while_held_or_in_excluded_hours():
    for more in ({"hold": LearningPause(PauseReason.ALARM, "an event of rule gate is open")}, {}):
        hours = ("00:00-12:00", "12:00-24:00") if not more else ()
        scene = SceneNormality("yard", settings(learn="auto", exclude_hours=hours), model())
        watch(scene, WALKERS, **more)
        with pytest.raises(ValueError, match="nothing to learn from"):
            scene.learning.freeze()


def test_what_alarms_is_not_learned_as_usual():
    scene = SceneNormality("yard", settings(learn="auto"), model())
    watch(scene, RUNNER, seconds=6)
    learned = scene.learning.freeze()
    weight = sum(f.cells["speed"].weight.sum() for f in learned.folds)
    scene = SceneNormality("yard", settings(learn="auto", budget=0), model())
    watch(scene, RUNNER, seconds=6)
    assert weight < 0.7 * sum(f.cells["speed"].weight.sum() for f in scene.learning.freeze().folds)


def test_an_offered_model_is_used_from_the_next_frame():
    scene = SceneNormality("yard", settings(), model())
    watch(scene, WALKERS, seconds=1)
    other = LoadedModel(model().model, "f" * 64)
    scene.offer(other)
    assert watch(scene, WALKERS, seconds=1, start=201)[-1].model == other.name


def test_footage_with_gaps_and_a_changing_rate_is_scored():
    scene = SceneNormality("yard", settings(), model())
    times = [0, 0.1, 0.2, 3.0, 3.04, 3.3, 3.5, 9.0, 9.2, 9.21, 9.6]
    results = [scene.observe(picture(t), t, WALL + t, FRAME) for t in times]
    assert all(np.isfinite(r.score) for r in results)


def test_a_scene_that_is_never_still_and_one_in_which_nothing_moved():
    scene = SceneNormality("yard", settings(), model())
    noisy = [scene.observe(p, t, WALL + t, FRAME) for p, t in frames(3, start=300, noise=6)]
    assert all(np.isfinite(r.score) for r in noisy)
    still = picture(0.0, ())
    results = [scene.observe(still, 400 + i / 10, WALL, FRAME) for i in range(30)]
    assert results[-1].score == pytest.approx(0.0, abs=1e-6)


def walking(i: int, label: str, box, velocity=(0.0, 0.0)) -> Track:
    return Track(id=i, label=label, box=box, score=0.9, t_first=0.0, t_last=0.0, velocity=velocity)


def test_a_car_where_only_people_go_is_an_object_anomaly():
    from surveil.features.normality.learner import Learner
    from surveil.features.normality.modelfile import fingerprint

    learner = Learner("yard", FRAME, geometry())
    for plane, t in frames(60):
        x = (20 * t) % 300
        person = walking(int(20 * t // 300), "person", (x, 80, x + 14, 118), (20.0, 0.0))
        learner.observe(plane, t, WALL + t, (person,))
    scene = SceneNormality("yard", settings(), fingerprint(learner.freeze().fit()), explain=True)
    car = walking(99, "car", (100.0, 150.0, 170.0, 200.0))
    results = watch(scene, WALKERS, tracks=(car,))
    assert results[-1].surprise["object"] > 2
    usual = watch(scene, WALKERS, start=220, tracks=(walking(7, "person", (100, 80, 114, 118), (20, 0)),))
    assert usual[-1].surprise["object"] < results[-1].surprise["object"]


def test_a_turned_picture_is_told_from_the_same_picture():
    watcher = MovedWatch(geometry())
    watcher.update(picture(5.0), 0.0)
    assert watcher.correlation > 0.5
    watcher.update(np.ascontiguousarray(picture(5.0)[:, ::-1]), 20.0)
    assert watcher.correlation < 0.2


def test_another_lens_is_told_from_the_same_picture():
    watcher = MovedWatch(geometry())
    near = cv2.resize(picture(5.0)[30:210, 40:280], (320, 240))
    assert not watcher.update(near, 0.0)
    assert watcher.correlation < 0.2
    assert watcher.update(near, 70.0)


def test_what_has_drifted_does_not_alert_and_says_so_until_it_is_learned_anew():
    scene = SceneNormality("yard", settings(), model())
    scene.drift.update(above=True, dt=2000.0)
    results = watch(scene, RUNNER)
    assert all(r.status.state is NormalityState.INVALID for r in results)
    assert "normal activity has changed" in results[-1].status.reason
    assert any(r.over for r in results)
    assert not any(r.alarm for r in results)
    scene.offer(model())
    assert any(r.alarm for r in watch(scene, RUNNER, start=210))


def test_drift_needs_time_and_many_high_scores():
    drift = DriftWatch()
    for _ in range(100):
        drift.update(above=True, dt=1.0)
    assert not drift.drifted
    for _ in range(3000):
        drift.update(above=True, dt=1.0)
    assert drift.drifted


@pytest.mark.parametrize(
    ("hours", "minute", "inside"),
    [
        ("22:00-06:00", 23 * 60, True),
        ("22:00-06:00", 300, True),
        ("22:00-06:00", 360, False),
        ("08:00-24:00", 1439, True),
    ],
)
def test_excluded_hours_may_pass_midnight(hours, minute, inside):
    assert excluded(minute, (hours,)) is inside


@pytest.mark.parametrize("hours", ["8-12", "25:00-26:00", "10:00-10:00", "08:00-24:30", ""])
def test_hours_that_are_none_are_refused(hours):
    with pytest.raises(ValueError):
        minutes(hours)


def test_numbers_become_words():
    assert duration_words(86400 * 9) == "9 days"
    assert duration_words(7200) == "2 hours"
    assert rarity_words(float("inf"), 600) == "nothing like it in 10 minutes of footage"
    assert rarity_words(9 * 86400, 600) == "once in 9 days"


def test_a_model_of_a_camera_may_be_replaced_by_itself():
    scene = SceneNormality("yard", settings(), replace(model()))
    scene.use(model())
    assert watch(scene, WALKERS)[-1].model == model().name


def test_a_dark_camera_may_have_its_contrast_stretched():
    dark = [((p * 0.3).astype(np.uint8), t) for p, t in frames(8, start=0)]
    scene = SceneNormality("yard", settings(learn="auto", equalise=True))
    for plane, t in dark:
        scene.observe(plane, t, WALL + t, FRAME)
    g = geometry()
    bright = replace(g, equalise=True).prepared(dark[0][0])
    assert bright.std() > 1.3 * dark[0][0].std()
    assert g.prepared(dark[0][0]) is dark[0][0]
