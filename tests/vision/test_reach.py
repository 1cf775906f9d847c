"""How far the motion of an object reaches beyond its box."""

import numpy as np
import pytest

from surveil.types import Track
from surveil.vision.foresight import Reach

BOX = (600.0, 300.0, 700.0, 600.0)
HIGH = 300.0


def somebody(number=1, speed=100.0, **changes):
    return Track(
        id=number,
        label="person",
        box=BOX,
        score=0.8,
        t_first=5.0,
        t_last=10.0,
        velocity=(speed, 0.0),
        **changes,
    )


def boxes(*given):
    return np.array(given, np.float32).reshape(-1, 4)


def beyond(part):
    """Motion in somebody's place and beyond his right side, by a part of his height."""
    return boxes((BOX[0], BOX[1], BOX[2] + part * HIGH, BOX[3]))


def own(reach, moving, *tracks):
    return reach.own(tracks, boxes(*[track.box for track in tracks]), moving).tolist()


def note(reach, moving, *tracks):
    reach.note(tracks, boxes(*[t.box for t in tracks]), moving, np.ones((len(moving), len(tracks)), bool))


def test_most_of_the_motion_of_who_walks_lies_where_it_did():
    reach = Reach()
    assert own(reach, beyond(0.1), somebody()) == [[True]]
    assert own(reach, beyond(0.4), somebody()) == [[False]]
    note(reach, beyond(0.3), somebody())
    assert own(reach, beyond(0.4), somebody()) == [[True]]


@pytest.mark.parametrize(
    "goes_nowhere", [somebody(speed=50.0), somebody(stationary=True)], ids=["slow", "stands"]
)
def test_of_who_goes_nowhere_all_of_it_does(goes_nowhere):
    reach = Reach()
    assert own(reach, beyond(0.1), goes_nowhere) == [[True]]
    assert own(reach, beyond(0.15), goes_nowhere) == [[False]]
    assert own(reach, beyond(0.15), somebody()) == [[True]]


def test_motion_far_away_widens_nothing_much():
    reach = Reach()
    note(reach, beyond(2.0), somebody())
    assert own(reach, beyond(0.8), somebody()) == [[False]]


def test_one_side_says_nothing_of_the_other():
    reach = Reach()
    note(reach, beyond(0.3), somebody())
    assert own(reach, boxes((BOX[0] - 90.0, BOX[1], BOX[0], BOX[3])), somebody()) == [[False]]


def test_who_is_gone_is_forgotten_and_who_is_not_looked_at_is_not():
    reach = Reach()
    note(reach, beyond(0.3), somebody(1), somebody(2))
    reach.note([somebody(1)], boxes(BOX), boxes(), np.zeros((0, 1), bool))
    assert own(reach, beyond(0.4), somebody(1), somebody(2)) == [[True, False]]
