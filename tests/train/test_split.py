"""Near-duplicates are found and never divided; splits go by time and camera."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surveil.demo.scene import DrawnScene
from surveil.errors import ConfigError
from surveil.offline.classify.dataset import Item
from surveil.offline.classify.duplicates import find_duplicates, fingerprint, groups
from surveil.offline.classify.split import GAP_S, TEST, TRAIN, VALIDATION, split
from tests.train.pictures import draw


def photo(seed):
    rng = np.random.default_rng(seed)
    picture = cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8), (320, 240), interpolation=cv2.INTER_CUBIC)
    for _ in range(8):
        x, y, r = (int(v) for v in rng.integers(10, 200, 3))
        cv2.circle(picture, (x, y), r // 4, [int(v) for v in rng.integers(0, 255, 3)], -1)
    return picture


def jpeg(picture):
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_COLOR)


COPIES = {
    "re-encoded": jpeg,
    "half the size": lambda p: cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "brighter": lambda p: cv2.convertScaleAbs(p, alpha=1.15, beta=12),
    "noisy": lambda p: np.clip(p + np.random.default_rng(1).normal(0, 8, p.shape), 0, 255).astype(np.uint8),
    "blurred": lambda p: cv2.GaussianBlur(p, (0, 0), 2),
    "cut by two per cent": lambda p: p[4:-4, 6:-6],
    "grey": lambda p: np.repeat(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)[:, :, None], 3, 2),
}


@pytest.mark.parametrize("how", COPIES)
def test_every_planted_copy_is_found_and_nothing_else(how):
    originals = [photo(seed) for seed in range(60)]
    prints = [fingerprint(p) for p in [*originals, *(COPIES[how](p) for p in originals[:20])]]
    assert find_duplicates(prints) == [(i, 60 + i) for i in range(20)]


def test_pictures_without_anything_in_them_are_duplicates_when_equally_bright():
    flat = [fingerprint(np.full((50, 60, 3), level, np.uint8)) for level in (0, 1, 128)]
    assert find_duplicates(flat) == [(0, 1)]


def test_neighbouring_frames_of_a_camera_are_near_duplicates():
    scene = DrawnScene.still(size=(320, 180), seconds=1.0)
    assert find_duplicates([fingerprint(scene.frame(i)) for i in range(3)]) == [(0, 1), (0, 2), (1, 2)]


def test_groups_join_chains():
    assert groups(6, [(0, 1), (4, 5), (1, 4)]).tolist() == [0, 0, 2, 3, 0, 0]


def items(n, **about):
    return [
        Item(path=f"{k}", sha256=f"{k:064x}", label="ab"[k % 2], **{name: f(k) for name, f in about.items()})
        for k in range(n)
    ]


def sides(found):
    return [int(s) for s in found.side]


def test_every_class_is_on_every_side_in_about_the_shares_asked_for():
    found = split(items(200), [])
    assert [np.bincount(found.side[k::2]).tolist() for k in (0, 1)] == [[60, 20, 20]] * 2


def test_near_duplicates_are_on_one_side():
    pairs = [(k, k + 2) for k in range(0, 80, 4)]
    found = split(items(100), pairs)
    assert all(found.side[a] == found.side[b] for a, b in pairs)


def test_crops_of_one_photo_are_on_one_side():
    found = split(items(100, group=lambda k: f"photo {k // 4}"), [])
    assert all(len(set(sides(found)[k : k + 4])) == 1 for k in range(0, 100, 4))


def test_pictures_with_times_are_cut_by_time_and_neighbours_stay_together():
    data = items(120, t_wall=lambda k: (k // 6) * 600.0 + k % 6, camera=lambda _k: "gate")
    found = split(data, [])
    assert sides(found) == sorted(sides(found))
    for a in range(119):
        if data[a + 1].t_wall - data[a].t_wall < GAP_S:
            assert found.side[a] == found.side[a + 1]


def test_a_camera_can_be_held_out_for_the_test():
    data = items(100, camera=lambda k: "held" if k < 20 else "seen")
    found = split(data, [], test_cameras=frozenset({"held"}))
    assert set(sides(found)[:20]) == {TEST}


def test_one_class_or_too_few_independent_pictures_are_refused_in_words():
    with pytest.raises(ConfigError, match="all 3 pictures are of class 'a'"):
        split([Item(path=str(k), sha256=f"{k:064x}", label="a") for k in range(3)], [])
    with pytest.raises(
        ConfigError, match=r"class 'a': 10 pictures from too few places and moments leave none to"
    ):
        split(items(20, group=lambda k: f"g{k % 2}"), [])


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"group": lambda k: f"g{k % 4}"}, "they form 2 groups: 'g0' (5), 'g2' (5). Collect at least 1 more group"),
        (
            {"t_wall": lambda k: 1e9 + k % 2, "camera": lambda _k: "gate"},
            "they form 1 group: gate at 2001-09-09 01:46 UTC (10). Collect at least 2 more group",
        ),
        (
            {"camera": lambda _k: "held"},
            "they form 10 groups, 10 of them of cameras that only the test has: 0 (1), 2 (1), 4 (1), 6 (1), 8 (1), 5 m",
        ),
    ],
)  # fmt: skip
def test_a_refusal_names_the_groups_and_says_what_to_collect(about, said):
    with pytest.raises(ConfigError) as caught:
        split(items(20, **about), [], test_cameras=frozenset({"held"}))
    assert said in caught.value.messages[0]


def test_near_duplicates_are_named_by_their_first_picture():
    pairs = [(a, b) for a in range(0, 20, 2) for b in range(0, 20, 2) if a < b]
    with pytest.raises(ConfigError, match=r"class 'a': .* 1 group: 0 and near-duplicates \(10\)"):
        split(items(20), pairs)


@given(st.integers(6, 60), st.integers(0, 5), st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_no_unit_is_ever_divided(n, seed, size):
    data = items(n, group=lambda k: f"g{k // size}" if size > 1 else "")
    try:
        found = split(data, [], seed)
    except ConfigError:
        return
    for unit in set(found.unit.tolist()):
        assert len(set(found.side[found.unit == unit].tolist())) == 1
    assert set(found.side.tolist()) == {TRAIN, VALIDATION, TEST}


def test_the_drawn_classes_of_these_tests_are_not_taken_for_duplicates():
    assert find_duplicates([fingerprint(draw("disc", k)) for k in range(30)]) == []
