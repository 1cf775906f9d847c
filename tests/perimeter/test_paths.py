"""Which ways count: what is thick is believed in a second, what is thin only when it is slow and lasts."""

import numpy as np
import pytest

from surveil.features.perimeter.paths import Paths
from surveil.features.perimeter.scenery import Region

LENGTH, HEIGHT = 14, 4
TEXTURE = np.random.default_rng(1).uniform(10, 30, (HEIGHT, LENGTH)).astype(np.float32)


def gone(looks, step, unsteady=0.0, **kind):
    """Whether something that moves by `step` px in each of so many looks, five a second, has gone a way."""
    paths = Paths()
    for i in range(looks):
        x = 20 + round(step * i)
        difference = np.zeros((60, 320), np.float32)
        difference[30 : 30 + HEIGHT, x : x + LENGTH] = TEXTURE
        region = Region((x, 30, x + LENGTH, 30 + HEIGHT), LENGTH * HEIGHT, **kind)
        paths.update([(region, True)], difference, i / 5, unsteady)
    (path,) = paths.paths
    return path.is_way


@pytest.mark.parametrize(
    ("looks", "step", "dense", "is_way"),
    [
        pytest.param(15, 2, True, True, id="thick, in 3 s"),
        pytest.param(22, 2, False, False, id="thin, in 4 s"),
        pytest.param(30, 1, False, True, id="thin and slow, in 6 s"),
        pytest.param(60, 0.5, False, True, id="thin and very slow"),
        pytest.param(60, 4, False, False, id="thin and fast"),
    ],
)
def test_what_is_thin_counts_when_it_is_slow_and_lasts(looks, step, dense, is_way):
    assert gone(looks, step, is_thing=True, is_dense=dense) is is_way


@pytest.mark.parametrize("dense", [True, False])
def test_what_is_no_thing_has_no_way(dense):
    assert not gone(60, 1, is_thing=False, is_dense=dense)


def jumped(is_thing):
    """Whether there is a way when what is seen jumps twice and then stays where it is."""
    paths = Paths()
    for i in range(10):
        x = 20 + 16 * min(i, 2)
        difference = np.zeros((60, 320), np.float32)
        difference[30 : 30 + HEIGHT, x : x + LENGTH] = TEXTURE
        box = (x, 30, x + LENGTH, 30 + HEIGHT)
        region = Region(box, LENGTH * HEIGHT, is_thing=is_thing or i >= 2, is_dense=True)
        paths.update([(region, True)], difference, i)
    (path,) = paths.paths
    return path.is_way


def test_a_jump_from_what_is_no_thing_is_no_way():
    assert jumped(is_thing=True)
    assert not jumped(is_thing=False)


@pytest.mark.parametrize(
    ("step", "unsteady", "is_way"), [(14, 0.0, True), (14, 0.25, False), (7, 0.25, True)]
)
def test_where_boxes_are_unsteady_what_goes_five_lengths_a_second_is_no_way(step, unsteady, is_way):
    assert gone(15, step, unsteady, is_thing=True, is_dense=True) is is_way
