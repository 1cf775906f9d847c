"""Reads pictures of all kinds: rotated by EXIF, grey, 16-bit, CMYK, with transparency, or damaged."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from surveil.types import Bytes

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
_LARGEST_PX = 100_000_000


class BadPictureError(ValueError):
    """A file is no picture that can be used; says why."""


def read_bytes(path: Path) -> bytes:
    """Return a file's content. Raises BadPictureError when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadPictureError(f"cannot be read: {error.strerror}") from None


def decode(raw: bytes) -> Bytes:
    """Return the picture upright as uint8 RGB (height, width, 3); alpha is dropped. Raises BadPictureError."""
    if not raw:
        raise BadPictureError("is empty")
    # A JPEG that ends early is decoded with a grey remainder and without a word.
    if raw[:2] == b"\xff\xd8" and b"\xff\xd9" not in raw[-4096:]:
        raise BadPictureError("ends in the middle of the picture")
    try:
        bgr = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error:
        bgr = None
    if bgr is None:
        raise BadPictureError("is not a picture, or is damaged")
    if bgr.shape[0] * bgr.shape[1] > _LARGEST_PX:
        raise BadPictureError(f"is too large: {bgr.shape[1]}x{bgr.shape[0]}")
    if min(bgr.shape[:2]) < 2:
        raise BadPictureError(f"is too small: {bgr.shape[1]}x{bgr.shape[0]}")
    return np.ascontiguousarray(_eight_bits(np.asarray(bgr))[:, :, ::-1])


def _eight_bits(bgr: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Bytes:
    """Scale by the format's depth, not by the content: 10 and 12 bits in 16 are told by their largest value."""
    if bgr.dtype == np.uint8:
        return np.asarray(bgr, np.uint8)
    if bgr.dtype == np.uint16:
        top = int(bgr.max())
        shift = next(bits for bits in (2, 4, 8) if top < 256 << bits)
        return np.asarray(bgr.astype(np.uint16) >> shift, np.uint8)
    if np.issubdtype(bgr.dtype, np.floating):
        scaled = np.nan_to_num(bgr.astype(np.float32)) * 255
        return np.asarray(np.clip(scaled, 0, 255), np.uint8)
    raise BadPictureError(f"has pixels of a kind that is not supported: {bgr.dtype}")
