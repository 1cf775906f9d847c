"""Moving blobs without a detector."""

import numpy as np
import pytest

from benchmarks.blobs import Blobs

SIZE = (640, 360)


def street(x=None, width=60):
    """A plane (180, 320) with a bright car whose left edge is at x."""
    plane = np.random.default_rng(3).integers(90, 110, (180, 320)).astype(np.uint8)
    if x is not None:
        plane[80:120, max(0, x) : max(0, x + width)] = 220
    return plane


def watch(planes, fps=5.0):
    blobs = Blobs()
    return [blobs.update(plane, i / fps, SIZE) for i, plane in enumerate(planes)]


def test_a_car_is_one_blob_where_it_is():
    found = watch([street()] * 20 + [street(40 + 10 * i) for i in range(15)])
    assert [len(boxes) for boxes in found[:20]] == [0] * 20
    for i, boxes in enumerate(found[20:]):
        x = 2 * (40 + 10 * i)
        assert boxes == pytest.approx(np.array([[x, 160, x + 120, 240]]), abs=8)


def test_a_change_of_light_is_no_blob():
    brighter = street().astype(int) + 30
    assert [len(boxes) for boxes in watch([street()] * 20 + [brighter.astype(np.uint8)] * 10)] == [0] * 30


def test_what_parks_becomes_background():
    found = watch([street()] * 20 + [street(100)] * 80)
    assert len(found[30]) == 1
    assert len(found[-1]) == 0


def test_where_a_car_stood_at_first_nothing_is_seen_for_long_after_it_left():
    found = watch([street(100)] * 20 + [street()] * 80)
    assert len(found[25]) == 1
    assert len(found[-1]) == 0
