from dataclasses import replace

import numpy as np
import pytest

from surveil.clock import DAY_S
from surveil.features.normality.features import Features
from surveil.features.normality.hours import COLUMNS, HOUR, ROWS, HourScorer, HourSums, hour_of, parts
from surveil.features.normality.learner import Learner
from surveil.features.normality.modelfile import fingerprint, load, save
from surveil.features.normality.scene import SceneNormality
from surveil.features.normality.score import SUSTAIN_S
from tests.normality.drawn import FRAME, frames, geometry, model
from tests.normality.test_scene import WALL, settings

NIGHT, NOON = 3, 12
GRID = (30, 40)


def seen(where=None, dt=0.5, t=0.0):
    """Features with movement at the cells of `where`, or none."""
    zero = np.zeros(GRID, np.float32)
    cover = zero.copy()
    if where is not None:
        cover[where] = 0.5
    return Features(
        t=t, dt=dt, vx=zero, vy=zero, cover=cover, energy=zero, ground=zero, stay=zero, shape=zero
    )


DOOR, FIELD = np.s_[20:24, 30:33], np.s_[2:5, 2:5]


def days(n, night_s=0.0):
    """Sums of `n` days: at noon half an hour of movement at the door, at night `night_s` seconds a day."""
    sums = HourSums()
    sums.watched += n * 3600.0
    door = np.nonzero(parts(seen(DOOR).cover > 0))
    sums.moving[NOON][door] += n * 1800.0
    sums.moving[NIGHT][door] += n * night_s
    return sums


def test_somebody_at_the_door_is_usual_at_noon_and_not_at_night():
    scorer = HourScorer(days(5))
    noon, night = scorer.score(seen(DOOR), NOON), scorer.score(seen(DOOR), NIGHT)
    assert noon.raw < 0.7
    assert night.raw > 1.5
    assert night.part == (2, 3)
    assert "between 3 and 4 o'clock" in night.words
    often = HourScorer(days(5, night_s=600.0)).score(seen(DOOR), NIGHT)
    assert often.raw < night.raw - 0.8


def test_one_day_says_nothing_about_hours():
    assert HourScorer(days(1)).score(seen(DOOR), NIGHT).part is None
    assert HourScorer(days(3)).score(seen(DOOR), NIGHT).part is not None


def test_where_nothing_moves_nothing_is_said():
    assert HourScorer(days(5)).score(seen(), NIGHT).part is None


def test_the_place_counts():
    scorer = HourScorer(days(5))
    assert scorer.score(seen(FIELD), NOON).raw > scorer.score(seen(DOOR), NOON).raw + 1


def test_days_merge_and_fade():
    one, three = days(1), HourSums()
    for _ in range(3):
        three.add_scaled(one)
    assert np.array_equal(three.moving, days(3).moving)
    assert np.array_equal(three.scaled(0.5).watched, three.watched / 2)


def test_sums_are_of_what_was_seen_when():
    sums = HourSums()
    sums.add(seen(DOOR), NOON, 0.5)
    sums.add(seen(), NOON, 0.5)
    assert sums.watched[NOON] == 1.0
    assert sums.moving[NOON, 2, 3] == 0.5
    assert sums.moving.sum() == 0.5
    assert sums.moving.shape == (24, ROWS, COLUMNS)


def test_hours_are_local(monkeypatch):
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert hour_of(1_700_000_000.0) == 7  # 2023-11-14 22:13:20 UTC
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_model_keeps_its_hours_in_its_file(tmp_path):
    made = replace(model().model, hours=days(4))
    path = tmp_path / "m.npz"
    assert save(made, path).sha256 == load(path).sha256
    assert np.array_equal(load(path).model.hours.moving, made.hours.moving)


def test_a_judge_adds_the_hour_when_it_is_known():
    quiet = HourSums()
    quiet.watched += 5 * 3600.0
    knows = fingerprint(replace(model().model, hours=quiet))
    for loaded, says in ((model(), False), (knows, True)):
        scene = SceneNormality("yard", settings(), loaded)
        results = [scene.observe(p, t, WALL + t, FRAME) for p, t in frames(2 * SUSTAIN_S, start=200)]
        assert (results[-1].surprise.get(HOUR, 0.0) > 0) is says


def test_learning_counts_the_hours_of_its_footage():
    learner = Learner("yard", FRAME, geometry())
    for plane, t in frames(4):
        learner.observe(plane, t, WALL + t)
    hours = learner.freeze().fit().hours
    assert hours.watched[hour_of(WALL)] == pytest.approx(3.9, abs=0.2)
    assert hours.watched.sum() == hours.watched[hour_of(WALL)]


def visits(n_days, rng, by_night):
    """Half-minute visits at the door: by day every five minutes, by night `by_night` an hour; (n, 2): hour, second."""
    found = []
    for day in range(n_days):
        for hour in range(24):
            rate = 12 if 7 <= hour < 20 else by_night
            found += [(day * DAY_S + hour * 3600 + s, hour) for s in rng.uniform(0, 3570, rng.poisson(rate))]
    return found


def test_with_a_daily_cycle_the_hour_is_calibrated_like_everything_else():
    """Held-out and later footage score alike, so that a budget set on the former holds for the latter."""
    rng = np.random.default_rng(2)
    past, future = visits(14, rng, 0.2), visits(14, rng, 0.2)
    folds = [HourSums() for _ in range(4)]
    for sums in folds:
        sums.watched += 14 * 900.0
    for second, hour in past:
        for k in range(2):
            folds[int((second + 15 * k) // 30) % 4].moving[hour, 2, 3] += 15.0

    def without(k):
        total = HourSums()
        for i, sums in enumerate(folds):
            if i != k:
                total.add_scaled(sums)
        return HourScorer(total)

    judges = [without(k) for k in range(4)]
    held_out = np.array([judges[int(s // 30) % 4].score(seen(DOOR), h).raw for s, h in past])
    later = np.array([without(None).score(seen(DOOR), h).raw for _, h in future])
    for share in (0.5, 0.1, 0.02):
        threshold = np.quantile(held_out, 1 - share)
        assert np.mean(later > threshold) <= 1.5 * share + 0.01
