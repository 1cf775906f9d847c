"""Flow is computed where something changed, and says there what it would say of the whole picture."""

import numpy as np
import pytest

from surveil.features.normality.flow import LEAST, ROOM, MotionField, changed_part
from tests.normality.drawn import Walker, frames


def changed(*spots: tuple[int, int]) -> np.ndarray:
    plane = np.zeros((120, 212), np.uint8)
    for y, x in spots:
        plane[y : y + 4, x : x + 3] = 1
    return plane


def test_what_changed_has_room_around_it():
    rows, columns = changed_part(changed((50, 100), (60, 110)))
    assert rows.start <= 50 - ROOM
    assert rows.stop >= 64 + ROOM
    assert columns.start <= 100 - ROOM
    assert columns.stop >= 113 + ROOM
    assert (rows.stop - rows.start) * (columns.stop - columns.start) < 0.3 * 120 * 212


@pytest.mark.parametrize("spot", [(0, 0), (116, 0), (0, 209), (116, 209), (50, 100)])
def test_no_part_is_too_small_for_the_pyramid_and_none_leaves_the_picture(spot):
    plane = changed(spot)
    rows, columns = changed_part(plane)
    assert 0 <= rows.start < rows.stop <= 120
    assert 0 <= columns.start < columns.stop <= 212
    assert rows.stop - rows.start >= LEAST[0]
    assert columns.stop - columns.start >= LEAST[1]
    assert plane[rows, columns].sum() == plane.sum()


def test_a_part_is_no_larger_than_a_small_picture():
    rows, columns = changed_part(np.ones((120, 32), np.uint8))
    assert (rows, columns) == (slice(0, 120), slice(0, 32))


@pytest.mark.parametrize("speed", [30, 60, 110, 150])
def test_a_runner_alone_is_as_fast_as_among_others(speed):
    runner = Walker(100, 120, speed)
    alone = last(runner)
    among = last(runner, Walker(20, 90, 16), Walker(250, 170, 24), Walker(90, 200, -18))
    place = np.s_[50:70, int(100 + 0.9 * speed) // 2 - 12 : int(100 + 0.9 * speed) // 2 + 8]
    for found in (alone, among):
        inside = found[place]
        assert np.median(inside[inside != 0]) == pytest.approx(speed, rel=0.15)


def last(*walkers: Walker) -> np.ndarray:
    """Speeds to the right after a second at 10 frames a second."""
    field = MotionField()
    found = None
    for plane, t in frames(1.0, 10, walkers=walkers):
        found = field.observe(plane, t)
    assert found is not None
    assert found.velocity is not None
    return found.velocity[0].copy()
