"""The picture from before a fault is from before it, however slowly the fault is found."""

import cv2
import numpy as np

from surveil.capture.picture import ArrayPicture
from surveil.features.health.analyser import WIDEST, LastGood
from surveil.types import Frame


def watch(levels, well):
    """Feed a frame a second with these brightnesses; return what was kept: its brightness and its time."""
    good = LastGood()
    for t, (level, fine) in enumerate(zip(levels, well, strict=True)):
        picture = ArrayPicture(np.full((90, 160, 3), level, np.uint8))
        good.update(Frame(camera="gate", seq=t, t=float(t), t_wall=1000.0 + t, picture=picture), well=fine)
    if good.picture is None:
        return None
    kept = cv2.imdecode(np.frombuffer(good.picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    return round(float(kept.mean())), good.picture.t_wall


def test_it_is_kept_once_it_is_sure_that_the_camera_was_well():
    assert watch([50] * 4, [True] * 4) is None
    assert watch([50] * 6, [True] * 6) == (50, 1000.0)


def test_it_is_renewed_while_all_is_well_and_not_after():
    levels = [50] * 55 + [80] * 20 + [200] * 60
    assert watch(levels, [True] * 75 + [False] * 60) == (80, 1060.0)


def test_a_picture_of_a_fault_that_is_found_a_moment_later_is_not_kept():
    levels = [50] * 20 + [200] * 30
    assert watch(levels, [True] * 22 + [False] * 28) == (50, 1000.0)


def test_it_is_small():
    picture = ArrayPicture(np.random.default_rng(0).integers(0, 255, (1080, 1920, 3), np.uint8))
    good = LastGood()
    for t in range(6):
        good.update(Frame(camera="gate", seq=t, t=float(t), t_wall=0.0, picture=picture), well=True)
    kept = cv2.imdecode(np.frombuffer(good.picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert kept.shape == (540, WIDEST, 3)
