"""The place of an object that stood still looks as it did, or it does not."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

from surveil.types import Frame, GateDecision, Motion, Track
from surveil.vision.unchanged import UnchangedPlaces
from tests.vision.drawn import SIZE, Camera, ground, person

EMPTY = ground()
STANDS, BOX = person(EMPTY, 400, 500, 120)
NOTHING = np.zeros((0, 4), np.float32)


@dataclass
class View:
    """One drawn frame."""

    frame: Frame
    scene: np.ndarray
    tracks: tuple[Track, ...]
    motion: Motion
    camera: Camera

    def luma(self, width, height):
        return self.camera.plane(self.scene, (width, height))


def standing(t_last, box=BOX):
    return (Track(id=7, label="person", box=box, score=0.9, t_first=0.0, t_last=t_last, stationary=True),)


class Watch:
    """Feeds scenes at 5 fps; the object is found as long as it is said to be."""

    def __init__(self, noise=2.0):
        self.places, self.camera, self.t, self.t_found = UnchangedPlaces(40), Camera(noise=noise), 0.0, 0.0

    def see(self, scene, found=False, gate=GateDecision.IDLE, tracks=None):
        picture = SimpleNamespace(width=scene.shape[1], height=scene.shape[0])
        frame = Frame(camera="gate", seq=0, t=self.t, t_wall=self.t, picture=picture)
        known = standing(self.t_found) if tracks is None else tracks
        view = View(frame, scene, known, Motion(gate, NOTHING, 0.0), self.camera)
        said = self.places.observe(view)
        if found:
            self.t_found = self.t
        self.t = round(self.t + 0.2, 3)
        return said.ids


def found_once(noise=2.0, scene=STANDS):
    watch = Watch(noise)
    watch.see(scene, found=True)
    return watch


def lit(scene, gain, offset):
    return np.clip(scene * gain + offset, 0, 255)


@pytest.mark.parametrize("noise", [1.0, 4.0])
def test_a_place_where_nothing_happens_is_unchanged_for_as_long_as_that_is_so(noise):
    watch = found_once(noise)
    assert {watch.see(STANDS) for _ in range(50)} == {frozenset({7})}


@pytest.mark.parametrize("level", [40.0, 90.0, 200.0])
def test_a_place_that_its_object_has_left_is_not(level):
    watch = found_once(scene=person(EMPTY, 400, 500, 120, level)[0])
    assert {watch.see(EMPTY) for _ in range(10)} == {frozenset()}


def test_light_that_changes_evenly_changes_no_place():
    watch = found_once()
    assert watch.see(lit(STANDS, 0.6, 0)) == {7}
    assert watch.see(lit(STANDS, 1.2, 15)) == {7}


def test_a_place_that_was_hidden_for_a_while_is_unchanged_afterwards():
    watch = found_once()
    in_front = person(STANDS, 410, 520, 140, level=200.0)[0]
    assert watch.see(in_front) == frozenset()
    assert watch.see(STANDS) == {7}


def test_the_place_is_that_of_the_last_find():
    watch = found_once()
    moved = person(EMPTY, 460, 500, 120)[0]
    watch.see(moved, found=True, tracks=standing(0.0))
    there = (430 + 30 - 20.4, 380.0, 460 + 20.4, 500.0)
    assert watch.see(moved, tracks=standing(0.2, there)) == {7}
    assert watch.see(STANDS, tracks=standing(0.2, there)) == frozenset()


def test_nothing_is_said_of_a_place_in_which_nothing_can_be_seen():
    watch = found_once(scene=np.full_like(EMPTY, 100.0))
    assert watch.see(np.full_like(EMPTY, 100.0)) == frozenset()


def test_nothing_is_said_of_what_moves_of_what_is_not_followed_any_more_or_while_the_detector_does_not_look():
    watch = found_once()
    assert watch.see(STANDS, gate=GateDecision.CLOSED_STILL) == frozenset()
    assert (
        watch.see(STANDS, tracks=tuple(replace(one, stationary=False) for one in standing(0.0)))
        == frozenset()
    )
    assert watch.see(STANDS) == frozenset()


def test_nothing_is_remembered_over_a_loss_or_a_change_of_resolution():
    watch = found_once()
    watch.places.lost()
    assert watch.see(STANDS) == frozenset()
    watch = found_once()
    assert watch.see(STANDS) == {7}
    half = STANDS[::2, ::2]
    assert watch.see(half, tracks=standing(0.0, tuple(v / 2 for v in BOX))) == frozenset()


def test_a_box_that_reaches_out_of_the_picture_is_compared_within_it():
    scene, (_, y1, _, y2) = person(EMPTY, 10, 500, 120)
    watch = Watch()
    outside = standing(0.0, (-60.0, y1, 30.4, y2))
    watch.see(scene, tracks=outside)
    assert watch.see(scene, tracks=outside) == {7}
    beyond = standing(0.2, (SIZE[0] + 10.0, y1, SIZE[0] + 60.0, y2))
    watch.see(scene, tracks=beyond)
    assert len(watch.see(scene, tracks=beyond)) <= 1
