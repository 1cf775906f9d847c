"""Who vanishes in the middle of the picture is missed by the closest look that there can be, and forgotten."""

import numpy as np
import pytest

from surveil.track.settings import TrackSettings
from surveil.track.tracker import Tracker
from surveil.types import GateDecision, Motion
from surveil.vision.regions import RegionPlanner, as_boxes
from tests.track.test_tracker import seen

IDLE_S = 10.0


class Camera:
    """Planner and tracker at 5 fps; the gate and the detector, which finds everybody with `score`, are scripted."""

    def __init__(self, size, input_px, score):
        self.planner = RegionPlanner(input_px=input_px, min_object_px=40, max_crops=4, idle_interval_s=IDLE_S)
        self.tracker, self.size, self.score = Tracker(TrackSettings()), size, score
        self.frame, self.tracks = 0, ()

    def see(self, *boxes):
        """Show one frame with people at `boxes`; return whom the tracker believes in."""
        t = self.frame / 5
        followed = (*self.tracks, *self.tracker.doubtful)
        motion = Motion(self._gate(boxes, followed), np.array(boxes, np.float32).reshape(-1, 4), 0.01)
        crops = self.planner.plan(motion, followed, self.size, t)
        found, regions = (seen(*boxes, score=self.score), as_boxes(crops)) if crops else (None, None)
        closest = self.planner.closest
        self.tracks = self.tracker.update(
            found, t, ("person",), regions, self.size, motion=motion, closest=closest
        )
        self.frame += 1
        return self.tracks

    def _gate(self, boxes, followed):
        if boxes:
            return GateDecision.MOTION
        if any(not track.is_settled for track in followed):
            return GateDecision.TRACK
        return GateDecision.IDLE if self.frame % (IDLE_S * 5) == 0 else GateDecision.CLOSED_STILL

    def walk(self, x, y, height):
        """Show somebody who walks to the right for 6 s; return whether he is followed at the end."""
        for i in range(30):
            left = x + height * 0.06 * i
            self.see((left, y, left + 0.43 * height, y + height))
        return len(self.tracks) == 1


@pytest.mark.parametrize(
    ("size", "input_px", "height"),
    [
        ((480, 360), 320, 70),
        ((580, 480), 320, 70),
        ((1280, 720), 320, 30),
        ((1280, 720), 320, 38),
        ((1280, 720), 320, 60),
        ((1024, 768), 640, 70),
        ((1920, 1080), 640, 60),
        ((1920, 1080), 640, 75),
    ],
)
@pytest.mark.parametrize("score", [0.45, 0.9])
def test_who_vanishes_is_gone_within_ten_seconds(size, input_px, height, score):
    camera = Camera(size, input_px, score)
    assert camera.walk(100, 150, height)
    for _ in range(50):
        camera.see()
    assert camera.tracks == ()


def test_one_detection_where_somebody_vanished_is_not_believed_at_once():
    camera = Camera((480, 360), 320, 0.9)
    assert camera.walk(100, 150, 70)
    (somebody,) = camera.tracks
    for _ in range(50):
        camera.see()
    camera.score = 0.46
    assert camera.see(somebody.box) == ()
