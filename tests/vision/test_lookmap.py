"""Which places have something new in them, and how long nobody has looked there."""

import numpy as np

from surveil.types import GateDecision, Motion
from surveil.vision.lookmap import LOOKS, LookMap

SIZE = (1280, 720)
LEFT, RIGHT, WHOLE = (0, 0, 600, 720), (680, 0, 1280, 720), (0, 0, 1280, 720)


def motion(*boxes, gate=GateDecision.MOTION, changed=None, all_new=False):
    return Motion(gate, np.array(boxes, np.float32).reshape(-1, 4), 0.1, changed, all_new)


def seen():
    """A map of a picture that was looked at until nothing was new."""
    made = LookMap(SIZE)
    for t in range(LOOKS):
        made.look(WHOLE, float(t), WHOLE)
    return made


def test_what_was_never_seen_is_new_until_it_was_looked_at_twice():
    made = LookMap(SIZE)
    made.look(LEFT, 0.0, LEFT)
    assert (made.is_new(LEFT), made.is_new(RIGHT)) == (True, True)
    made.look(LEFT, 1.0, LEFT)
    assert (made.is_new(LEFT), made.is_new(RIGHT)) == (False, True)


def test_what_moves_is_new_where_it_moves_and_what_has_changed_where_it_has():
    made = seen()
    made.note(motion((700.0, 100.0, 760.0, 300.0)))
    assert (made.is_new(LEFT), made.is_new(RIGHT)) == (False, True)
    made, changed = seen(), np.zeros((45, 80), np.bool_)
    changed[10, 4] = True
    made.note(motion(changed=changed))
    assert (made.is_new(LEFT), made.is_new(RIGHT)) == (True, False)


def test_after_a_change_of_the_whole_picture_everything_is_new():
    made = seen()
    made.note(motion(gate=GateDecision.CLOSED_STILL))
    assert not made.is_new(WHOLE)
    made.note(motion(gate=GateDecision.TRACK, all_new=True))
    assert made.is_new(LEFT)
    assert made.is_new(RIGHT)


def test_who_has_waited_longest_comes_first():
    made = LookMap(SIZE)
    made.look(LEFT, 1.0, LEFT)
    made.look(RIGHT, 2.0, RIGHT)
    assert made.oldest([RIGHT, LEFT], 1) == (LEFT,)
    assert made.age(RIGHT, 5.0) == 3.0
