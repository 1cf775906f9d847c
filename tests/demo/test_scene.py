"""The drawn yard: deterministic, true to its own ground truth, and full of what a detector calls people."""

from dataclasses import replace

import av
import cv2
import numpy as np
import pytest

from surveil.capture.picture import ArrayPicture
from surveil.demo.clip import write_clip
from surveil.demo.gait import walking
from surveil.demo.scene import DrawnScene
from surveil.detect.settings import ModelSettings
from surveil.models.store import ModelStore, open_detector


def small(seconds=6.0):
    return DrawnScene.passing(seed=3, size=(320, 180), people=1, seconds=seconds)


def test_frames_are_the_same_whatever_was_asked_before():
    first, second = small(), small()
    expected = [first.frame(i) for i in range(40, 44)]
    assert all(np.array_equal(second.frame(i), expected[i - 40]) for i in (43, 40, 42, 41))


def test_nobody_is_in_the_picture_at_both_ends_so_that_a_clip_can_loop():
    scene = DrawnScene.default(seed=0, size=(320, 180), seconds=25.0)
    assert scene.truth(0) == ()
    assert scene.truth(scene.frames - 1) == ()
    assert len(scene.walkers) >= 3


def test_the_box_encloses_what_differs_from_the_empty_scene():
    scene = replace(small(), noise=0.0)
    i = next(i for i in range(scene.frames) if scene.truth(i) and scene.truth(i)[0].visible == 1.0)
    empty = replace(scene, walkers=())
    changed = cv2.absdiff(scene.frame(i), empty.frame(i)).max(-1) > 60
    rows, cols = np.nonzero(changed)
    box = scene.truth(i)[0].box
    assert abs(rows.min() - box[1]) <= 3
    assert cols.min() >= box[0] - 3


def test_people_who_pass_cross_the_line_once_each_in_turn_to_both_sides():
    scene = DrawnScene.passing(seed=1, size=(320, 180), people=3)
    assert [(c.walker, c.direction) for c in scene.crossings("gate")] == [
        (0, "right"),
        (1, "left"),
        (2, "right"),
    ]


def test_a_visit_begins_before_the_crossing_in_the_middle_of_the_yard_and_ends_after_it():
    scene = DrawnScene.passing(seed=1, size=(320, 180), people=1)
    (visit,), (crossing,) = scene.visits("yard"), scene.crossings("gate")
    assert visit.t_in < crossing.t < visit.t_out


def test_the_light_steps_when_told():
    scene = replace(DrawnScene.still(size=(160, 90), seconds=2.0), light=((1.0, 0.4),))
    assert scene.frame(20).mean() == pytest.approx(scene.frame(0).mean() * 0.4, rel=0.05)


def test_a_grey_scene_has_no_colour():
    picture = replace(small(), grey=True, noise=0.0).frame(30).astype(int)
    assert np.ptp(picture, axis=-1).max() <= 2


def test_one_foot_is_always_on_the_ground():
    for k in range(20):
        pose = walking(k / 20)
        assert min(pose[j][1] for j in ("heel_l", "heel_r", "toe_l", "toe_r")) == pytest.approx(0.0)


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mjpeg"])
def test_a_clip_has_every_frame_and_key_frames_where_told(tmp_path, codec):
    path = tmp_path / "clip.mkv"
    write_clip(path, small(seconds=1.2), codec=codec, gop=6)
    with av.open(str(path)) as clip:
        keys = [p.is_keyframe for p in clip.demux(video=0) if p.size]
    assert len(keys) == 18
    assert codec == "mjpeg" or [i for i, key in enumerate(keys) if key] == [0, 6, 12]


def iou(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return w * h / (area - w * h) if w > 0 and h > 0 else 0.0


def test_the_default_detector_takes_the_figures_for_people_and_nothing_else(tmp_path):
    detector = open_detector(ModelSettings(threads=1), ModelStore(tmp_path))
    scene = DrawnScene.default(seed=0, seconds=24.0)
    people = hits = strangers = 0
    for i in range(0, scene.frames, 12):
        picture = ArrayPicture(scene.frame(i))
        (found,) = detector.detect([[detector.prepare(picture, (0, 0, picture.width, picture.height))]])
        boxes = [
            b for b, s, c in zip(found.boxes, found.scores, found.classes, strict=True)
            if s >= 0.5 and detector.labels[c] == "person"
        ]  # fmt: skip
        truth = scene.truth(i)
        seen = [f for f in truth if f.visible >= 0.8]
        people += len(seen)
        hits += sum(any(iou(b, f.box) > 0.5 for b in boxes) for f in seen)
        strangers += sum(all(iou(b, f.box) < 0.3 for f in truth) for b in boxes)
    assert people >= 20
    assert hits / people >= 0.9
    assert strangers == 0
