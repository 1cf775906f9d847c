"""The short form of `benchmarks.perimeter`: drawn approaches are found, drawn weather is not an intrusion."""

import numpy as np
import pytest

from benchmarks.perimeter import alerts
from benchmarks.perimeter_scenes import WEATHER, approach, weather
from surveil.features.perimeter.analyser import MoverAnalyser
from surveil.types import Frame, GateDecision, Motion
from surveil.view import FrameView

SEED = 31


@pytest.mark.parametrize("kind", ["walk", "run", "roll", "sheet", "walk at night"])
def test_an_approach_is_found(kind):
    assert next(alerts(approach(kind, SEED)), None) is not None


@pytest.mark.parametrize("kind", ["crawl", "log"])
def test_who_comes_slowly_is_found(kind):
    assert next(alerts(approach(kind, 1)), None) is not None


@pytest.mark.parametrize(("kind", "seed"), [("crawl at night", 32), ("log at night", 3)])
def test_who_is_low_and_pale_is_found(kind, seed):
    assert next(alerts(approach(kind, seed)), None) is not None


@pytest.mark.parametrize("kind", ["walk in rain", "run in rain", "sheet in rain"])
def test_rain_hides_nobody(kind):
    assert next(alerts(approach(kind, SEED)), None) is not None


@pytest.mark.parametrize("kind", WEATHER)
def test_weather_is_no_intrusion(kind):
    assert list(alerts(weather(kind, SEED, 8.0))) == []


SIZE = (320, 180)
STILL = Motion(GateDecision.CLOSED_STILL, np.zeros((0, 4), np.float32), 0.0)
MOVES = Motion(GateDecision.MOTION, np.array([[0, 0, *SIZE]], np.float32), 0.5)


class Plane:
    """A picture of which only the brightness is asked for, and how often."""

    width, height = SIZE

    def __init__(self, x=None):
        self.pixels = np.full((180, 320), 90, np.uint8)
        self.pixels[::7, ::5] = 110
        if x is not None:
            self.pixels[100:140, x : x + 20] = 200


def look(analyser, t, picture, motion=MOVES, **kind):
    """What the analyser says of a picture."""
    view = FrameView(
        Frame(camera="gate", seq=round(t * 5), t=t, t_wall=t, picture=picture, **kind), (), motion
    )
    view.luma = lambda _w, _h: picture.pixels
    return analyser.observe(view)


def crossing(analyser, start=5.0, looks=25, step=8, **kind):
    """What the analyser says while something crosses the picture."""
    return [look(analyser, start + i / 5, Plane(20 + step * i), **kind) for i in range(looks)]


def settled(min_object_px=40.0, **kind):
    analyser = MoverAnalyser(min_object_px, **kind)
    for i in range(25):
        look(analyser, i / 5, Plane(), STILL)
    return analyser


def test_what_has_gone_its_way_is_named_with_its_path():
    found = [one for one in crossing(settled()) if one]
    (mover,) = found[-1].movers
    assert mover.path[-1][1:] == (pytest.approx(222, abs=2), pytest.approx(140, abs=2))
    assert mover.length == pytest.approx(40, abs=3)
    assert len({one.movers[0].id for one in found}) == 1


@pytest.mark.parametrize(("apart", "is_found"), [(1, True), (7, False)])
def test_two_leaves_in_the_same_gust_are_no_one_thing(apart, is_found):
    analyser, found = settled(min_object_px=12.0), []
    for i in range(25):
        picture, x = Plane(), 20 + 5 * i
        picture.pixels[100:104, x : x + 6] = 200
        picture.pixels[104 + apart : 108 + apart, x + 6 + apart : x + 12 + apart] = 200
        found.append(look(analyser, 5.0 + i / 5, picture))
    assert any(found) is is_found


def test_what_moves_in_a_mask_does_not_count():
    left = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    assert not any(crossing(settled(masks=[left])))


def test_damaged_pictures_a_hole_and_a_loss_are_no_way():
    analyser = settled()
    assert not any(crossing(analyser, damaged=True))
    assert not any(crossing(analyser, start=60.0, looks=6))
    analyser.lost()
    assert not any(crossing(analyser, start=61.2, looks=4, step=-8))


def test_a_change_of_the_whole_picture_is_no_way():
    analyser = settled()
    crossing(analyser, looks=15)
    assert look(analyser, 8.2, Plane(150), Motion(GateDecision.CLOSED_GLOBAL, MOVES.boxes, 1.0)) is None
    assert look(analyser, 8.4, Plane(158)) is None


def test_while_nothing_moves_it_looks_once_a_second():
    analyser, asked = settled(), []
    for i in range(50):
        picture = Plane()
        look(analyser, 5.0 + i / 5, picture, STILL)
        asked.append(analyser._t)
    assert len(set(asked)) == pytest.approx(10, abs=1)
