from collections.abc import Iterable
from math import log

import numpy as np
import pytest

from surveil.features.normality.attributes.direction import direction_name
from surveil.features.normality.features import FeatureExtractor, Features
from surveil.features.normality.objects import Dwell
from surveil.features.normality.plane import PlaneSize, plane_size
from surveil.types import Bytes, Track
from tests.normality.drawn import Walker, frames, geometry, picture


def last_features(fps: float, speed: float, seconds: float = 1.5) -> Features:
    extractor = FeatureExtractor(geometry())
    found = None
    for plane, t in frames(seconds, fps, walkers=(Walker(150, 120, speed),)):
        found = extractor.observe(plane, t) or found
    assert found is not None
    return found


@pytest.mark.parametrize("fps", [5, 10, 12.5, 25])
def test_speed_is_in_px_per_second_at_any_frame_rate(fps):
    features = last_features(fps, 30.0)
    r, c = np.unravel_index(features.cover.argmax(), features.cover.shape)
    assert features.vx[r, c] == pytest.approx(30.0, rel=0.25)
    assert abs(features.vy[r, c]) < 5


def test_left_is_negative():
    features = last_features(10, -40.0)
    r, c = np.unravel_index(features.cover.argmax(), features.cover.shape)
    assert features.vx[r, c] == pytest.approx(-40.0, rel=0.25)


def test_25_fps_is_thinned_to_about_ten_pairs_a_second():
    extractor = FeatureExtractor(geometry())
    pairs = [f for plane, t in frames(2, 25) if (f := extractor.observe(plane, t))]
    assert 20 <= len(pairs) <= 26
    assert sum(f.dt for f in pairs) == pytest.approx(2.0, abs=0.2)


def test_no_features_across_a_gap():
    extractor = FeatureExtractor(geometry())
    assert extractor.observe(picture(0.0), 0.0) is None
    assert extractor.observe(picture(0.1), 0.1) is not None
    assert extractor.observe(picture(0.8), 0.8) is None
    assert extractor.observe(picture(0.9), 0.9) is not None


def test_time_that_steps_back_starts_anew():
    extractor = FeatureExtractor(geometry())
    extractor.observe(picture(5.0), 5.0)
    assert extractor.observe(picture(1.0), 1.0) is None
    assert extractor.observe(picture(1.1), 1.1) is not None


def test_a_still_scene_has_no_motion_but_what_stands_there():
    extractor = FeatureExtractor(geometry())
    still = picture(3.0, (Walker(100, 120, 0),))
    found = [extractor.observe(still, i / 10) for i in range(5)]
    features = found[-1]
    assert features is not None
    assert features.cover.max() == 0
    assert features.ground.max() > 0.5


def watched(extractor: FeatureExtractor, scene: Iterable[tuple[Bytes, float]]) -> tuple[list[Features], int]:
    """Features of a scene of which somebody else says that nothing moves in it, and the frames it wanted to see."""
    found, seen = [], 0
    for plane, t in scene:
        if extractor.wants(t):
            features, seen = extractor.observe(plane, t, still=True), seen + 1
        else:
            features = extractor.still(t)
        if features is not None:
            found.append(features)
    return found, seen


def test_where_nothing_moves_a_look_a_second_is_as_good_as_all():
    scene = [(picture(3.0, (Walker(100, 120, 0),)), i / 5) for i in range(51)]
    extractor = FeatureExtractor(geometry())
    every = [f for plane, t in scene if (f := extractor.observe(plane, t))]
    some, seen = watched(FeatureExtractor(geometry()), scene)
    assert seen == 11
    assert [f.t for f in some] == [f.t for f in every]
    assert sum(f.dt for f in some) == pytest.approx(10.0)
    assert some[-1].cover.max() == 0
    assert some[-1].ground.max() > 0.5
    np.testing.assert_array_equal(some[-1].ground, every[-1].ground)
    np.testing.assert_allclose(some[-1].stay, every[-1].stay, atol=1e-6)


def test_what_moves_although_somebody_says_that_nothing_does_is_seen_within_a_look():
    extractor = FeatureExtractor(geometry())
    still = (Walker(100, 120, 0),)
    found, _ = watched(extractor, frames(3, 5, walkers=still))
    assert all(f.cover.max() == 0 for f in found)
    found, _ = watched(extractor, frames(3, 5, start=3, walkers=(Walker(50, 120, 30),)))
    moving = [f for f in found if f.cover.max() > 0.2]
    assert moving[0].t <= 3 + 1.2
    assert [f.t for f in moving] == [f.t for f in found if f.t >= moving[0].t], "it goes on looking"
    assert sum(f.dt for f in found) <= 3.0


def test_a_frame_that_nobody_saw_says_nothing_before_the_first_look():
    assert FeatureExtractor(geometry()).still(1.0) is None


def test_the_stay_of_a_track_begins_again_where_time_does():
    dwell = Dwell()
    stays = [
        dwell.samples(
            [Track(id=1, label="person", box=(100, 100, 120, 150), score=0.9, t_first=0.0, t_last=0.0)],
            t,
            geometry(),
            (320, 240),
        )
        for t in (5.0, 10.0, 0.1, 1.1)
    ]
    assert [sample.values[2] for (sample,) in stays] == pytest.approx([0.0, log(6.0), 0.0, log(2.0)])


def test_a_plane_of_another_size_is_refused():
    with pytest.raises(ValueError, match="the model expects"):
        FeatureExtractor(geometry()).observe(np.zeros((100, 100), np.uint8), 0.0)


@pytest.mark.parametrize(
    ("frame", "plane"),
    [
        ((360, 240), PlaneSize(360, 240)),
        ((640, 360), PlaneSize(424, 240)),
        ((1920, 1080), PlaneSize(424, 240)),
        ((1080, 1920), PlaneSize(136, 240)),
        ((160, 120), PlaneSize(320, 240)),
        ((10, 1000), PlaneSize(64, 240)),
    ],
)
def test_the_plane_has_240_rows_of_the_same_aspect(frame, plane):
    assert plane_size(*frame) == plane


def test_an_empty_picture_has_no_plane():
    with pytest.raises(ValueError, match="has no plane"):
        plane_size(0, 10)


def test_directions_have_names():
    assert direction_name(1, 0) == "right"
    assert direction_name(0, 1) == "down"
    assert direction_name(-1, -1) == "up to the left"


def test_perspective_without_people_is_a_constant_window():
    g = geometry()
    assert all(14 <= g.height_at(row) <= 120 for row in range(0, 240, 10))
