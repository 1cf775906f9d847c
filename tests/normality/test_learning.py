import numpy as np
import pytest

from surveil.features.normality.attributes import ATTRIBUTES
from surveil.features.normality.cells import CellSums
from surveil.features.normality.features import Features
from surveil.features.normality.geometry import GeometrySketch
from surveil.features.normality.learner import Learner, TooLittleFootageError
from surveil.features.normality.spool import BLOCK_S, CHANNELS, FOLDS, Spool, pack, unpack
from tests.normality.drawn import FRAME, frames, geometry, model, picture, size

pytestmark = pytest.mark.slow


def sums(seed: int) -> CellSums:
    found = CellSums.zeros(2, 6, 8)
    rng = np.random.default_rng(seed)
    for _ in range(20):
        found.add(rng.normal(3, 1, (2, 6, 8)).astype(np.float32), rng.random((6, 8)) > 0.5, 1.0)
    return found


def test_merging_days_equals_learning_them_in_one_go():
    a, b, both = sums(1), sums(2), sums(1)
    both.add_scaled(sums(2))
    a.add_scaled(b)
    prior = ATTRIBUTES["direction"].prior
    assert np.array_equal(a.fit(prior).mean, both.fit(prior).mean)


def test_fading_keeps_the_mean_and_loses_weight():
    a = sums(1)
    faded = a.scaled(0.25)
    assert faded.weight.sum() == pytest.approx(a.weight.sum() / 4)
    prior = ATTRIBUTES["direction"].prior
    assert np.allclose(faded.fit(prior).mean, a.fit(prior).mean, atol=0.2)


def test_a_place_that_never_saw_anything_takes_the_scenes_values():
    found = CellSums.zeros(1, 40, 60)
    active = np.zeros((40, 60), np.bool_)
    active[2, 2] = True
    for _ in range(1000):
        found.add(np.full((1, 40, 60), 12.0, np.float32), active, 1.0)
    usual = found.fit(ATTRIBUTES["speed"].prior)
    assert usual.mean[0, 35, 55] == pytest.approx(12.0, rel=0.05)


def test_where_nothing_ever_moved_the_prior_decides():
    usual = CellSums.zeros(1, 5, 5).fit(ATTRIBUTES["speed"].prior)
    assert np.isfinite(usual.excess(np.full((1, 5, 5), 40.0, np.float32))).all()
    assert usual.excess(np.full((1, 5, 5), 40.0, np.float32)).min() > 3


def test_packing_keeps_what_is_active():
    planes = [np.zeros((4, 5), np.float32) for _ in range(CHANNELS)]
    planes[2][1, 2] = 0.5
    planes[0][1, 2] = -12.0
    again = unpack(pack(Features(1.0, 0.1, *planes)), 4, 5)
    assert again.vx[1, 2] == -12.0
    assert again.cover.sum() == 0.5


def still(t: float, dt: float) -> Features:
    zero = np.zeros((2, 2), np.float32)
    return Features(t, dt, *(zero,) * CHANNELS)


def busy(t: float, dt: float) -> Features:
    one = np.ones((20, 20), np.float32)
    return Features(t, dt, *(one,) * CHANNELS)


def test_footage_without_motion_costs_no_memory():
    spool = Spool(10**6)
    for i in range(10_000):
        spool.add(pack(still(i, 1.0)))
    assert spool.bytes < 200_000


def test_memory_is_bounded_and_what_stays_covers_all_folds_and_times():
    spool = Spool(6_000_000)
    dropped = 0
    for i in range(20_000):
        dropped += len(spool.add(pack(busy(i / 2, 0.5))))
    assert spool.bytes <= 6_000_000
    assert dropped > 0
    assert {b.fold for b in spool.blocks} == set(range(FOLDS))
    starts = [b.frames[0].t for b in spool.blocks if b.frames]
    assert starts == sorted(starts)
    assert min(starts) < 1000
    assert max(starts) > 9000


def test_folds_change_with_footage_not_with_clips():
    spool = Spool(10**7)
    for clip in range(16):
        for i in range(32):
            spool.add(pack(busy(clip * 1000 + i / 2, 0.5)))
        spool.gap()
    seconds = dict.fromkeys(range(FOLDS), 0.0)
    for block in spool.blocks:
        seconds[block.fold] += block.seconds
    assert max(seconds.values()) - min(seconds.values()) <= 2 * BLOCK_S


def test_nothing_can_be_learned_from_one_frame():
    learner = Learner("yard", FRAME, geometry())
    learner.observe(picture(0.0), 0.0, 0.0)
    with pytest.raises(TooLittleFootageError):
        learner.freeze()


def test_there_is_no_geometry_of_one_frame():
    sketch = GeometrySketch(size())
    sketch.add(picture(0.0), 0.0)
    with pytest.raises(ValueError, match="no two frames"):
        sketch.fit()


def test_the_sketch_is_bounded_and_spread_over_the_footage():
    sketch = GeometrySketch(size(), every_s=0.2)
    plane = picture(0.0)
    for i in range(6000):
        sketch.add(plane, i / 10)
    assert 100 < len(sketch) <= 240


def test_all_frames_equal_can_be_learned():
    learner = Learner("yard", FRAME, geometry())
    plane = picture(0.0, ())
    for i in range(100):
        learner.observe(plane, i / 10, i / 10)
    found = learner.freeze().fit()
    assert found.seen.moving_s == 0
    assert found.seen.seconds == pytest.approx(9.9)
    assert np.isfinite(found.threshold(0.5).value)


def test_learning_on_from_a_model_adds_to_it():
    base = model().model
    learner = Learner("yard", FRAME, base.geometry, base)
    for plane, t in frames(8, start=500):
        learner.observe(plane, t, t)
    grown = learner.freeze().fit()
    assert grown.seen.seconds == pytest.approx(base.seen.seconds + 7.9)
    assert grown.sums["speed"].weight.sum() > base.sums["speed"].weight.sum()
    assert grown.peaks.seconds > base.peaks.seconds


def test_an_open_alarm_is_counted_but_not_learned_as_usual():
    learner = Learner("yard", FRAME, geometry())
    shape = (size().rows, size().columns)
    fast = Features(0.0, 0.1, *(np.full(shape, 50.0, np.float32),) * 2, *(np.ones(shape, np.float32),) * 5)
    learner.learn(fast, 0.0, usual=False)
    frozen = learner.freeze()
    assert all(f.cells["speed"].weight.sum() == 0 for f in frozen.folds)
    assert sum(len(b.frames) for b in frozen.blocks) == 1


def test_footage_is_learned_twice_alike():
    def learn():
        learner = Learner("yard", FRAME, geometry())
        for plane, t in frames(8):
            learner.observe(plane, t, t)
        return learner.freeze().fit()

    a, b = learn(), learn()
    assert np.array_equal(a.peaks.pack(), b.peaks.pack())
    assert all(np.array_equal(a.sums[k].second, b.sums[k].second) for k in a.sums)


def test_merging_models_adds_and_refuses_other_cameras():
    from dataclasses import replace

    a = model().model
    both = a.merged(a)
    assert both.seen.seconds == 2 * a.seen.seconds
    assert both.peaks.seconds == pytest.approx(2 * a.peaks.seconds)
    with pytest.raises(ValueError, match="cannot merge"):
        a.merged(replace(a, camera="other"))


def test_a_half_life_halves():
    a = model().model
    assert a.faded(14, 14).sums["speed"].weight.sum() == pytest.approx(a.sums["speed"].weight.sum() / 2)


def test_blocks_that_had_to_go_are_in_the_held_out_record():
    learner = Learner("yard", FRAME, geometry(), max_bytes=350_000)
    shape = (size().rows, size().columns)
    rng = np.random.default_rng(0)
    for i in range(2000):
        planes = [np.full(shape, v, np.float32) for v in rng.normal(20, 2, 2)]
        ones = [np.full(shape, 0.5, np.float32)] * 3
        for plane in planes:
            plane[5:, :] = 0
        cover = np.where(np.arange(shape[0])[:, None] < 2, ones[0], 0).astype(np.float32)
        learner.learn(Features(i * 0.5, 0.5, *planes, cover, cover, *(cover * 0,) * 3), i * 0.5)
    found = learner.freeze().fit()
    assert learner.held_bytes < 500_000
    assert found.peaks.seconds == pytest.approx(1000, rel=0.05)
