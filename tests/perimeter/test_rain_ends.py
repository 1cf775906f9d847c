"""When rain ends, nothing that is known is forgotten: neither the background nor who is there."""

import numpy as np
import pytest

from surveil.features.perimeter.analyser import MoverAnalyser
from surveil.features.perimeter.scenery import Scenery
from tests.perimeter.test_suite import Plane, look

DICE = np.random.default_rng(5)
GROUND = np.repeat(np.repeat(DICE.integers(60, 140, (36, 64)), 5, 0), 5, 1).astype(np.uint8)
RAIN_S, ENDS_S = 12.0, 21.0


def rain(pixels, dice, streaks=150):
    """Draw bright streaks, 1 px wide, into a plane."""
    for x, y in zip(dice.integers(0, 320, streaks), dice.integers(0, 168, streaks), strict=True):
        pixels[y : y + 12, x] = np.minimum(pixels[y : y + 12, x] + 40.0, 255)


def seen(t, x=None):
    """The picture at `t`: rain in the first seconds, somebody at x."""
    picture = Plane()
    picture.pixels[:] = GROUND
    if x is not None:
        picture.pixels[100:140, x : x + 20] = 220
    if t < RAIN_S:
        rain(picture.pixels, np.random.default_rng(round(t * 5)))
    return picture


def comes(t):
    """Where somebody is who comes a third of his length before the rain ends, stands, and goes on when it is over."""
    first, then = min(max(0.0, t - RAIN_S) * 5, 14), max(0.0, t - ENDS_S) * 25
    return None if t < RAIN_S else round(100 + first + min(then, 54))


def test_who_stands_while_rain_ends_is_still_on_his_way_afterwards():
    analyser, found, coarse = MoverAnalyser(40.0), [], []
    for i in range(round((ENDS_S + 3) * 5)):
        found.append(look(analyser, i / 5, seen(i / 5, comes(i / 5))))
        coarse.append(analyser._scenery.is_coarse)
    assert coarse[round(RAIN_S * 5)]
    assert not any(coarse[round(ENDS_S * 5) :])
    assert not any(found[: round(ENDS_S * 5)])
    assert found[-1] is not None
    (mover,) = found[-1].movers
    assert mover.path[-1][1] == pytest.approx(178, abs=4)


def test_the_background_is_as_sharp_after_rain_as_before():
    scenery = Scenery(seen(RAIN_S).pixels)
    scenery.coarsen()
    for i in range(100):
        scenery.update(seen(RAIN_S * (i >= 60)).pixels, 0.2, ())
    scenery.refine()
    differs = scenery.update(seen(RAIN_S, 150).pixels, 0.2, ())
    rows, columns = np.nonzero(differs)
    assert (columns.min(), columns.max()) == (pytest.approx(150, abs=2), pytest.approx(169, abs=2))
    assert (rows.min(), rows.max()) == (pytest.approx(100, abs=2), pytest.approx(139, abs=2))
