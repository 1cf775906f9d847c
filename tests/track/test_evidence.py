"""What speaks for a new object over time: that it came, that it moves by itself, that it is found again and again."""

import numpy as np
import pytest

from surveil.track.settings import TrackSettings
from surveil.track.tracker import Tracker
from surveil.types import GateDecision, Motion
from tests.track.test_tracker import LABELS, SIZE, WHOLE, seen, walker

PLACE = walker(300)


def moving(*boxes, share=0.05, changed=None):
    return Motion(GateDecision.MOTION, np.array(boxes, np.float32).reshape(-1, 4), share, changed)


def differs(*boxes):
    """Where the picture differs from before, in cells of 8 px."""
    cells = np.zeros((SIZE[1] // 8, SIZE[0] // 8), bool)
    for x1, y1, x2, y2 in boxes:
        cells[int(y1) // 8 : int(y2) // 8, int(x1) // 8 : int(x2) // 8] = True
    return cells


STILL = moving(share=0.0)


class Camera:
    """A tracker that is told what moves, and what it made of it."""

    def __init__(self, fps=5.0, **settings):
        self.tracker, self.dt, self.t, self.tracks = Tracker(TrackSettings(**settings)), 1 / fps, 0.0, ()

    def show(self, seconds, found, motion=STILL):
        for _ in range(round(seconds / self.dt)):
            self.tracks = self.tracker.update(found, self.t, LABELS, WHOLE, SIZE, motion=motion)
            self.t += self.dt
        return self

    @property
    def labels(self):
        return [track.label for track in self.tracks]


def part(box, share=0.3):
    """The upper part of a box, slightly smaller: a head that turns."""
    x1, y1, x2, y2 = box
    return (x1 + 2, y1 + 2, x2 - 2, y1 + (y2 - y1) * share)


@pytest.mark.parametrize("fps", [3.0, 5.0, 15.0])
def test_who_came_and_is_found_again_and_again_is_believed_although_no_look_is_sure(fps):
    camera = Camera(fps).show(3, seen()).show(1, seen(), moving(PLACE))
    assert camera.show(1.5, seen(PLACE, score=0.35)).labels == []
    assert camera.show(1.5, seen(PLACE, score=0.35)).labels == ["person"]


def test_what_was_always_there_is_not_believed_for_faint_looks_however_many():
    assert Camera().show(60, seen(PLACE, score=0.35)).labels == []


def test_who_was_always_there_is_believed_once_he_moves_by_himself():
    camera = Camera().show(10, seen(PLACE, score=0.4))
    for _ in range(3):
        camera.show(1, seen(PLACE, score=0.4), moving(part(PLACE))).show(4, seen(PLACE, score=0.4))
    assert camera.labels == ["person"]


def test_somebody_who_passes_in_front_is_no_movement_of_what_is_behind():
    camera = Camera().show(10, seen(PLACE, score=0.4))
    for x in range(0, 640, 8):
        camera.show(0.2, seen(PLACE, score=0.4), moving(walker(x, y=150, height=200)))
    assert camera.labels == []


@pytest.mark.parametrize(("left_behind", "labels"), [([PLACE], ["person"]), ([], [])])
def test_what_is_first_found_after_somebody_passed_must_look_other_than_before(left_behind, labels):
    after = moving(share=0.0, changed=differs(*left_behind))
    camera = Camera().show(3, seen()).show(1, seen(), moving(PLACE, changed=differs(PLACE)))
    assert camera.show(8, seen(PLACE, score=0.35), after).labels == labels


def test_furniture_in_a_place_that_never_moved_needs_more_than_a_certain_look():
    assert Camera().show(30, seen(PLACE, score=0.7)).labels == []
    assert Camera().show(1, seen(PLACE, score=0.9)).labels == ["person"]


def test_a_car_may_have_stood_there_for_days():
    assert Camera().show(1, seen(PLACE, score=0.7, label=1)).labels == ["car"]


def test_who_came_needs_one_certain_look_as_before():
    camera = Camera().show(3, seen()).show(1, seen(), moving(PLACE))
    assert camera.show(0.4, seen(PLACE, score=0.7)).labels == ["person"]


def test_without_word_of_what_moves_the_score_decides_alone():
    assert Camera().show(1, seen(PLACE, score=0.7), None).labels == ["person"]
    assert Camera().show(60, seen(PLACE, score=0.35), None).labels == []


def test_a_change_of_the_whole_picture_is_nobody_who_came():
    camera = Camera().show(3, seen()).show(1, seen(), moving((0, 0, *SIZE), share=1.0))
    assert camera.show(10, seen(PLACE, score=0.35)).labels == []


def test_pictures_that_are_far_apart_do_not_say_what_moved():
    assert Camera(fps=0.125, confirm_hits=1).show(16, seen(PLACE, score=0.7)).labels == ["person"]


def test_high_score_one_starts_nothing_faint():
    camera = Camera(high_score=1.0, certain_score=1.0).show(3, seen()).show(1, seen(), moving(PLACE))
    assert camera.show(10, seen(PLACE, score=0.95)).labels == []


def test_a_faint_part_of_somebody_who_is_followed_is_nobody_else():
    camera = Camera().show(3, seen()).show(1, seen(), moving(PLACE)).show(1, seen(PLACE))
    both = seen(PLACE, part(PLACE, 0.5), score=[0.9, 0.4])
    assert camera.show(5, both, moving(PLACE)).labels == ["person"]


def test_a_still_scene_asks_for_no_further_look_and_remembers_until_the_next():
    camera = Camera().show(3, seen())
    camera.show(0.2, seen(PLACE, score=0.9))
    assert camera.tracker.doubtful == ()
    camera.show(9.8, None)
    assert camera.show(0.2, seen(PLACE, score=0.9)).labels == ["person"]


def test_who_came_is_looked_at_until_he_is_believed_but_not_for_long():
    camera = Camera(confirm_hits=20).show(3, seen()).show(1, seen(), moving(PLACE))
    camera.show(0.4, seen(PLACE, score=0.35))
    assert len(camera.tracker.doubtful) == 1
    camera.show(6, None)
    camera.show(0.2, seen(PLACE, score=0.35))
    assert camera.tracker.doubtful == ()


def test_who_left_the_picture_is_gone_although_nothing_moves_where_he_should_be():
    tracker, tracks = Tracker(TrackSettings()), []
    for i in range(60):
        t = i / 5
        at = walker(SIZE[0] - 150 + 100 * t)
        here = at[2] < SIZE[0]
        found = seen(at) if here else seen()
        tracks.append(tracker.update(found, t, LABELS, WHOLE, SIZE, motion=moving(at) if here else STILL))
    assert tracks[3]
    assert not any(tracks[12:])


@pytest.mark.parametrize(("hole_s", "labels"), [(4.0, ["person"]), (6.0, [])])
def test_in_an_untouched_place_he_is_overlooked_unless_nobody_saw_whether_he_left(hole_s, labels):
    near = walker(300, y=100, height=300)
    camera = Camera().show(20, seen(near))
    camera.t += hole_s
    assert camera.show(0.2, None).show(10, seen()).labels == labels
