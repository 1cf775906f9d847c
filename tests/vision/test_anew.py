"""After a hole in the stream or a change of the whole picture, gate and planner look at every place again."""

import pytest

from surveil.types import Track
from surveil.vision.motion import MotionGate
from surveil.vision.regions import RegionPlanner
from surveil.vision.settings import MotionSettings
from tests.vision.drawn import SIZE, Camera, ground, person
from tests.vision.test_regions import holds

EMPTY = ground()
STANDS, PLACE = person(EMPTY, 900, 600, 200)
DARK = EMPTY * 0.25
WALKER = Track(id=1, label="person", box=(100.0, 300.0, 200.0, 600.0), score=0.9, t_first=0.0, t_last=0.0)


class Watch:
    """The gate and the planner of one camera at 5 fps, which have looked at `scene` until nothing in it was new."""

    def __init__(self, scene):
        self.gate = MotionGate(MotionSettings(), idle_interval_s=10.0)
        self.planner = RegionPlanner(input_px=320, min_object_px=40, max_crops=4, idle_interval_s=10.0)
        self.camera, self.t = Camera(), 0.0
        for _ in range(60):
            self.see(scene)
            self.t += 3.8

    def see(self, scene, tracks=()):
        """Return whether a crop of the next frame holds `PLACE`."""
        motion = self.gate.update(self.camera.plane(scene), self.t, SIZE, tracks)
        crops = self.planner.plan(motion, tracks, SIZE, self.t)
        self.t += 0.2
        return any(holds(crop, PLACE) for crop in crops)

    def looks(self, scene, seconds, tracks=()):
        """Return in how many frames a crop holds `PLACE`."""
        return sum(self.see(scene, tracks) for _ in range(round(seconds * 5)))


def test_who_came_during_a_hole_in_the_stream_is_looked_at_at_once():
    watch = Watch(EMPTY)
    watch.t += 6.0
    assert watch.looks(STANDS, 3.0) >= 2


@pytest.mark.parametrize("tracks", [(), (WALKER,)])
def test_whom_the_light_shows_is_looked_at_at_once_even_while_somebody_is_followed(tracks):
    watch = Watch(DARK)
    assert watch.looks(DARK, 1.0, tracks) == 0
    assert watch.looks(STANDS, 3.0, tracks) >= 1


def test_where_pictures_are_far_apart_every_place_gets_its_turn():
    watch = Watch(EMPTY)
    seen = []
    for _ in range(40):
        watch.t += 5.1
        seen.append(watch.see(STANDS))
    assert sum(seen[:20]) >= 2
    assert sum(seen[20:]) >= 2
