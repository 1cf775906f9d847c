"""What moves on the spot and was nothing waits; whatever may be somebody does not."""

import numpy as np
import pytest

from surveil.vision.foresight import Stirring

GHOST = (600, 100, 800, 640)
NOBODY = np.empty((0, 4), np.float32)


def boxes(*given):
    return np.array(given, np.float32).reshape(-1, 4)


def looks(made, areas, known=NOBODY, *, every_s=0.2, begins=0.0):
    """Return for each frame whether its area is looked at, as the planner does it."""
    found = []
    for n, area in enumerate(areas):
        t = begins + n * every_s
        due = made.due(boxes(area), known, t)
        made.look(boxes(area)[due], t)
        found.append(bool(due[0]))
    return found


def test_what_stays_is_looked_at_twice_and_then_as_often_as_who_is_followed():
    assert looks(Stirring(48.0), [GHOST] * 9) == [True, True, False, False, True, False, False, True, False]


def test_at_a_low_rate_every_frame_is_looked_at():
    assert all(looks(Stirring(48.0), [GHOST] * 9, every_s=0.6))


def test_a_ghost_that_shrinks_is_still_the_same():
    shrinking = [(600, 100 + 10 * n, 800, 640) for n in range(4)]
    assert looks(Stirring(48.0), shrinking) == [True, True, False, False]


def test_what_goes_somewhere_is_looked_at_in_every_frame():
    walking = [(600 + 60 * n, 100, 800 + 60 * n, 640) for n in range(8)]
    assert all(looks(Stirring(48.0), walking))


def test_what_may_be_somebody_too_small_to_be_found_at_once_is_looked_at_in_every_frame():
    assert all(looks(Stirring(48.0), [(600, 100, 660, 330)] * 8))
    assert not all(looks(Stirring(40.0), [(600, 100, 660, 330)] * 8))


def test_where_something_is_followed_every_frame_is_looked_at():
    assert all(looks(Stirring(48.0), [GHOST] * 8, boxes((790, 200, 900, 600))))


def test_whoever_is_found_there_and_lost_again_begins_anew():
    made = Stirring(48.0)
    assert looks(made, [GHOST] * 3) == [True, True, False]
    assert looks(made, [GHOST], boxes(GHOST), begins=0.6) == [True]
    assert looks(made, [GHOST] * 3, begins=0.8) == [True, False, False]


@pytest.mark.parametrize("pause_s", [1.5, -5.0])
def test_after_a_pause_or_a_step_of_the_clock_it_is_new(pause_s):
    made = Stirring(48.0)
    assert looks(made, [GHOST] * 3) == [True, True, False]
    assert looks(made, [GHOST] * 3, begins=0.4 + pause_s) == [True, True, False]


def test_a_new_picture_makes_everything_new():
    made = Stirring(48.0)
    assert looks(made, [GHOST] * 3) == [True, True, False]
    made.forget()
    assert looks(made, [GHOST] * 3, begins=0.6) == [True, True, False]


def test_a_look_elsewhere_does_not_count():
    made = Stirring(48.0)
    for n in range(6):
        assert made.due(boxes(GHOST), NOBODY, n / 5).all()
        made.look(boxes((0, 0, 650, 720)), n / 5)
