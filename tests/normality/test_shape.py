"""How wide silhouettes are for their height: wheels and carts among people who walk."""

import numpy as np
import pytest

from surveil.features.normality.attributes.base import AttributeScore
from surveil.features.normality.attributes.shape import SHAPE
from surveil.features.normality.features import FeatureExtractor
from surveil.features.normality.flow import MIN_DT_S
from surveil.features.normality.silhouette import wideness
from tests.normality.drawn import geometry, picture

ROWS, COLUMNS = 60, 80
TALL = np.full((ROWS, 1), 20.0, np.float32)


def boxes(*sizes: tuple[int, int, int, int]) -> np.ndarray:
    """A foreground of filled boxes (x, y, width, height)."""
    found = np.zeros((ROWS, COLUMNS), np.uint8)
    for x, y, w, h in sizes:
        found[y : y + h, x : x + w] = 1
    return found


def mean(foreground: np.ndarray, heights: np.ndarray = TALL) -> float:
    return float(wideness(foreground, heights)[foreground > 0].mean())


def test_who_stands_is_narrow_and_a_cart_is_wide():
    person, square, cart = (mean(boxes((10, 10, *size))) for size in ((7, 20), (16, 16), (36, 14)))
    assert person < -0.8
    assert square == pytest.approx(0.0, abs=0.01)
    assert cart > 0.8


def test_people_beside_each_other_are_as_narrow_as_one():
    one, three = boxes((10, 10, 7, 20)), boxes((10, 10, 7, 20), (20, 12, 7, 20), (30, 9, 7, 20))
    assert mean(three) == pytest.approx(mean(one), abs=0.01)


@pytest.mark.parametrize("scale", [1, 2])
def test_near_and_far_look_alike(scale):
    shape = mean(boxes((10, 10, 7 * scale, 20 * scale)), TALL * scale)
    assert shape == pytest.approx(mean(boxes((10, 10, 7, 20))), abs=0.02)


def test_where_nothing_is_there_is_no_shape():
    assert not wideness(boxes(), TALL).any()
    found = wideness(boxes((10, 10, 7, 20)), TALL)
    assert not found[boxes((10, 10, 7, 20)) == 0].any()


def test_single_pixels_and_shadows_over_everything_are_no_outliers():
    assert mean(boxes((5, 5, 1, 1), (9, 40, 1, 1))) == pytest.approx(0.0, abs=0.01)
    assert abs(mean(np.ones((ROWS, COLUMNS), np.uint8))) < 0.5


def test_features_know_the_shape_of_what_has_come():
    extractor, plain = FeatureExtractor(geometry()), picture(0.0, ())
    found = None
    for i in range(5):
        plane = plain.copy()
        plane[160:176, 60 + 4 * i : 120 + 4 * i] = 220  # A cart.
        plane[150:190, 200 + 2 * i : 214 + 2 * i] = 220  # Somebody.
        found = extractor.observe(plane, i * (MIN_DT_S + 0.01)) or found
    assert found is not None
    assert found.filled is not None
    cart, person = found.shape[20, 12], found.shape[20, 25]
    assert cart > 0.5
    assert person < -0.5


def test_the_words_are_a_ratio():
    assert (
        SHAPE.words(AttributeScore((0.3,), (-0.7,), 0.2)) == "2.7 × as wide for its height as is usual here"
    )
