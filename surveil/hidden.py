"""Hidden parts of a picture: blanked in every form in which the picture is requested."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from surveil.types import Bytes, Picture, Polygon

GREY = 114
"""What analysis sees instead: neither dark nor bright."""


def blank(
    pixels: Bytes, polygons: Sequence[Polygon], box: tuple[float, float, float, float], value: int
) -> Bytes:
    """Fill polygons (fractions of the frame) in place; return `pixels`, uint8 (height, width[, 3]).

    `box`: the part of the frame that `pixels` show, x1 y1 x2 y2 in fractions.
    """
    x1, y1, x2, y2 = box
    size = np.array([pixels.shape[1] / (x2 - x1), pixels.shape[0] / (y2 - y1)])
    colour = (value,) * 3
    for polygon in polygons:
        points = np.round((np.asarray(polygon, np.float64) - (x1, y1)) * size).astype(np.int32)
        cv2.fillPoly(pixels, [points], colour)
        # A pixel outwards, so that rounding and scaling show nothing.
        cv2.polylines(pixels, [points], isClosed=True, color=colour, thickness=3)
    return pixels


class HiddenPicture:
    """A picture with parts blanked; nothing is copied or converted before it is asked for."""

    __slots__ = ("_picture", "_polygons", "_value", "height", "width")

    def __init__(self, picture: Picture, polygons: Sequence[Polygon], value: int = GREY) -> None:
        self._picture = picture
        self._polygons = polygons
        self._value = value
        self.width = picture.width
        self.height = picture.height

    def luma(self, width: int, height: int) -> Bytes:
        """Brightness scaled to uint8 (height, width)."""
        return self._blank(self._picture.luma(width, height), (0, 0, 1, 1))

    def rgb(self, box: tuple[int, int, int, int], width: int, height: int) -> Bytes:
        """The part x1 y1 x2 y2 (pixels) scaled to uint8 RGB (height, width, 3)."""
        x1, y1, x2, y2 = box
        part = (x1 / self.width, y1 / self.height, x2 / self.width, y2 / self.height)
        return self._blank(self._picture.rgb(box, width, height), part)

    def bgr(self) -> Bytes:
        """The whole picture as uint8 BGR (height, width, 3)."""
        return self._blank(self._picture.bgr(), (0, 0, 1, 1))

    def _blank(self, pixels: Bytes, box: tuple[float, float, float, float]) -> Bytes:
        # What the decoder holds may come uncopied.
        return blank(pixels.copy(), self._polygons, box, self._value)
