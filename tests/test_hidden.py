"""What is hidden is blank in every form a picture is asked for, and nothing else is touched."""

import av
import numpy as np
import pytest

from surveil.capture.picture import ArrayPicture, AvPicture
from surveil.hidden import GREY, HiddenPicture
from surveil.types import Frame
from surveil.view import FrameView

RIGHT = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))
SIZE = (320, 160)


def pixels():
    return np.random.default_rng(1).integers(150, 250, (SIZE[1], SIZE[0], 3), np.uint8)


@pytest.fixture(params=["array", "yuv420p", "gray"])
def picture(request):
    if request.param == "array":
        return ArrayPicture(pixels())
    return AvPicture(av.VideoFrame.from_ndarray(pixels(), "bgr24").reformat(format=request.param))


def halves(seen):
    """The left and the right half, without the pixels at the border."""
    middle = seen.shape[1] // 2
    return seen[:, : middle - 2], seen[:, middle:]


@pytest.mark.parametrize("size", [SIZE, (80, 40), (64, 30)])
def test_brightness(picture, size):
    left, right = halves(HiddenPicture(picture, [RIGHT]).luma(*size))
    assert (right == GREY).all()
    assert np.array_equal(left, halves(picture.luma(*size))[0])


def test_the_whole_picture(picture):
    left, right = halves(HiddenPicture(picture, [RIGHT], 0).bgr())
    assert (right == 0).all()
    assert np.array_equal(left, halves(picture.bgr())[0])


def test_a_part_that_is_hidden_in_part(picture):
    box = (80, 40, 240, 120)
    left, right = halves(HiddenPicture(picture, [RIGHT]).rgb(box, 96, 48))
    assert (right == GREY).all()
    assert np.array_equal(left, halves(picture.rgb(box, 96, 48))[0])


def test_a_part_elsewhere_is_as_it_is(picture):
    box = (0, 0, 100, 100)
    assert np.array_equal(HiddenPicture(picture, [RIGHT]).rgb(box, 50, 50), picture.rgb(box, 50, 50))


def test_the_picture_itself_is_not_touched():
    picture = ArrayPicture(pixels())
    HiddenPicture(picture, [RIGHT]).bgr()
    assert np.array_equal(picture.bgr(), pixels())


def test_an_analyser_that_keeps_what_it_sees_shares_the_findings_of_the_others():
    view = FrameView(Frame(camera="gate", seq=1, t=0.0, t_wall=0.0, picture=ArrayPicture(pixels())), ())
    hidden = view.hiding([RIGHT])
    assert (halves(hidden.luma(80, 40))[1] == GREY).all()
    assert not (halves(view.luma(80, 40))[1] == GREY).any()
    assert hidden.found is view.found
    assert view.hiding([]) is view
