"""Fits a part of a picture into a model's input, and boxes of the input back into the frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surveil.detect.spec import IMAGENET_MEAN, IMAGENET_STD, InputSpec
from surveil.types import Bytes, Crop, Floats, Picture

Tensor = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPlacement:
    """Where a crop lies in the model's input: width × height px with its corner at left, top."""

    crop: Crop
    left: int
    top: int
    width: int
    height: int

    def to_frame(self, boxes: Floats) -> Floats:
        """Return boxes of the input, float32 (n, 4) px, in px of the frame, cut at the crop's border."""
        x1, y1, x2, y2 = self.crop
        sx, sy = (x2 - x1) / self.width, (y2 - y1) / self.height
        scale = np.array([sx, sy, sx, sy], np.float32)
        shift = np.array([x1 - self.left * sx, y1 - self.top * sy] * 2, np.float32)
        low, high = np.array([x1, y1, x1, y1], np.float32), np.array([x2, y2, x2, y2], np.float32)
        return np.asarray(np.clip(boxes * scale + shift, low, high), np.float32)


@dataclass(frozen=True, slots=True)
class ModelInput:
    """A part of a frame, ready for the model."""

    tensor: Tensor
    """One picture in the model's layout; the detector's, lent out until it has run."""
    fit: InputPlacement
    frame: tuple[int, int]
    """Width and height of the frame, px."""


def fit(spec: InputSpec, crop: Crop) -> InputPlacement:
    """Return where `crop` goes in the input. Raises ValueError when it is empty."""
    width, height = crop[2] - crop[0], crop[3] - crop[1]
    if width <= 0 or height <= 0:
        raise ValueError(f"empty crop {crop}")
    if spec.preprocess.placement == "stretch":
        return InputPlacement(crop=crop, left=0, top=0, width=spec.width, height=spec.height)
    scale = min(spec.width / width, spec.height / height)
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    if spec.preprocess.placement == "top_left":
        return InputPlacement(crop=crop, left=0, top=0, width=w, height=h)
    return InputPlacement(
        crop=crop, left=(spec.width - w) // 2, top=(spec.height - h) // 2, width=w, height=h
    )


def letterbox(spec: InputSpec, picture: Picture, crop: Crop, tensor: Tensor) -> InputPlacement:
    """Write the crop into `tensor` (`spec.shape`, `spec.dtype`), its surroundings included; return where it is."""
    where = fit(spec, crop)
    write(spec, picture.rgb(crop, where.width, where.height), where, tensor)
    return where


def write(spec: InputSpec, rgb: Bytes, where: InputPlacement, tensor: Tensor) -> None:
    """Write uint8 RGB (height, width, 3) of the size `where` says, and the border around it."""
    hwc = tensor.transpose(1, 2, 0) if spec.layout == "nchw" else tensor
    picture = rgb if spec.preprocess.channels == "rgb" else rgb[:, :, ::-1]
    scale, shift = _affine(spec)
    _pad(hwc, where, spec.preprocess.pad * scale + shift)
    target = hwc[where.top : where.top + where.height, where.left : where.left + where.width]
    target[...] = picture
    # One pass a step into the tensor itself is faster than an expression with temporaries.
    if not np.all(scale == 1):
        target *= scale
    if np.any(shift):
        target += shift


def _affine(spec: InputSpec) -> tuple[Floats, Floats]:
    """Return scale and shift of a byte, float32 (3,) each, in the model's order of channels."""
    kind = spec.preprocess.range
    one: Floats = np.ones(3, np.float32)
    if kind == "0-255":
        return one, one * 0
    if kind == "0-1":
        return np.asarray(one / 255, np.float32), one * 0
    mean, std = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)
    if spec.preprocess.channels == "bgr":
        mean, std = mean[::-1], std[::-1]
    return np.asarray(1 / std, np.float32), np.asarray(-mean / std, np.float32)


def _pad(hwc: Tensor, where: InputPlacement, value: Floats) -> None:
    """Fill the four strips around the picture; what the tensor held before must not be seen."""
    hwc[: where.top] = value
    hwc[where.top + where.height :] = value
    hwc[:, : where.left] = value
    hwc[:, where.left + where.width :] = value
