"""A picture of where objects walk and stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from surveil.types import Bytes, Floats, Point

STRENGTH = 0.65
"""Opacity of the busiest place."""
_WIDTH = 1280
_OUTLINE = (255, 255, 255)
_BAR = (28, 28, 28)
_FAINT = (190, 190, 190)


@dataclass(frozen=True, slots=True)
class MapOverlay:
    """What is drawn over the map: outlines in fractions of the frame, by name, and a line of text below."""

    shapes: Mapping[str, Sequence[Point]] = field(default_factory=dict)
    """Two points are a line, more an area."""
    caption: str = ""


def draw(cells: Floats, picture: Bytes | None = None, plan: MapOverlay | None = None) -> Bytes:
    """Return object-seconds by cell (rows, columns) as colours, uint8 BGR (height, width, 3).

    Over `picture` (uint8 BGR) where there is one, over grey otherwise. Colours follow the logarithm: a
    place where one stands is worth hundreds of places where one walks, and both should be seen.
    """
    if picture is None:
        picture = np.full((_WIDTH * cells.shape[0] // cells.shape[1], _WIDTH, 3), 96, np.uint8)
    drawn = _coloured(cells, picture)
    if plan is None:
        return drawn
    for name, points in plan.shapes.items():
        _outline(drawn, name, points)
    return np.vstack([drawn, _legend(drawn.shape[1], float(cells.max()), plan.caption)])


def _coloured(cells: Floats, picture: Bytes) -> Bytes:
    height, width = picture.shape[:2]
    heat = np.log1p(np.maximum(cells, 0.0))
    heat = heat / max(float(heat.max()), 1e-6)
    smooth = np.clip(cv2.resize(heat, (width, height), interpolation=cv2.INTER_CUBIC), 0.0, 1.0)
    colours = cv2.applyColorMap((255 * smooth).astype(np.uint8), cv2.COLORMAP_TURBO)
    opacity = (STRENGTH * np.sqrt(smooth))[..., None]
    drawn: Bytes = (picture * (1 - opacity) + colours * opacity).astype(np.uint8)
    return drawn


def _outline(drawn: Bytes, name: str, points: Sequence[Point]) -> None:
    height, width = drawn.shape[:2]
    pixels = np.round(np.asarray(points) * (width, height)).astype(np.int32)
    cv2.polylines(drawn, [pixels], len(points) > 2, _OUTLINE, max(1, width // 640), cv2.LINE_AA)
    x, y = pixels[pixels[:, 1].argmin()]
    size = _text_size(width)
    place = (int(np.clip(x + 6, 0, width - size * len(name) // 2)), int(np.clip(y + size, size, height - 4)))
    cv2.putText(drawn, name, place, _OUTLINE, cv2.FontFace("sans"), size, 400)


def _legend(width: int, most: float, caption: str) -> Bytes:
    """Return a bar: the caption, and which colour is how long."""
    size = _text_size(width)
    bar = np.full((2 * size, width, 3), _BAR, np.uint8)
    font, base = cv2.FontFace("sans"), round(1.35 * size)
    cv2.putText(bar, caption, (size // 2, base), _FAINT, font, size, 400)
    scale = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], cv2.COLORMAP_TURBO)
    ramp = cv2.resize(scale, (width // 6, size))
    end = f"{most:.0f} s" if most < 7200 else f"{most / 3600:.0f} h"
    wide = int(cv2.getTextSize((width, 100), end, (0, 0), font, size, 400)[2])
    left = width - wide - size - ramp.shape[1]
    bar[size // 2 : size // 2 + size, left : left + ramp.shape[1]] = ramp
    cv2.putText(bar, end, (width - wide - size // 2, base), _FAINT, font, size, 400)
    return bar


def _text_size(width: int) -> int:
    return max(14, width // 56)
