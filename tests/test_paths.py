"""Ids break; crossings and stays are neither lost nor counted twice for it."""

import pytest

from surveil.movement import Crossings, Identities, Visits
from surveil.types import Track

SIZE = (1000, 500)
DOOR = ((0.5, 0.0), (0.5, 1.0))


def track(number, x, label="person", y=300.0):
    return Track(number, label, (x - 20, y - 100, x + 20, y), 0.9, 0.0, 0.0)


def test_a_track_that_appears_where_one_vanished_is_the_same_object():
    identities = Identities()
    first = identities.update([track(1, 100)], 0.0)
    assert identities.update([track(2, 150)], 1.0) == {2: first[1]}


@pytest.mark.parametrize(
    ("other", "t"), [(track(2, 400), 1.0), (track(2, 110, "car"), 1.0), (track(2, 110), 3.0)]
)
def test_far_away_of_another_class_or_much_later_it_is_somebody_else(other, t):
    identities = Identities()
    first = identities.update([track(1, 100)], 0.0)
    assert identities.update([other], t)[2] != first[1]


def test_two_who_are_there_at_once_are_never_one():
    identities = Identities()
    identities.update([track(1, 100)], 0.0)
    identities.update([track(2, 120)], 0.5)
    both = identities.update([track(1, 100), track(2, 130)], 1.0)
    assert both[1] != both[2]


def cross(*script):
    """Feed (t, tracks…) of feet at their x; return the directions of all crossings."""
    crossings, found = Crossings(DOOR), []
    for t, *tracks in script:
        points = [(one, one.foot) for one in tracks]
        found += [way for _, way in crossings.update(points, SIZE, t)]
    return found


def test_a_crossing_during_which_the_id_breaks_is_counted_once():
    assert cross((0.0, track(1, 430)), (0.5, track(1, 480)), (1.0,), (1.5, track(2, 530))) == ["right"]


def test_two_who_meet_on_the_line_cross_once_each():
    script = [(i / 2, track(1, 300 + 20 * i), track(2, 700 - 20 * i, y=330.0)) for i in range(21)]
    assert sorted(cross(*script)) == ["left", "right"]


def test_two_who_stand_on_either_side_do_not_cross_though_one_flickers():
    assert (
        cross(
            *[(i / 5, track(1, 470), track(2, 530)) if i % 3 else (i / 5, track(2, 530)) for i in range(30)]
        )
        == []
    )


def test_a_visit_lasts_from_the_first_moment_to_the_last():
    visits = Visits(patience_s=2.0)
    ended = [
        visit for t in range(20) for visit in visits.update([track(1, 100)] if 3 <= t <= 9 else [], float(t))
    ]
    assert [(visit.since, visit.last, visit.dwell_s) for visit in ended] == [(3.0, 9.0, 6.0)]


def test_visits_that_are_still_on_end_when_cleared():
    visits = Visits(patience_s=2.0)
    visits.update([track(1, 100)], 0.0)
    visits.update([track(1, 100)], 5.0)
    assert [visit.dwell_s for visit in visits.clear()] == [5.0]
    assert visits.clear() == []
