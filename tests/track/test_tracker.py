"""One id per object, whatever the frame rate, the gate and the detector's mood."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surveil.track.settings import TrackSettings
from surveil.track.tracker import Tracker
from surveil.types import Detections

LABELS = ("person", "car", "truck")


def seen(*boxes, score=0.9, label=0):
    """Detections of boxes given as x1 y1 x2 y2, all of one score and class unless lists are given."""
    n = len(boxes)
    scores = score if isinstance(score, list) else [score] * n
    classes = label if isinstance(label, list) else [label] * n
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(classes, np.int32)
    )


def walker(x, y=200.0, height=80.0):
    return (x, y, x + height * 0.4, y + height)


def follow(script, **kind):
    """Feed (t, detections, regions…) and return the tracks of every frame."""
    tracker = Tracker(TrackSettings(**kind))
    return [tracker.update(found, t, LABELS, *rest) for t, found, *rest in script]


def ids(frames):
    return [[track.id for track in tracks] for tracks in frames]


def test_the_second_sure_detection_makes_a_track_and_ids_begin_at_one():
    frames = follow([(0.0, seen(walker(100))), (0.2, seen(walker(110))), (0.4, seen(walker(120)))])
    assert ids(frames) == [[], [1], [1]]
    assert frames[1][0].t_first == 0.0


def test_what_was_found_once_waits_for_another_look():
    tracker = Tracker(TrackSettings())
    tracker.update(seen(walker(100)), 0.0, LABELS)
    assert [(track.id, track.is_settled) for track in tracker.doubtful] == [(0, False)]
    tracker.update(seen(walker(104)), 0.2, LABELS)
    assert tracker.doubtful == ()


def test_what_looks_do_not_make_any_surer_waits_for_none():
    tracker = Tracker(TrackSettings())
    for i in range(5):
        tracker.update(seen(walker(100), score=0.5), i / 5, LABELS)
    assert tracker.doubtful == ()


@pytest.mark.parametrize("fps", [2.0, 5.0, 12.5, 30.0])
@pytest.mark.parametrize("speed", [0.0, 30.0, 70.0])
def test_a_walker_keeps_his_id_at_any_frame_rate(fps, speed):
    frames = follow([(i / fps, seen(walker(50 + speed * i / fps))) for i in range(round(8 * fps))])
    assert {number for found in ids(frames) for number in found} == {1}


@given(st.lists(st.floats(0.03, 0.6), min_size=20, max_size=60))
@settings(max_examples=30, deadline=None)
def test_dropped_frames_do_not_break_an_id(gaps):
    times = np.cumsum(gaps)
    frames = follow([(float(t), seen(walker(50 + 50 * float(t)))) for t in times])
    assert ids(frames)[1:] == [[1]] * (len(gaps) - 1)


@pytest.mark.parametrize(("side", "is_there"), [(640, True), (130, False)])
def test_somebody_small_is_missed_by_close_looks_only(side, is_there):
    found = [(i / 5, seen(walker(100), score=0.7)) for i in range(50)]
    look = np.array([[100, 200, 100 + side, 200 + side]], np.float32)
    frames = follow([*found, *((10 + i / 5, seen(), look, (1280, 720)) for i in range(50))])
    assert [track.id for track in frames[-1]] == [1] * is_there


def test_who_is_missed_goes_on_and_keeps_his_size():
    comes = [(i / 5, seen(walker(100 + 20 * i, height=60.0 + 10 * i))) for i in range(15)]
    frames = follow([*comes, *((3 + i / 5, seen()) for i in range(5))], coast_s=2.0)
    (last,), *missed = (tracks for tracks in frames[14:] if tracks)
    assert missed[-1][0].box[0] > last.box[0] + 20
    heights = [track.box[3] - track.box[1] for (track,) in missed]
    assert max(heights) - min(heights) < 1


def test_two_who_pass_each_other_keep_their_ids():
    frames = follow([(i / 5, seen(walker(100 + 10 * i), walker(500 - 10 * i, y=230))) for i in range(41)])
    at_the_end = {track.id: track.box[0] for track in frames[-1]}
    assert at_the_end[1] == pytest.approx(500, abs=10)
    assert at_the_end[2] == pytest.approx(100, abs=10)


def test_an_occlusion_of_a_second_and_a_half_does_not_break_an_id():
    frames = follow([(i / 5, seen() if 10 <= i < 17 else seen(walker(50 + 8 * i))) for i in range(30)])
    assert ids(frames)[-1] == [1]


def test_an_object_that_is_gone_is_forgotten_and_the_next_one_is_new():
    script = [(i / 5, seen(walker(100)) if i < 10 or i > 40 else seen()) for i in range(50)]
    frames = follow(script)
    assert ids(frames)[38] == []
    assert ids(frames)[-1] == [2]


def test_weak_detections_continue_a_track_but_start_none():
    strong = [(i / 5, seen(walker(100))) for i in range(5)]
    weak = [(i / 5, seen(walker(100), walker(400), score=[0.3, 0.3])) for i in range(5, 30)]
    assert ids(follow(strong + weak))[-1] == [1]


def test_a_doubtful_object_is_believed_only_when_it_moves():
    post = [(i / 5, seen(walker(100), score=0.55)) for i in range(50)]
    assert ids(follow(post)) == [[]] * 50
    moving = [(i / 5, seen(walker(100 + 6 * i), score=0.55)) for i in range(50)]
    assert ids(follow(moving))[-1] == [1]


def test_frames_that_nobody_looked_at_hold_a_track_where_it_is():
    script = [(i / 5, seen(walker(100))) for i in range(30)] + [(6 + i / 5, None) for i in range(300)]
    frames = follow(script)
    assert ids(frames)[-1] == [1]
    assert frames[-1][0].box == pytest.approx(walker(100), abs=1)
    assert frames[-1][0].t_last == 5.8
    assert frames[-1][0].stationary


def test_a_held_track_goes_when_the_detector_looks_again_and_finds_nothing():
    tracker = Tracker(TrackSettings())
    for i in range(30):
        tracker.update(seen(walker(100)), i / 5, LABELS)
    for i in range(100):
        assert tracker.update(None, 6 + i / 5, LABELS)
    assert tracker.update(seen(), 26.0, LABELS)
    assert tracker.update(None, 26.2, LABELS)
    assert not tracker.update(seen(), 31.0, LABELS)


def test_a_held_track_takes_up_its_object_again():
    script = [(i / 5, seen(walker(100))) for i in range(30)] + [(6.0 + i, None) for i in range(60)]
    assert ids(follow([*script, (66.0, seen(walker(103)))]))[-1] == [1]


def test_where_the_detector_did_not_look_absence_means_nothing():
    elsewhere = np.array([[400, 0, 600, 400]], np.float32)
    there = np.array([[0, 0, 300, 400]], np.float32)
    start = [(i / 5, seen(walker(100))) for i in range(10)]
    unseen = [(2 + i / 5, seen(), elsewhere) for i in range(50)]
    assert ids(follow(start + unseen))[-1] == [1]
    looked = [(2 + i / 5, seen(), there) for i in range(50)]
    assert ids(follow(start + looked))[-1] == []


WIDTH, SIZE = 640, (640, 400)
WHOLE = np.array([[0, 0, *SIZE]], np.float32)


def at_edge(x, speed, t):
    """What the detector finds at `t` of somebody who is at `x` at 0 s: the part in the picture, if there is any."""
    x1, y1, x2, y2 = walker(x + speed * t)
    return seen((max(0.0, x1), y1, min(x2, float(WIDTH)), y2)) if x1 < WIDTH - 8 and x2 > 8 else seen()


@pytest.mark.parametrize("fps", [3.0, 5.0, 15.0])
def test_who_comes_in_where_somebody_has_just_left_is_somebody_else(fps):
    tracker, tracks, numbers = Tracker(TrackSettings()), (), []
    for i in range(round(9 * fps)):
        t = i / fps
        found = at_edge(500, 60.0, t) if t < 4 else at_edge(632, -60.0, t - 4)
        # The gate closes when nothing moves and nobody is followed.
        tracks = tracker.update(found if len(found) or tracks else None, t, LABELS, WHOLE, SIZE)
        numbers += [track.id for track in tracks]
    assert sorted(set(numbers)) == [1, 2]


def test_who_stands_half_in_the_picture_keeps_his_id_while_nobody_looks():
    script = [(i / 5, at_edge(620, 0.0, 0.0), WHOLE, SIZE) for i in range(20)]
    script += [(4 + i / 5, None, None, SIZE) for i in range(100)]
    assert ids(follow([*script, (24.0, at_edge(620, 0.0, 0.0), WHOLE, SIZE)]))[-1] == [1]


def test_a_long_gap_of_the_stream_keeps_what_stood_still_and_forgets_what_moved():
    both = [(i / 5, seen(walker(100), walker(200 + 8 * i))) for i in range(40)]
    frames = follow([*both, (60.0, seen(walker(100), walker(512))), (60.2, seen(walker(100), walker(520)))])
    assert ids(frames)[-1] == [1, 3]


def test_the_label_is_what_most_of_the_evidence_says():
    box = (100.0, 100.0, 200.0, 160.0)
    labels = [1, 1, 2, 1, 1, 2, 2, 1]
    frames = follow([(i / 5, seen(box, label=label)) for i, label in enumerate(labels)])
    assert [(track.id, track.label) for track in frames[-1]] == [(1, "car")]


def test_one_object_seen_as_two_classes_is_one_track():
    box = (100.0, 100.0, 200.0, 160.0)
    frames = follow([(i / 5, seen(box, box, score=[0.9, 0.7], label=[1, 2])) for i in range(10)])
    assert ids(frames)[-1] == [1]


def test_stationary_is_what_has_not_moved_for_long_enough():
    tracker = Tracker(TrackSettings(stationary_s=2.0))
    still = [tracker.update(seen(walker(100 + (i % 2))), i / 5, LABELS) for i in range(20)]
    assert [bool(tracks and tracks[0].stationary) for tracks in still] == [False] * 10 + [True] * 10
    moved = [tracker.update(seen(walker(100 + 12 * i)), 4 + i / 5, LABELS) for i in range(6)]
    assert moved[-1][0].stationary is False


def test_what_moves_or_is_missed_wants_a_look():
    tracker = Tracker(TrackSettings(stationary_s=1.0))
    for i in range(10):
        tracks = tracker.update(seen(walker(100), walker(300 + 20 * i)), i / 5, LABELS)
    assert [track.is_settled for track in tracks] == [True, False]
    tracks = tracker.update(seen(walker(500)), 2.0, LABELS)
    assert [track.is_settled for track in tracks] == [False, False]


def test_the_velocity_is_in_pixels_a_second():
    frames = follow([(i / 5, seen(walker(50 + 12 * i))) for i in range(30)])
    assert frames[-1][0].velocity == pytest.approx((60, 0), abs=3)


def test_previous_is_where_it_was_in_the_frame_before():
    frames = follow([(i / 5, seen(walker(50 + 12 * i))) for i in range(10)])
    assert frames[-1][0].previous == frames[-2][0].box


def test_a_change_of_resolution_keeps_ids_and_scales_boxes():
    tracker = Tracker(TrackSettings())
    for i in range(10):
        tracker.update(seen(walker(100)), i / 5, LABELS)
    tracker.rescale(0.5, 0.5)
    small = tuple(v / 2 for v in walker(100))
    (track,) = tracker.update(seen(small), 2.0, LABELS)
    assert track.id == 1
    assert track.box == pytest.approx(small, abs=1)


@pytest.mark.parametrize("pace", [0.0, 6.0], ids=["stands", "walks"])
def test_after_a_change_of_resolution_it_is_as_if_all_had_been_seen_in_the_new_one(pace):
    """Place, speed and their uncertainty, and since when it has stood."""
    changed, small = Tracker(TrackSettings()), Tracker(TrackSettings())
    for i in range(60):
        whole = walker(100 + pace * i)
        half = tuple(v / 2 for v in whole)
        if i == 30:
            changed.rescale(0.5, 0.5)
        (one,) = changed.update(seen(half if i >= 30 else whole), i / 5, LABELS) or (None,)
        (other,) = small.update(seen(half), i / 5, LABELS) or (None,)
        if i >= 30:
            assert one.box == pytest.approx(other.box, abs=0.05)
            assert one.velocity == pytest.approx(other.velocity, abs=0.05)
            assert one.stationary == other.stationary


@given(st.lists(st.lists(st.integers(0, 600), max_size=5), min_size=2, max_size=25))
@settings(max_examples=40, deadline=None)
def test_the_same_detections_give_the_same_tracks(script):
    frames = [(i / 5, seen(*[walker(float(x)) for x in xs])) for i, xs in enumerate(script)]
    assert follow(frames) == follow(frames)


@given(st.lists(st.lists(st.integers(0, 600), max_size=5), min_size=2, max_size=25))
@settings(max_examples=40, deadline=None)
def test_ids_are_unique_in_a_frame_and_never_used_again(script):
    frames = follow([(i / 5, seen(*[walker(float(x)) for x in xs])) for i, xs in enumerate(script)])
    born = []
    for numbers in ids(frames):
        assert len(set(numbers)) == len(numbers)
        born += [n for n in numbers if n not in born]
    assert born == sorted(born)
