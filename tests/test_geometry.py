"""Geometry of zones and lines, and of the ground."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from surveil import geometry as g

SQUARE = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
HORSESHOE = ((0, 0), (1, 0), (1, 1), (0.7, 1), (0.7, 0.3), (0.3, 0.3), (0.3, 1), (0, 1))
unit = st.floats(0, 1)
points = st.tuples(unit, unit)
boxes = st.tuples(unit, unit, unit, unit).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))


@pytest.mark.parametrize(
    ("point", "expected"),
    [((0.5, 0.5), True), ((0.1, 0.5), False), ((0.2, 0.5), True), ((0.8, 0.8), True), ((0.5, 0.81), False)],
)
def test_the_border_belongs_to_a_zone(point, expected):
    assert g.inside(point, SQUARE) is expected


def test_the_gap_of_a_horseshoe_is_outside():
    assert not g.inside((0.5, 0.7), HORSESHOE)
    assert g.inside((0.15, 0.7), HORSESHOE)


@given(points)
def test_what_is_inside_does_not_depend_on_where_the_polygon_begins(point):
    turned = HORSESHOE[3:] + HORSESHOE[:3]
    assert g.inside(point, HORSESHOE) == g.inside(point, turned) == g.inside(point, turned[::-1])


@given(points, points, points)
def test_turning_a_line_round_swaps_its_sides(a, b, point):
    assert g.signed_distance((a, b), point) == pytest.approx(-g.signed_distance((b, a), point), abs=1e-9)


def test_segments_meet_where_they_touch_but_not_beyond_their_ends():
    assert g.meet(((0, 0), (1, 1)), ((0, 1), (1, 0)))
    assert g.meet(((0, 0), (1, 1)), ((1, 1), (2, 0)))
    assert not g.meet(((0, 0), (1, 1)), ((2, 0), (1.2, 3)))
    assert not g.meet(((0, 0), (1, 0)), ((2, 0), (3, 0)))


def test_a_bow_tie_is_not_simple():
    assert g.self_intersection(HORSESHOE) is None
    assert g.self_intersection(((0, 0), (1, 1), (1, 0), (0, 1))) == (1, 3)


@given(boxes, boxes)
def test_overlap_is_mutual_and_between_nothing_and_all(a, b):
    assert g.iou(a, b) == g.iou(b, a)
    assert 0 <= g.iou(a, b) <= 1 + 1e-9


def test_a_homography_takes_its_four_points_to_the_ground():
    image, ground = ((0.4, 0.3), (0.6, 0.3), (0.9, 0.9), (0.1, 0.9)), ((0, 0), (4, 0), (4, 20), (0, 20))
    matrix = g.homography(image, ground)
    for point, expected in zip(image, ground, strict=True):
        assert g.to_ground(matrix, point) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("image", [SQUARE[:3], ((0, 0), (0.5, 0.5), (1, 1), (0, 1))])
def test_points_that_give_no_plane_are_refused(image):
    with pytest.raises(ValueError, match=r"four points|one line"):
        g.homography(image, ((0, 0), (1, 0), (1, 1), (0, 1)))


@given(points)
def test_the_ground_is_where_straight_lines_stay_straight(point):
    matrix = g.homography(
        ((0.4, 0.3), (0.6, 0.3), (0.9, 0.9), (0.1, 0.9)), ((0, 0), (4, 0), (4, 20), (0, 20))
    )
    a, b = g.to_ground(matrix, point), g.to_ground(matrix, (point[0] + 0.01, point[1]))
    assume(all(math.isfinite(v) and abs(v) < 1e6 for v in (*a, *b)))
    assert a[1] == pytest.approx(b[1], rel=1e-6, abs=1e-6)
