from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surveil.types import GateDecision, Motion, Track
from surveil.vision.crops import CropLimits, cover, round_s, tiles
from surveil.vision.regions import RegionPlanner, as_boxes

HD = (1920, 1080)
UHD = (3840, 2160)
LIMITS = CropLimits.of(320, 40)


def planner(max_crops=4, idle_s=5.0, input_px=320, min_object_px=40):
    return RegionPlanner(
        input_px=input_px, min_object_px=min_object_px, max_crops=max_crops, idle_interval_s=idle_s
    )


def motion(*boxes, gate=GateDecision.MOTION):
    return Motion(gate, np.array(boxes, np.float32).reshape(-1, 4), 0.1)


def track(box, *, stationary=False, missed=False):
    return Track(
        id=1,
        label="person",
        box=box,
        score=0.8,
        t_first=-5.0,
        t_last=-2.0,
        stationary=stationary,
        missed=missed,
    )


def settled(size=HD, **options):
    """A planner whose first idle look is behind it, at t = 0."""
    made = planner(**options)
    made.plan(motion(gate=GateDecision.IDLE), (), size, 0.0)
    return made


def holds(crop, box):
    return crop[0] <= box[0] and crop[1] <= box[1] and crop[2] >= box[2] and crop[3] >= box[3]


def test_nothing_is_looked_at_while_the_gate_is_closed():
    assert planner().plan(motion(gate=GateDecision.CLOSED_STILL), (), HD, 0.0) == ()


def test_a_picture_that_keeps_its_scale_is_one_letterbox():
    assert planner().plan(motion((10, 10, 40, 90)), (), (480, 360), 0.0) == ((0, 0, 480, 360),)


def test_what_moves_alone_is_magnified_and_every_second_time_at_native_scale():
    person, made = (1000, 500, 1016, 540), settled()
    plans = [made.plan(motion(person), (), HD, t) for t in (1.0, 1.2, 1.4)]
    assert plans == [((848, 360, 1168, 680),), ((944, 456, 1072, 584),), ((848, 360, 1168, 680),)]


def test_who_is_followed_is_magnified_in_every_look():
    somebody, made = track((1000.0, 500.0, 1024.0, 560.0)), settled()
    for i in range(4):
        (crop,) = made.plan(motion((1002, 502, 1022, 558)), (somebody,), HD, 1 + i / 5)
        assert holds(crop, somebody.box)
        assert crop[2] - crop[0] == 128


def test_a_head_that_turns_is_looked_at_with_the_body():
    sits, made = track((1000.0, 500.0, 1100.0, 700.0), stationary=True), settled()
    for i in range(4):
        (crop,) = made.plan(motion((1030, 505, 1070, 540)), (sits,), HD, 1 + i / 5)
        assert holds(crop, sits.box)


def test_neighbours_share_one_crop_and_people_apart_do_not():
    near = settled().plan(motion((500, 500, 520, 560), (700, 600, 720, 660)), (), HD, 1.0)
    apart = settled().plan(motion((100, 500, 120, 560), (1700, 600, 1720, 660)), (), HD, 1.0)
    assert (len(near), len(apart)) == (1, 2)


def test_a_track_is_looked_at_where_nothing_moves():
    box = (1000.0, 500.0, 1030.0, 580.0)
    (crop,) = settled().plan(motion(gate=GateDecision.TRACK), (track(box),), HD, 1.0)
    assert holds(crop, box)


def looks_at(parked, changed=None, until=61):
    """When a track that stands still is looked at, while something moves elsewhere; idle looks every 5 s."""
    made, far = settled(idle_s=5.0), np.array([[1700, 200, 1720, 260]], np.float32)
    moving = Motion(GateDecision.MOTION, far, 0.1, changed)
    return [
        t for t in np.arange(1, until, 0.2).round(1).tolist()
        if any(holds(c, parked.box) for c in made.plan(moving, (parked,), HD, t))
    ]  # fmt: skip


def test_a_stationary_track_is_checked_at_the_idle_interval_and_then_six_times_less_often():
    looks = looks_at(track((300.0, 800.0, 500.0, 900.0), stationary=True))
    assert looks[:2] == [1.0, 6.0]
    assert len(looks) <= 4
    assert max(np.diff([*looks, 61])) <= 30.21


def test_a_stationary_track_is_checked_at_the_idle_interval_where_its_place_has_changed():
    changed = np.zeros((45, 80), bool)
    changed[34:37, 13:20] = True
    looks = looks_at(track((300.0, 800.0, 500.0, 900.0), stationary=True), changed)
    assert max(np.diff([1, *looks, 61])) <= 5.21


@pytest.mark.parametrize("size", [(480, 360), HD])
def test_idle_looks_are_rare_once_every_place_was_seen_twice_and_nothing_changed(size):
    made, quiet = planner(idle_s=5.0), motion(gate=GateDecision.IDLE)
    count = len(tiles((0, 0, *size), LIMITS.limit, size, 40))
    looks = [t for t in np.arange(0, 300, 5.0) if made.plan(quiet, (), size, t)]
    assert looks[:count] == np.arange(0, 5.0 * count, 5.0).tolist()
    assert set(np.diff(looks[2 * count :])) == {30.0}


def test_where_something_has_changed_unseen_the_next_idle_look_goes():
    made, quiet = planner(idle_s=5.0), motion(gate=GateDecision.IDLE)
    for t in range(0, 200, 5):
        made.plan(quiet, (), HD, float(t))
    changed = np.zeros((45, 80), bool)
    changed[40, 70] = True
    ((x1, y1, x2, y2),) = made.plan(Motion(GateDecision.IDLE, quiet.boxes, 0.0, changed), (), HD, 200.0)
    assert x1 < 70.5 / 80 * HD[0] < x2
    assert y1 < 40.5 / 45 * HD[1] < y2


def test_a_stationary_track_that_was_missed_is_looked_at_until_it_is_found_or_given_up():
    made, missed = settled(idle_s=5.0), track((300.0, 800.0, 500.0, 900.0), stationary=True, missed=True)
    plans = [made.plan(motion(gate=GateDecision.TRACK), (missed,), HD, t) for t in (1.0, 1.2, 1.4)]
    assert all(any(holds(crop, missed.box) for crop in plan) for plan in plans)


@pytest.mark.parametrize("missed", [True, False])
def test_somebody_who_was_missed_is_looked_at_from_close_up(missed):
    made = settled(idle_s=5.0)
    two = [track((x, 800.0, x + 30.0, 870.0), missed=missed) for x in (300.0, 450.0)]
    plan = made.plan(motion(gate=GateDecision.TRACK), two, HD, 1.0)
    close = [crop for crop in plan if crop[2] - crop[0] <= 2 * 70]
    assert all(any(holds(crop, one.box) for crop in close) for one in two) == missed


def small_looks(made, large, tracks=(), seconds=12):
    """For each second, how many crops in which small things are seen are chosen while `large` moves."""
    counts = [0] * seconds
    for t in np.arange(1, 1 + seconds, 0.2).round(1).tolist():
        plan = made.plan(motion(large), [replace(k, t_last=t - 0.6) for k in tracks], HD, t)
        counts[int(t) - 1] += sum(c[2] - c[0] <= LIMITS.limit * 1.1 + 4 for c in plan)
    return counts


def test_something_larger_than_a_crop_is_seen_whole_and_small_things_in_it_every_second():
    made, large = settled(idle_s=60.0, max_crops=6), (200, 100, 1300, 1000)
    plans = [made.plan(motion(large), (), HD, t) for t in np.arange(1, 4, 0.2).tolist()]
    assert all(any(holds(c, large) for c in plan) for plan in plans)
    small = [sum(c[2] - c[0] <= LIMITS.limit * 1.1 + 4 for c in plan) for plan in plans]
    assert small[0] > 0
    assert small[1:5].count(0) >= 3
    assert all(sum(small[i : i + 5]) >= small[0] for i in (0, 5, 10))


def test_small_things_beside_somebody_large_who_is_followed_get_idle_looks():
    large = (700.0, 200.0, 1000.0, 900.0)
    counts = small_looks(settled(idle_s=5.0, max_crops=6), large, [track(large)])
    assert min(counts[0], counts[5], counts[10]) > 0
    assert counts[1:4] == counts[6:9] == [0, 0, 0]


@pytest.mark.parametrize("max_crops", [1, 2])
def test_small_things_in_something_large_take_turns_with_it_where_few_crops_are_allowed(max_crops):
    made, large = settled(idle_s=60.0, max_crops=max_crops), (200, 100, 1300, 1000)
    plans = [made.plan(motion(large), (), HD, t) for t in np.arange(1, 9, 0.2).tolist()]
    assert max(map(len, plans)) == max_crops
    whole = [any(holds(crop, large) for crop in plan) for plan in plans]
    assert sum(whole) >= len(plans) // 2
    seen = np.zeros(HD[::-1], bool)
    for plan in plans[5:]:
        for x1, y1, x2, y2 in (crop for crop in plan if not holds(crop, large)):
            seen[y1:y2, x1:x2] = True
    assert seen[100:1000, 200:1300].all()


def test_more_crops_than_allowed_take_turns():
    spots = [(x, y, x + 20, y + 60) for x in (100, 1100, 2100, 3100) for y in (200, 1000, 1800)]
    made = settled(UHD, max_crops=4, idle_s=1e6)
    seen = {}
    for i in range(9):
        plan = made.plan(motion(*spots), (), UHD, 1.0 + i * 0.2)
        assert len(plan) <= 4
        for spot in spots:
            if any(holds(crop, spot) for crop in plan):
                seen.setdefault(spot, []).append(i)
    assert all(spot in seen and max(np.diff([-1, *seen[spot]])) <= 4 for spot in spots)


@pytest.mark.parametrize("size", [(1280, 720), HD, UHD])
def test_idle_looks_get_round_the_whole_picture(size):
    made = planner()
    count = len(tiles((0, 0, *size), LIMITS.limit, size))
    seen = np.zeros(size[::-1], bool)
    for i in range(count):
        (crop,) = made.plan(motion(gate=GateDecision.IDLE), (), size, i * 5.0)
        seen[crop[1] : crop[3], crop[0] : crop[2]] = True
    assert seen.all()


def test_the_rest_of_the_picture_is_not_forgotten_while_something_moves():
    made, seen = planner(), np.zeros(HD[::-1], bool)
    for t in np.arange(0, 60, 0.2).tolist():
        for x1, y1, x2, y2 in made.plan(motion((100, 100, 120, 160)), (), HD, t):
            seen[y1:y2, x1:x2] = True
    assert seen.all()


OFF = GateDecision.OFF


def beside(plan, size):
    """What is looked at beside the whole picture, which comes first in every frame."""
    assert plan[0] == (0, 0, *size)
    return plan[1:]


@pytest.mark.parametrize("max_crops", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [HD, UHD])
def test_without_a_gate_the_whole_is_seen_in_every_frame_and_its_tiles_in_turn(size, max_crops):
    made, rest = planner(max_crops=max_crops), tiles((0, 0, *size), LIMITS.limit, size)
    frames = round(5 * round_s(size, 320, 40, max_crops, 5.0))
    plans = [beside(made.plan(motion(gate=OFF), (), size, i / 5), size) for i in range(frames)]
    assert {crop for plan in plans for crop in plan} == set(rest)
    assert max(map(len, plans)) == max(1, max_crops - 1)


def test_without_a_gate_what_moves_and_what_is_followed_is_looked_at_first():
    moving, box = (3000, 1500, 3100, 1700), (300.0, 400.0, 360.0, 600.0)
    made = planner(max_crops=4)
    for i in range(20):
        plan = beside(made.plan(motion(moving, gate=OFF), (track(box),), UHD, i / 5), UHD)
        assert all(any(holds(crop, wanted) for crop in plan) for wanted in (moving, box))


@pytest.mark.parametrize("max_crops", [1, 2, 4])
def test_without_a_gate_much_that_moves_does_not_keep_the_tiles_from_their_turn(max_crops):
    spots = [(x, y, x + 20, y + 60) for x in (100, 1100, 2100, 3100) for y in (200, 1000, 1800)]
    made, seen = planner(max_crops=max_crops), np.zeros(UHD[::-1], bool)
    for i in range(120):
        for x1, y1, x2, y2 in beside(made.plan(motion(*spots, gate=OFF), (), UHD, i / 5), UHD):
            seen[y1:y2, x1:x2] = True
    assert seen.all()


def test_without_a_gate_a_small_picture_is_looked_at_once():
    assert planner().plan(motion((10, 10, 40, 90), gate=OFF), (), (480, 360), 0.0) == ((0, 0, 480, 360),)


boxes_in_hd = st.lists(
    st.tuples(st.integers(0, 1900), st.integers(0, 1050), st.integers(5, 700), st.integers(5, 700)),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(boxes_in_hd)
def test_crops_hold_every_box_whole_and_stay_in_the_frame(spots):
    boxes = np.array(
        [(x, y, min(x + w, 1920), min(y + h, 1080)) for x, y, w, h in spots], np.float32
    ).reshape(-1, 4)
    crops = cover(boxes, LIMITS, HD)
    assert len(crops) <= len(boxes)
    for box in boxes:
        assert any(holds(crop, box) for crop in crops)
    for x1, y1, x2, y2 in crops:
        assert 0 <= x1 < x2 <= 1920
        assert 0 <= y1 < y2 <= 1080


@settings(max_examples=100, deadline=None)
@given(st.integers(16, 4000), st.integers(16, 3000))
def test_tiles_cover_any_picture_without_growing_beyond_the_limit(width, height):
    found = tiles((0, 0, width, height), LIMITS.limit, (width, height))
    seen = np.zeros((height // 4, width // 4), bool)
    for x1, y1, x2, y2 in found:
        assert x2 <= width
        assert y2 <= height
        assert max(x2 - x1, y2 - y1) <= LIMITS.limit * 1.1 + 4
        seen[y1 // 4 : -(-y2 // 4), x1 // 4 : -(-x2 // 4)] = True
    assert seen.all()


def in_one_tile(found, width, height, x, y, side=40):
    x1, y1 = x * (width - side), y * (height - side)
    return any(holds(crop, (x1, y1, x1 + side, y1 + side)) for crop in found)


PLACES = (st.integers(60, 4000), st.integers(60, 3000), st.floats(0, 1), st.floats(0, 1))


@settings(max_examples=200, deadline=None)
@given(*PLACES, st.sampled_from([96, 160, 320, 640]))
def test_an_object_of_the_smallest_size_lies_whole_in_one_of_the_tiles(width, height, x, y, input_px):
    limits = CropLimits.of(input_px, 40)
    found = tiles((0, 0, width, height), limits.limit, (width, height), limits.smallest)
    assert in_one_tile(found, width, height, x, y)


@settings(max_examples=200, deadline=None)
@given(*PLACES)
def test_tiles_overlap_by_a_tenth_where_no_smallest_size_is_given(width, height, x, y):
    found = tiles((0, 0, width, height), LIMITS.limit, (width, height))
    assert in_one_tile(found, width, height, x, y)


def test_forty_pixels_stay_twenty_four_at_the_input():
    assert CropLimits.of(320, 40).limit * 24 / 40 == 320
    assert CropLimits.of(416, 10) == CropLimits(416 / 2.5, 416 * 10 / 24, 416 * 10 / 24, 10)


def test_crops_travel_as_read_only_boxes():
    boxes = as_boxes(((0, 0, 10, 20),))
    assert boxes.tolist() == [[0, 0, 10, 20]]
    assert not boxes.flags.writeable
