"""Converts a picture of any size to the network's input: one function for training and for running."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

import cv2
import numpy as np

from surveil.errors import ModelError
from surveil.filesystem import read_json
from surveil.types import Bytes

_GREY = 127


@dataclass(frozen=True, slots=True)
class CropPreprocess:
    """How a picture is prepared; stored in the model. Normalisation itself is part of the graph."""

    size: int = 224
    """Width and height of the input, px."""
    placement: Literal["letterbox", "stretch", "centre"] = "letterbox"
    """Whole picture with grey bars, whole picture distorted, or the middle square."""
    clahe: float = 0.0
    """Clip limit of contrast-limited adaptive histogram equalisation of the lightness; 0: none."""
    denoise: float = 0.0
    """Strength (grey levels) of a bilateral filter; 0: none."""

    def __post_init__(self) -> None:
        """Check the ranges. Raises ModelError."""
        if not (32 <= self.size <= 1024 and self.size % 32 == 0):
            raise ModelError(f"input size {self.size} must be a multiple of 32 from 32 to 1024")
        if not (0 <= self.clahe <= 40 and 0 <= self.denoise <= 100):
            raise ModelError("clahe must be 0..40 and denoise 0..100")

    def apply(self, rgb: Bytes) -> Bytes:
        """Return uint8 RGB (size, size, 3)."""
        placed = self._placed(rgb)
        if self.denoise > 0:
            placed = np.asarray(cv2.bilateralFilter(placed, 5, self.denoise, 3.0), np.uint8)
        return self._equalised(placed) if self.clahe > 0 else placed

    def _placed(self, rgb: Bytes) -> Bytes:
        h, w = rgb.shape[:2]
        if self.placement == "stretch":
            return resized(rgb, self.size, self.size)
        if self.placement == "centre":
            side = min(h, w)
            top, left = (h - side) // 2, (w - side) // 2
            return resized(rgb[top : top + side, left : left + side], self.size, self.size)
        scale = self.size / max(h, w)
        inner = resized(rgb, max(1, round(w * scale)), max(1, round(h * scale)))
        canvas = np.full((self.size, self.size, 3), _GREY, np.uint8)
        top, left = (self.size - inner.shape[0]) // 2, (self.size - inner.shape[1]) // 2
        canvas[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
        return canvas

    def _equalised(self, rgb: Bytes) -> Bytes:
        lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
        lab[:, :, 0] = cv2.createCLAHE(self.clahe, (4, 4)).apply(np.ascontiguousarray(lab[:, :, 0]))
        return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)

    def to_json(self) -> str:
        """Return it as stored in a model."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> CropPreprocess:
        """Return what a model stores. Raises ModelError for what this version does not know."""
        try:
            return cls(**read_json(text))
        except (ValueError, TypeError) as error:
            raise ModelError(f"the model's pre-processing cannot be read: {error}") from None


def resized(rgb: Bytes, width: int, height: int) -> Bytes:
    """Return the picture at another size, averaging areas when it becomes smaller."""
    smaller = width < rgb.shape[1] or height < rgb.shape[0]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(rgb), (width, height), interpolation=how), np.uint8)
