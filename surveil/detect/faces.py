"""Finds faces in a picture with the embedded BlazeFace. It does not recognise persons."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import cv2
import numpy as np

from surveil.clock import SystemClock
from surveil.detect.detector import Detector
from surveil.detect.letterbox import ModelInput, fit, write
from surveil.detect.session import RunOn, zeros
from surveil.detect.settings import ModelSettings
from surveil.detect.spec import ModelFile, Preprocess
from surveil.types import Bytes, Crop, Floats

NAME = "blazeface-full-range"
PREPROCESS = Preprocess("rgb", "0-255", "top_left", 127)
LEAST_SCORE = 0.3
"""Low, because a blurred door handle does less harm than a missed face; `benchmarks.faces` shows other values."""
LEAST_PX = 14
"""Width of a face that is found as a rule. EN 62676-4 wants 125 px a metre to recognise somebody: 20 px a face."""
_AT_INPUT_PX = 10
"""The network needs as many of its own pixels."""
_STEP = 3
"""Each size of tile is as many times the one below it; the network finds faces of 10 to 100 of its pixels."""
_OVERLAP = 0.25


def embedded_path() -> Path:
    """Return the file of the embedded network; it is missing where the package was built without it."""
    return Path(str(resources.files("surveil.models"))) / "data" / f"{NAME}.onnx"


class EmbeddedFaces:
    """Finds faces. One thread may use it at a time."""

    def __init__(self, path: Path | None = None, *, least: float = LEAST_SCORE) -> None:
        """Load the network from `path`, or from the package. Raises `ModelError`."""
        path = path or embedded_path()
        file = ModelFile(
            name=NAME, path=path, sha256="", decoder="candidates", labels=("face",), preprocess=PREPROCESS
        )
        self._detector = Detector.load(file, ModelSettings(), RunOn(), SystemClock())
        self._floors = [self._detector.floors(1.0, {"face": least})]

    def find(self, picture: Bytes) -> Floats:
        """Return float32 (n, 4), x1 y1 x2 y2 px, of the faces in a uint8 BGR picture."""
        height, width = picture.shape[:2]
        side = self._detector.input.side * LEAST_PX / _AT_INPUT_PX
        looks = [self._look(picture, crop) for crop in crops(width, height, round(side))]
        return self._detector.detect([looks], self._floors)[0].boxes

    def _look(self, picture: Bytes, crop: Crop) -> ModelInput:
        spec, (x1, y1, x2, y2) = self._detector.input, crop
        where, tensor = fit(spec, crop), zeros(spec.shape, spec.dtype)
        small = cv2.resize(picture[y1:y2, x1:x2], (where.width, where.height), interpolation=cv2.INTER_AREA)
        write(spec, np.asarray(small, np.uint8)[:, :, ::-1], where, tensor)
        return ModelInput(tensor, where, (picture.shape[1], picture.shape[0]))


def crops(width: int, height: int, side: int) -> list[Crop]:
    """Return the whole of a frame and its squares of `side` px, of three times that, and so on."""
    found: list[Crop] = [(0, 0, width, height)]
    while side < max(width, height):
        found += [
            (x, y, min(width, x + side), min(height, y + side))
            for y in _starts(height, side)
            for x in _starts(width, side)
        ]
        side *= _STEP
    return found


def _starts(length: int, side: int) -> list[int]:
    """Return where pieces of `side` px begin that cover 0..length and overlap by a quarter at least."""
    rest = max(0, length - side)
    count = int(np.ceil(rest / (side * (1 - _OVERLAP)))) + 1
    return [round(at) for at in np.linspace(0, rest, count)]
