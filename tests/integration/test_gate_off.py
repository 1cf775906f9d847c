"""Without a motion gate nobody is passed over, whether he moves or not."""

import numpy as np
import pytest

from surveil.engine import CameraEngine
from surveil.features.registry import RULES, build_rules
from surveil.track.settings import TrackSettings
from surveil.track.tracker import Tracker
from surveil.types import Detections, Frame, Observation
from surveil.vision.motion import MotionGate
from surveil.vision.regions import RegionPlanner, as_boxes
from surveil.vision.settings import MotionSettings

UHD = (3840, 2160)
INPUT_PX = 320
SEEN_PX = 24
"""An object of so many px at the model's input is found."""
YARD = {"yard": ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))}


def found_in(crop, people):
    """What a detector finds in a crop: whoever is whole in it and large enough at its input."""
    scale = INPUT_PX / max(crop[2] - crop[0], crop[3] - crop[1])
    return [
        p for p in people
        if (p[3] - p[1]) * scale >= SEEN_PX
        and crop[0] <= p[0] and crop[1] <= p[1] and p[2] <= crop[2] and p[3] <= crop[3]
    ]  # fmt: skip


def first_alert(people, seconds, max_crops=4):
    """When an intrusion is told of people who stand in a picture in which nothing seems to move, s; None: never."""
    rules = build_rules([RULES["intrusion"].settings(type="intrusion", zone="yard", after_s=0)], YARD, {})
    engine = CameraEngine("gate", rules, Tracker(TrackSettings()), labels=("person",))
    gate = MotionGate(MotionSettings(enabled=False), idle_interval_s=10.0)
    planner = RegionPlanner(input_px=INPUT_PX, min_object_px=40, max_crops=max_crops, idle_interval_s=10.0)
    luma, followed = np.full((180, 320), 90, np.uint8), ()
    for i in range(round(seconds * 5)):
        t = i / 5
        motion = gate.update(luma, t, UHD, followed)
        crops = planner.plan(motion, followed, UHD, t)
        boxes = sorted({box for crop in crops for box in found_in(crop, people)})
        n = len(boxes)
        found = Detections(
            np.array(boxes, np.float32).reshape(-1, 4), np.full(n, 0.8, np.float32), np.zeros(n, np.int32)
        )
        frame = Frame(camera="gate", seq=i, t=t, t_wall=t, picture=None)
        step = engine.step(Observation(frame, *UHD, motion, found, as_boxes(crops), closest=planner.closest))
        followed = (*step.tracks, *step.doubtful)
        if step.alerts:
            return t
    return None


def test_people_who_are_large_in_a_large_picture_are_told_of_at_once():
    people = [(x, 900.0, x + 110.0, 1200.0) for x in (300.0, 1300.0, 2300.0, 3300.0)]
    assert first_alert(people, 3.8) <= 0.4


@pytest.mark.parametrize("x", [40.0, 1900.0, 3700.0])
@pytest.mark.parametrize("max_crops", [2, 4])
def test_somebody_small_who_stands_still_is_found_within_a_round_of_the_tiles(x, max_crops):
    round_s = 32 / (max_crops - 1) / 5
    assert first_alert([(x, 1500.0, x + 30.0, 1570.0)], 20.0, max_crops) <= round_s + 0.6
