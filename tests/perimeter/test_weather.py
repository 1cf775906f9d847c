"""Rain and snow fall everywhere alike; leaves flicker at the same places, and fog changes wide parts of the picture."""

from itertools import islice

import cv2
import numpy as np
import pytest

from benchmarks.perimeter import MIN_OBJECT_PX, alerts
from benchmarks.perimeter_scenes import SIZE, approach, weather
from surveil.features.perimeter.analyser import MoverAnalyser
from surveil.features.perimeter.weather import Weather
from surveil.vision.motion import plane_size
from tests.perimeter.test_suite import Plane, look

ROWS, COLUMNS = 22, 40


def told(number, where, looks=75):
    """What is told of the weather when so many of the places `where` flicker in each look, others in each."""
    tells, dice = Weather(ROWS, COLUMNS), np.random.default_rng(3)
    for _ in range(looks):
        flickers = np.zeros(ROWS * COLUMNS, np.float32)
        flickers[dice.choice(where, number, replace=False)] = 1
        tells.update(flickers.reshape(ROWS, COLUMNS), 0.2)
    return tells


EVERYWHERE = np.arange(ROWS * COLUMNS)
TUFTS = EVERYWHERE[EVERYWHERE % 37 < 9]
"""A quarter of the places, in every part of the picture."""


@pytest.mark.parametrize("number", [40, 200])
def test_what_flickers_everywhere_alike_is_rain(number):
    assert told(number, EVERYWHERE).begins
    assert not told(number, EVERYWHERE).ends


@pytest.mark.parametrize("number", [40, 200])
def test_what_flickers_at_the_same_places_is_none(number):
    assert not told(number, TUFTS).begins
    assert told(number, TUFTS).ends


def test_a_few_streaks_are_no_rain():
    assert not told(4, EVERYWHERE).begins
    assert told(4, EVERYWHERE).ends


def coarse_looks(pictures, dt=0.2):
    """Whether each picture, `dt` seconds after the last, is looked at as where it rains."""
    analyser, looked = MoverAnalyser(MIN_OBJECT_PX), []
    for i, pixels in enumerate(pictures):
        picture = Plane()
        picture.pixels = cv2.resize(pixels, plane_size(*SIZE, MIN_OBJECT_PX), interpolation=cv2.INTER_AREA)
        look(analyser, i * dt, picture)
        looked.append(analyser._scenery.is_coarse)
    return looked


def test_rain_of_31_streaks_a_picture_is_seen():
    assert coarse_looks(islice(approach("walk in rain", 9028), 100))[-1]


@pytest.mark.parametrize("kind", ["fog", "flag and water", "noise and exposure"])
def test_other_weather_is_not_taken_for_rain(kind):
    looked_at = islice(weather(kind, 14121, 20.0), None, None, 5)
    assert not any(coarse_looks(looked_at, dt=1.0))


def test_leaves_in_gusts_are_no_intrusion():
    assert list(alerts(weather("leaves", 14121, 82.0))) == []
