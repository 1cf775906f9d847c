"""A picture of where objects walk and stand."""

from __future__ import annotations

import cv2
import numpy as np

from surveil.types import Bytes, Floats

STRENGTH = 0.65
"""Opacity of the busiest place."""


def draw(cells: Floats, picture: Bytes | None = None, width: int = 1280) -> Bytes:
    """Return object-seconds by cell (rows, columns) as colours, uint8 BGR (height, width, 3).

    Over `picture` (uint8 BGR) where there is one, over grey otherwise. Colours follow the logarithm: a
    place where one stands is worth hundreds of places where one walks, and both should be seen.
    """
    if picture is None:
        picture = np.full((width * cells.shape[0] // cells.shape[1], width, 3), 96, np.uint8)
    height, wide = picture.shape[:2]
    heat = np.log1p(np.maximum(cells, 0.0))
    heat = heat / max(float(heat.max()), 1e-6)
    smooth = np.clip(cv2.resize(heat, (wide, height), interpolation=cv2.INTER_CUBIC), 0.0, 1.0)
    colours = cv2.applyColorMap((255 * smooth).astype(np.uint8), cv2.COLORMAP_TURBO)
    opacity = (STRENGTH * np.sqrt(smooth))[..., None]
    drawn: Bytes = (picture * (1 - opacity) + colours * opacity).astype(np.uint8)
    return drawn
