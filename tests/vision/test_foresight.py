"""When a look can wait: the object was found lately, moves as foreseen, and nothing is near."""

import numpy as np
import pytest

from surveil.types import GateDecision, Motion, Track
from surveil.vision.foresight import Foresight
from surveil.vision.regions import RegionPlanner

SIZE = (1280, 720)
BOX = (600.0, 300.0, 700.0, 600.0)
SPEED = (150.0, 0.0)


def walker(number=1, box=BOX, **changes):
    """Somebody who was found at t = 10 s, 5 s after he came."""
    known = {"label": "person", "score": 0.8, "t_first": 5.0, "t_last": 10.0, "velocity": SPEED}
    return Track(id=number, box=box, **{**known, **changes})


def moved(box=BOX, by=30.0):
    return (box[0] + by, box[1], box[2] + by, box[3])


def crops(tracks, boxes, t=10.2, foresight=None, gate=GateDecision.MOTION):
    """What is looked at at `t`, 0.2 s after the frame that the tracks are from."""
    planner = RegionPlanner(input_px=320, min_object_px=40, max_crops=4, idle_interval_s=60.0)
    for i in range(12, 0, -1):
        planner.plan(Motion(GateDecision.IDLE, np.zeros((0, 4), np.float32), 0.0), (), SIZE, t - 0.2 * i)
    motion = Motion(gate, np.array(boxes, np.float32).reshape(-1, 4), 0.1)
    return planner.plan(motion, tracks, SIZE, t, foresight or Foresight())


def test_who_was_found_in_the_frame_before_and_moves_as_foreseen_is_not_looked_at():
    assert crops([walker()], [moved()]) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"t_last": 9.6},
        {"missed": True},
        {"score": 0.55},
        {"t_first": 9.6},
        {"id": 0},
    ],
    ids=["three frames ago", "missed", "hardly sure", "new", "doubtful"],
)
def test_who_is_not_well_known_is_looked_at(changes):
    number = changes.pop("id", 1)
    assert len(crops([walker(number, **changes)], [moved()])) == 1


def test_who_does_not_move_where_he_should_is_looked_at():
    assert len(crops([walker()], [], gate=GateDecision.TRACK)) == 1


def test_who_moves_on_the_spot_is_looked_at_as_often_as_who_walks():
    slow = {"velocity": (2.0, 0.0)}
    assert crops([walker(**slow)], [BOX]) == ()
    assert len(crops([walker(**slow, t_last=9.6)], [BOX])) == 1


def test_who_stands_and_moves_in_his_place_is_looked_at_every_second_and_at_once_when_he_leaves_it():
    stands = {"velocity": (0.0, 0.0), "stationary": True}
    assert crops([walker(**stands, t_last=9.2)], [BOX]) == ()
    assert len(crops([walker(**stands, t_last=9.0)], [BOX])) == 1
    assert len(crops([walker(**stands, t_last=9.2, score=0.7)], [BOX])) == 1, "hardly sure"
    leaves = (BOX[0], BOX[1], BOX[2] + 60.0, BOX[3])
    assert len(crops([walker(**stands)], [leaves])) == 1


def test_something_that_appears_is_looked_at_and_nothing_else():
    ((x1, _, x2, _),) = crops([walker()], [moved(), (100, 300, 150, 420)])
    assert x1 <= 100
    assert 150 <= x2 < 600


def test_what_moves_beside_somebody_is_not_taken_for_him():
    x1, _, _, y2 = moved()
    beside = (x1 - 70.0, y2 - 100.0, x1 - 20.0, y2)
    assert len(crops([walker()], [moved(), beside])) == 1


def test_what_moved_beside_somebody_at_his_last_look_is_his_own():
    shadow = (moved()[2], 540.0, moved()[2] + 70.0, 600.0)
    planner = RegionPlanner(input_px=320, min_object_px=40, max_crops=4, idle_interval_s=60.0)
    for i in range(12, 0, -1):
        planner.plan(Motion(GateDecision.IDLE, np.zeros((0, 4), np.float32), 0.0), (), SIZE, 10.2 - 0.2 * i)
    motion = Motion(GateDecision.MOTION, np.array([moved(), shadow], np.float32), 0.1)
    assert planner.plan(motion, [walker(t_last=9.4)], SIZE, 10.2, Foresight()), "it is new"
    assert planner.plan(motion, [walker(t_last=10.2)], SIZE, 10.4, Foresight()) == ()


def test_what_somebody_carries_waits_with_him_and_is_no_meeting():
    carried = (620.0, 380.0, 690.0, 450.0)
    bag = walker(2, carried, label="backpack", score=0.4)
    assert crops([walker(), bag], [moved()]) == ()
    car = walker(2, (605.0, 300.0, 695.0, 590.0), label="car", score=0.4)
    assert len(crops([walker(), car], [moved()])) == 1
    dog = walker(2, carried, label="dog")
    assert len(crops([walker(), dog], [moved()])) == 1


def test_two_who_meet_are_looked_at_and_two_apart_are_not():
    near, far = (720.0, 300.0, 820.0, 600.0), (1000.0, 300.0, 1100.0, 600.0)
    assert len(crops([walker(), walker(2, near)], [moved(), moved(near)])) == 1
    assert crops([walker(), walker(2, far)], [moved(), moved(far)]) == ()


def test_what_stands_there_is_no_meeting_unless_it_is_of_the_same_class():
    beside = (720.0, 400.0, 820.0, 600.0)
    stands = {"stationary": True, "velocity": (0.0, 0.0), "t_last": 10.0}
    assert crops([walker(), walker(2, beside, label="chair", **stands)], [moved()]) == ()
    assert len(crops([walker(), walker(2, beside, **stands)], [moved()])) == 1


def test_who_is_about_to_leave_the_picture_is_looked_at():
    at_edge, soon = (1190.0, 300.0, 1280.0, 600.0), (1100.0, 300.0, 1190.0, 600.0)
    assert len(crops([walker(box=at_edge)], [(1200, 300, 1280, 600)])) == 1
    assert len(crops([walker(box=soon)], [moved(soon)])) == 1
    assert crops([walker(box=soon, velocity=(-150.0, 0.0))], [moved(soon, by=-30.0)]) == ()
    cut_at_the_feet = (600.0, 420.0, 700.0, 720.0)
    assert crops([walker(box=cut_at_the_feet)], [moved(cut_at_the_feet)]) == ()


@pytest.mark.parametrize(
    ("line", "is_near"),
    [
        (((0.55, 0.0), (0.55, 1.0)), True),
        (((0.9, 0.0), (0.9, 1.0)), False),
        (((0.0, 0.3), (0.3, 0.0)), False),
        (((0.0, 0.1), (1.0, 1.0)), True),
    ],
    ids=["upright", "far", "a corner cut off", "oblique"],
)
def test_near_a_line_every_frame_is_looked_at(line, is_near):
    assert bool(crops([walker()], [moved()], foresight=Foresight(lines=[line]))) is is_near


def test_edges_of_zones_count_but_not_where_they_are_the_border_of_the_picture():
    whole = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    half = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    assert crops([walker()], [moved()], foresight=Foresight([whole])) == ()
    assert len(crops([walker()], [moved()], foresight=Foresight([half]))) == 1


def test_without_a_gate_everybody_is_looked_at_in_every_frame():
    assert len(crops([walker()], [moved()], gate=GateDecision.OFF)) >= 2


def test_a_small_picture_that_is_one_crop_is_not_looked_at_either():
    planner = RegionPlanner(input_px=320, min_object_px=40, max_crops=4, idle_interval_s=60.0)
    size, box = (480, 360), (200.0, 100.0, 250.0, 250.0)
    motion = Motion(GateDecision.MOTION, np.array([box], np.float32), 0.1)
    looks = [
        len(planner.plan(motion, [walker(box=box, velocity=(0.0, 0.0), t_last=t_last)], size, t))
        for t, t_last in ((9.8, 9.2), (10.0, 9.8), (10.2, 9.8), (10.4, 9.8), (10.6, 10.4))
    ]
    assert looks == [1, 0, 0, 1, 0]
