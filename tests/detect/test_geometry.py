"""Letterbox, suppression and merging of crops, against literals and properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveil.detect.letterbox import InputPlacement, fit, letterbox
from surveil.detect.merge import iou, merge, suppress
from surveil.detect.spec import InputSpec, Preprocess
from surveil.types import Detections
from tests.detect.tiny import Shot, grey


def spec(width=64, height=64, layout="nchw", dtype="float32", **policies):
    return InputSpec(
        name="images",
        width=width,
        height=height,
        layout=layout,
        dtype=dtype,
        batch=None,
        preprocess=Preprocess(**policies),
    )


def found(*objects):
    """Each: (x1, y1, x2, y2, score, class)."""
    table = np.array(objects, np.float32).reshape(-1, 6)
    return Detections(table[:, :4].copy(), table[:, 4].copy(), table[:, 5].astype(np.int32))


def as_list(detections):
    return [
        (*box, round(score, 3), kind)
        for box, score, kind in zip(
            detections.boxes.tolist(), detections.scores.tolist(), detections.classes.tolist(), strict=True
        )
    ]


def stripes():
    """Red on the left, blue on the right; 100 × 50."""
    picture = np.zeros((50, 100, 3), np.uint8)
    picture[:, :50, 0] = 200
    picture[:, 50:, 2] = 100
    return Shot(picture)


def test_a_wide_picture_lies_at_the_top_left_and_the_rest_is_padding():
    s = spec(layout="nhwc", dtype="uint8", placement="top_left", pad=7)
    tensor = np.full(s.shape, 99, np.uint8)
    where = letterbox(s, stripes(), (0, 0, 100, 50), tensor)
    assert where == InputPlacement(crop=(0, 0, 100, 50), left=0, top=0, width=64, height=32)
    assert tensor[0, 0].tolist() == [200, 0, 0]
    assert tensor[31, 63].tolist() == [0, 0, 100]
    assert (tensor[32:] == 7).all()


def test_centred_padding_is_on_both_sides():
    s = spec(placement="centre", pad=114, range="0-1")
    tensor = np.zeros(s.shape, np.float32)
    where = letterbox(s, stripes(), (0, 0, 100, 50), tensor)
    assert (where.left, where.top) == (0, 16)
    assert tensor[:, 0, 0] == pytest.approx([114 / 255] * 3)
    assert tensor[:, 63, 63] == pytest.approx([114 / 255] * 3)
    assert tensor[:, 16, 0] == pytest.approx([200 / 255, 0, 0])


def test_bgr_and_imagenet_ranges_are_per_channel():
    s = spec(channels="bgr", range="imagenet", placement="stretch")
    tensor = np.zeros(s.shape, np.float32)
    letterbox(s, stripes(), (0, 0, 100, 50), tensor)
    assert tensor[:, 0, 0] == pytest.approx(
        [-103.53 / 57.375, -116.28 / 57.12, (200 - 123.675) / 58.395], rel=1e-5
    )


def test_what_a_reused_tensor_held_is_gone():
    s = spec(layout="nhwc", dtype="uint8", placement="top_left", pad=7)
    tensor = np.zeros(s.shape, np.uint8)
    letterbox(s, grey(64, 64), (0, 0, 64, 64), tensor)
    letterbox(s, stripes(), (0, 0, 100, 10), tensor)
    assert not (tensor == 128).any()


def test_an_empty_crop_is_an_error():
    with pytest.raises(ValueError, match="empty crop"):
        fit(spec(), (5, 5, 5, 9))


@given(
    st.tuples(st.integers(0, 900), st.integers(0, 900), st.integers(20, 1000), st.integers(20, 1000)),
    st.sampled_from(["top_left", "centre", "stretch"]),
)
def test_the_corners_of_a_crop_come_back_as_they_went(crop, placement):
    x, y, w, h = crop
    where = fit(spec(320, 320, placement=placement), (x, y, x + w, y + h))
    inside = [where.left, where.top, where.left + where.width, where.top + where.height]
    assert where.to_frame(np.array([inside], np.float32))[0] == pytest.approx([x, y, x + w, y + h], abs=0.01)


def test_overlap_of_boxes():
    a = np.array([[0, 0, 10, 10]], np.float32)
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [3, 3, 3, 3]], np.float32)
    assert iou(a, b)[0] == pytest.approx([1, 1 / 3, 0, 0])


def test_suppression_keeps_the_surest_of_a_class_and_other_classes():
    heap = found(
        (0, 0, 10, 10, 0.5, 0), (1, 0, 11, 10, 0.9, 0), (0, 0, 10, 10, 0.6, 1), (40, 0, 50, 10, 0.3, 0)
    )
    assert as_list(suppress(heap, 0.5)) == [
        (1, 0, 11, 10, 0.9, 0), (0, 0, 10, 10, 0.6, 1), (40, 0, 50, 10, 0.3, 0),
    ]  # fmt: skip


@given(
    st.lists(
        st.tuples(*[st.integers(0, 60)] * 4, st.floats(0.125, 1, width=32), st.integers(0, 1)), max_size=30
    )
)
def test_no_two_survivors_of_a_class_overlap(objects):
    boxes = [(min(a, c), min(b, d), max(a, c) + 1, max(b, d) + 1, s, k) for a, b, c, d, s, k in objects]
    kept = suppress(found(*boxes), 0.5)
    rivals = (iou(kept.boxes, kept.boxes) > 0.5) & (kept.classes[:, None] == kept.classes[None])
    assert rivals.sum() == len(kept)
    assert (np.diff(kept.scores) <= 0).all()


FRAME = (200, 100)
LEFT, RIGHT = (
    InputPlacement(crop=(0, 0, 110, 100), left=0, top=0, width=110, height=100),
    InputPlacement(crop=(90, 0, 200, 100), left=0, top=0, width=110, height=100),
)


def test_an_object_seen_in_two_crops_counts_once():
    merged = merge(
        [(LEFT, found((92, 10, 106, 50, 0.6, 0))), (RIGHT, found((2, 10, 16, 50, 0.8, 0)))], FRAME, 0.5
    )
    assert as_list(merged) == [(92, 10, 106, 50, 0.8, 0)]


def test_a_part_at_the_border_of_a_crop_belongs_to_the_whole_object():
    # Whole in the right crop at 95..150; the left one sees its first 15 px.
    merged = merge(
        [(LEFT, found((95, 10, 110, 50, 0.7, 0))), (RIGHT, found((5, 10, 60, 50, 0.6, 0)))], FRAME, 0.5
    )
    assert as_list(merged) == [(95, 10, 150, 50, 0.6, 0)]


def test_two_halves_of_an_object_become_one():
    merged = merge(
        [(LEFT, found((40, 10, 110, 50, 0.7, 0))), (RIGHT, found((0, 11, 60, 50, 0.6, 0)))], FRAME, 0.5
    )
    assert as_list(merged) == [(40, 10, 150, 50, 0.7, 0)]


def test_two_people_at_a_border_stay_two():
    # Their extents across the border differ: one stands far above the other.
    merged = merge(
        [(LEFT, found((80, 0, 110, 30, 0.7, 0))), (RIGHT, found((0, 60, 30, 100, 0.6, 0)))], FRAME, 0.5
    )
    assert len(merged) == 2


def test_the_border_of_the_frame_cuts_nothing():
    whole = InputPlacement(crop=(0, 0, 200, 100), left=0, top=0, width=200, height=100)
    merged = merge(
        [(whole, found((150, 10, 200, 90, 0.7, 0))), (whole, found((160, 20, 200, 80, 0.6, 1)))], FRAME, 0.5
    )
    assert len(merged) == 2


def test_nothing_found_in_any_crop_is_nothing():
    assert len(merge([(LEFT, found()), (RIGHT, found())], FRAME, 0.5)) == 0
