"""Ids break; crossings and stays are neither lost nor counted twice for it."""

import random
from dataclasses import replace

import pytest

from surveil.crossings import Crossings
from surveil.geometry import scaled_box
from surveil.movement import Identities, Visits
from surveil.types import Track

SIZE = (1000, 500)
DOOR = ((0.5, 0.0), (0.5, 1.0))
KERB = ((0.0, 0.6), (1.0, 0.6))


def track(number, x, label="person", y=300.0):
    return Track(id=number, label=label, box=(x - 20, y - 100, x + 20, y), score=0.9, t_first=0.0, t_last=0.0)


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


def cross(*script, line=DOOR):
    """Feed (t, tracks…) of feet at their x; return the directions of all crossings."""
    crossings, found = Crossings(line), []
    for t, *tracks in script:
        points = [(one, one.foot) for one in tracks]
        found += [way for _, way in crossings.update(points, SIZE, t)]
    return found


def test_a_crossing_during_which_the_id_breaks_is_counted_once():
    script = [(0.0, track(1, 430)), (0.5, track(1, 480)), (1.0,), (1.5, track(2, 530)), (2.0, track(2, 560))]
    assert cross(*script, (2.5, track(2, 590))) == ["right"]


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


def at(*xs, fps=5.0):
    """A script of one object that is at these x, one look after the other; None: it is not seen."""
    return [(i / fps, *([] if x is None else [track(1, x)])) for i, x in enumerate(xs)]


@pytest.mark.parametrize(
    "xs",
    [
        [430] * 5 + [530] + [430] * 10,
        [430] * 5 + [530] + [None] * 20,
        [430] * 5 + [600] * 4 + [430] * 10,
        [430] * 5 + [530, 430] * 20,
        [430] * 5 + [505] * 50,
    ],
    ids=["one look", "one look, then gone", "back within a second", "every second look", "on the line"],
)
def test_who_has_not_settled_on_the_other_side_has_not_crossed(xs):
    assert cross(*at(*xs)) == []


@pytest.mark.parametrize("fps", [1.0, 2.0, 5.0, 15.0])
def test_who_stays_on_the_other_side_has_crossed_once(fps):
    looks = round(2 * fps)
    assert cross(*at(*[400] * looks, *[600] * (looks + 1), fps=fps)) == ["right"]


def test_who_runs_out_of_the_picture_behind_the_line_has_crossed():
    assert cross(*at(300, 380, 460, 540, 620, *[None] * 20)) == ["right"]


@pytest.mark.parametrize("changes_at", range(12))
@pytest.mark.parametrize(("x", "y"), [(0.5, 0.5), (2.0, 2.0), (0.64, 0.96)])
def test_a_crossing_is_seen_at_the_same_time_whenever_the_resolution_changes(changes_at, x, y):
    def crossed(changes_at):
        crossings, found = Crossings(DOOR), []
        for look in range(12):
            by = (x, y) if look >= changes_at else (1.0, 1.0)
            box = scaled_box((410 + 20 * look, 200, 450 + 20 * look, 300), *by)
            one = replace(track(1 + (look >= changes_at), 0), box=box)
            size = (round(SIZE[0] * by[0]), round(SIZE[1] * by[1]))
            found += [(look, way) for _, way in crossings.update([(one, one.foot)], size, look / 5)]
        return found

    assert len(crossed(99)) == 1
    assert crossed(changes_at) == crossed(99)


def test_the_moment_of_a_crossing_is_the_first_clearly_on_the_other_side():
    crossings = Crossings(DOOR)
    for t, *tracks in at(*range(400, 600, 12)):
        if crossings.update([(one, one.foot) for one in tracks], SIZE, t):
            assert crossings.since == {1: pytest.approx(2.0)}
            assert t == pytest.approx(2.6)
            return
    pytest.fail("nobody has crossed")


def standing(jitter, offset, line, minutes, seed=3, hidden=()):
    """Looks at one who stands on a line: height 100, feet at 500, 300 and `offset` heights beyond.

    `hidden`: the looks of every five in which the legs are.
    """
    chance = random.Random(seed)
    across, down = (offset, 0.0) if line is DOOR else (0.0, offset)
    for i in range(minutes * 60 * 5):
        x, foot, top = (chance.gauss(0, 100 * jitter) for _ in range(3))
        x, foot, top = x + 500 + 100 * across, foot + 300 + 100 * down, top + 200 + 100 * down
        foot = foot - 50 if i % 5 in hidden else foot
        yield (
            i / 5,
            Track(id=1, label="person", box=(x - 20, top, x + 20, foot), score=0.9, t_first=0.0, t_last=0.0),
        )


@pytest.mark.parametrize(
    ("line", "jitter", "offset", "hidden", "minutes"),
    [
        (DOOR, 0.025, 0.0, (), 10),
        (DOOR, 0.1, -0.05, (), 10),
        (KERB, 0.05, 0.08, (), 10),
        (KERB, 0.1, 0.0, (), 10),
        (KERB, 0.0, 0.0, (0,), 2),
        (KERB, 0.05, 0.05, (0, 1), 10),
        (KERB, 0.1, 0.05, (4,), 60),
    ],
)
def test_nobody_crosses_who_stands_on_the_line(line, jitter, offset, hidden, minutes):
    assert cross(*standing(jitter, offset, line, minutes, hidden=hidden), line=line) == []


def test_who_is_half_hidden_at_first_behind_the_line_was_never_over_there():
    hidden, whole = (480, 200, 520, 250), (480, 200, 520, 320)
    boxes = [hidden] + [whole] * 20
    script = [
        (i / 5, Track(id=1, label="person", box=box, score=0.9, t_first=0.0, t_last=0.0))
        for i, box in enumerate(boxes)
    ]
    assert cross(*script, line=KERB) == []


def test_legs_that_are_hidden_for_two_seconds_are_no_crossing():
    boxes = [(480, 205, 520, 305)] * 10 + [(480, 205, 520, 255)] * 8 + [(480, 205, 520, 305)] * 10
    script = [
        (i / 5, Track(id=1, label="person", box=box, score=0.9, t_first=0.0, t_last=0.0))
        for i, box in enumerate(boxes)
    ]
    assert cross(*script, line=((0.0, 0.56), (1.0, 0.56))) == []


def test_where_the_last_look_missed_it_an_object_has_not_been_seen():
    guesses = [
        (
            1.0 + i / 5,
            Track(
                id=1,
                label="person",
                box=(510 + 9 * i, 200, 550 + 9 * i, 300),
                score=0.9,
                t_first=0,
                t_last=0,
                missed=True,
            ),
        )
        for i in range(10)
    ]
    assert cross(*at(420, 440, 460, 480), (0.8, track(1, 515)), *guesses) == []


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
