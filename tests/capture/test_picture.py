"""Pictures: crops and small planes agree with a full conversion, in every pixel format a camera sends."""

import ctypes
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import av
import cv2
import numpy as np
import pytest

from surveil.capture.picture import ArrayPicture, AvPicture, thumbnail

WIDTH, HEIGHT = 640, 480
FORMATS = (
    "yuv420p", "yuvj420p", "nv12", "yuv422p", "yuvj422p", "yuv444p", "yuv420p10le", "p010le", "rgb24",
)  # fmt: skip
BT601, BT709 = 5, 1
LIMITED, FULL = 1, 2


@pytest.fixture(scope="module")
def scene():
    """Smooth colours: what remains is the error of conversion, not of the taste in filters."""
    coarse = np.random.default_rng(0).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    return cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def frame_of(scene, pixels):
    return av.VideoFrame.from_ndarray(scene, format="rgb24").reformat(format=pixels)


def difference(one, other):
    return np.abs(one.astype(int) - other.astype(int)).mean()


@pytest.mark.parametrize("pixels", FORMATS)
def test_a_crop_equals_the_crop_of_the_whole_conversion(scene, pixels) -> None:
    frame = frame_of(scene, pixels)
    whole = frame.to_ndarray(format="rgb24")
    crop = AvPicture(frame).rgb((100, 50, 420, 370), 160, 160)
    expected = cv2.resize(whole[50:370, 100:420], (160, 160), interpolation=cv2.INTER_AREA)
    assert (crop.shape, crop.dtype) == ((160, 160, 3), np.uint8)
    assert difference(crop, expected) < 1.5


@pytest.mark.parametrize("pixels", [*FORMATS, "gray"])
def test_no_crop_is_overwritten_by_the_next_or_by_another_thread(scene, pixels) -> None:
    """The planes of a crop lie in memory that is used again; 1,100 px are too many for that."""
    boxes, sides = ((0, 0, 320, 320), (320, 160, 640, 480), (10, 20, 33, 55)), (320, 160, 97, 1100)

    def crops(_turn: int) -> list[tuple[bytes, bytes]]:
        picture = AvPicture(frame_of(scene, pixels))
        made = [picture.rgb(box, side, side) for side in sides for box in boxes]
        return [(one.tobytes(), picture.rgb(box, side, side).tobytes())
                for one, (side, box) in zip(made, product(sides, boxes), strict=True)]  # fmt: skip

    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(crops, range(8))
    assert all(one == again for one, again in first)
    assert len({one for one, _ in first}) == len(first)
    assert all(other == first for other in others)


@pytest.mark.parametrize("pixels", [*FORMATS, "gray", "gray10le"])
def test_luma_is_brightness_from_black_to_white(scene, pixels) -> None:
    frame = frame_of(scene, pixels)
    grey = cv2.cvtColor(frame.to_ndarray(format="rgb24"), cv2.COLOR_RGB2GRAY)
    luma = AvPicture(frame).luma(100, 77)
    assert (luma.shape, luma.dtype) == ((77, 100), np.uint8)
    assert difference(luma, cv2.resize(grey, (100, 77), interpolation=cv2.INTER_AREA)) < 3.5


@pytest.mark.parametrize("pixels", FORMATS)
def test_the_whole_picture_is_bgr(scene, pixels) -> None:
    frame = frame_of(scene, pixels)
    assert difference(AvPicture(frame).bgr(), frame.to_ndarray(format="bgr24")) < 2.5


@pytest.mark.parametrize("space", [BT601, BT709])
@pytest.mark.parametrize("colour_range", [LIMITED, FULL])
def test_the_stream_s_own_matrix_and_range_are_used(space, colour_range) -> None:
    """Pure colours by the formulas of ITU-R BT.601 and BT.709, as yuv444p."""
    kr, kb = (0.299, 0.114) if space == BT601 else (0.2126, 0.0722)
    for rgb in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128), (255, 255, 255), (0, 0, 0)):
        r, g, b = (c / 255 for c in rgb)
        y = kr * r + (1 - kr - kb) * g + kb * b
        u, v = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
        scale = (255, 255, 0) if colour_range == FULL else (219, 224, 16)
        values = (scale[2] + scale[0] * y, 128 + scale[1] * u, 128 + scale[1] * v)
        planes = np.stack([np.full((32, 32), np.clip(round(x), 0, 255), np.uint8) for x in values])
        frame = av.VideoFrame.from_ndarray(planes, format="yuv444p")
        frame.colorspace, frame.color_range = space, colour_range
        shown = AvPicture(frame).rgb((0, 0, 32, 32), 8, 8)[4, 4]
        assert np.abs(shown.astype(int) - rgb).max() <= 2


def test_odd_boxes_and_odd_pictures_are_no_problem() -> None:
    picture = AvPicture(av.VideoFrame(641, 361, "yuv420p"))
    assert picture.rgb((3, 5, 640, 361), 33, 17).shape == (17, 33, 3)
    assert picture.rgb((640, 360, 641, 361), 5, 5).shape == (5, 5, 3)
    assert picture.luma(640, 360).shape == (360, 640)
    assert picture.bgr().shape == (361, 641, 3)


def test_shrinking_averages_instead_of_picking() -> None:
    """A fine chequerboard becomes grey: no moiré that motion detection would take for movement."""
    board = (np.indices((480, 640)).sum(axis=0) % 2 * 255).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(board, format="gray")
    luma = AvPicture(frame).luma(80, 60)
    assert np.abs(luma.astype(int) - 127).max() <= 2


def test_an_array_picture_gives_the_same_as_a_decoded_one(scene) -> None:
    frame = frame_of(scene, "yuv444p")
    array, decoded = ArrayPicture(frame.to_ndarray(format="bgr24")), AvPicture(frame)
    assert (array.width, array.height) == (decoded.width, decoded.height) == (WIDTH, HEIGHT)
    assert difference(array.luma(64, 48), decoded.luma(64, 48)) < 2
    box = (10, 20, 330, 340)
    assert difference(array.rgb(box, 96, 96), decoded.rgb(box, 96, 96)) < 1.5
    with pytest.raises(ValueError, match="read-only"):
        array.bgr()[0, 0] = 0


@pytest.mark.parametrize("size", [(160, 120), (80, 60), (64, 48)])
@pytest.mark.parametrize("pixels", ["yuvj420p", "yuv420p10le"])
def test_small_planes_are_the_mean_of_what_they_cover(scene, pixels, size) -> None:
    picture = AvPicture(frame_of(scene, pixels))
    assert (
        difference(
            picture.luma(*size), cv2.resize(picture.luma(WIDTH, HEIGHT), size, interpolation=cv2.INTER_AREA)
        )
        < 2
    )


@pytest.mark.parametrize("k", [4, 6, 8, 10])
def test_small_planes_are_not_shifted(k) -> None:
    ramp = np.tile(np.arange(0, 256, 2, dtype=np.uint8).repeat(k // 2), (9 * k, 1))
    width = ramp.shape[1] // k
    exact = cv2.resize(ramp, (width, 9), interpolation=cv2.INTER_AREA)
    assert np.abs(thumbnail(ramp, width, 9).astype(int) - exact).max() <= 1


_HOLES = """
import ctypes, threading
import numpy as np
from surveil.capture.picture import keep_heap_small

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
{small}
def mapped():
    before = libc.mallinfo2().hblks
    crops = [np.empty(100_000, np.uint8) for _ in range(200)]
    print((libc.mallinfo2().hblks - before) / len(crops))

np.empty(8 << 20, np.uint8)[:] = 1  # a freed picture, after which glibc maps nothing smaller by itself
mapped()
thread = threading.Thread(target=mapped)
thread.start()
thread.join()
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="glibc only")
@pytest.mark.parametrize(("small", "share"), [("", 0.0), ("keep_heap_small()", 1.0)])
def test_pictures_are_mapped_apart_so_that_they_leave_no_holes(small, share):
    found = subprocess.run(
        [sys.executable, "-c", _HOLES.format(small=small)], check=True, capture_output=True, text=True
    )
    # Holes that are there already take some of the two hundred.
    assert [float(line) for line in found.stdout.split()] == pytest.approx([share, share], abs=0.05)
