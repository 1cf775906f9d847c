"""Draws what is usual at each place, and why something is not. OpenCV only; arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Callable
from math import hypot

import cv2
import numpy as np

from surveil.features.normality.cells import Sums
from surveil.features.normality.model import SceneModel
from surveil.features.normality.plane import CELL
from surveil.features.normality.result import Explanation
from surveil.types import Bytes, Floats

PANEL = 360
"""Rows of a panel, px."""
TITLE = 26
"""Rows of a line of text, px."""


def usual_maps(model: SceneModel, hide: Callable[[Bytes], Bytes] | None = None) -> Bytes:
    """Return three panels beside each other, BGR: usual speed, direction, presence over the background.

    `hide` makes a BGR picture of this camera fit to be shown; applied to the background.
    """
    usual = model.usual()
    back = _panel(model.geometry.background)
    back = hide(back) if hide else back
    weight = model.sums["speed"].weight
    presence = np.asarray(np.log1p(weight), np.float32)
    speed = usual["speed"].mean[0] * (weight > 0)
    panels = (
        _title(_overlay(back, speed), f"usual speed, up to {speed.max():.0f} px/s of 240 rows"),
        _title(_arrows(back, usual["direction"].mean, weight), "usual direction"),
        _title(_overlay(back, presence), f"presence in {model.seen.seconds / 3600:.1f} h"),
    )
    return np.concatenate(panels, axis=1)


def explained(
    picture: Bytes,
    frame: tuple[int, int],
    why: Explanation,
    rows: int = PANEL,
    hide: Callable[[Bytes], Bytes] = lambda picture: picture,
) -> Bytes:
    """Return the picture with heat and box, and the nearest usual example beside it, BGR.

    Args:
        picture: grey or BGR, any size.
        frame: width and height of the camera's frames, px: what the box refers to.
        why: the explanation.
        rows: height of each of the two, px.
        hide: makes a BGR picture of this camera fit to be stored; applied to the example.
    """
    shown = _overlay(_panel(picture, rows), np.maximum(why.heat, 0.0))
    sx, sy = shown.shape[1] / frame[0], shown.shape[0] / frame[1]
    x1, y1, x2, y2 = why.box
    corners = (round(x1 * sx), round(y1 * sy)), (round(x2 * sx), round(y2 * sy))
    cv2.rectangle(shown, *corners, (0, 0, 255), 2)
    parts = [_title(shown, "this frame")]
    if why.example is not None:
        example = cv2.imdecode(np.frombuffer(why.example, np.uint8), cv2.IMREAD_GRAYSCALE)
        if example is not None:
            beside = hide(_panel(np.asarray(example, np.uint8), rows))
            parts.append(_title(beside, "the most that was usual near there"))
    return _title(np.concatenate(parts, axis=1), f"{why.attribute}: {why.words}")


def png(picture: Bytes) -> bytes:
    """Return the picture as PNG."""
    return np.asarray(cv2.imencode(".png", picture)[1]).tobytes()


def jpeg(picture: Bytes, quality: int = 80) -> bytes:
    """Return the picture as JPEG."""
    return np.asarray(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]).tobytes()


def _panel(picture: Bytes, rows: int = PANEL) -> Bytes:
    width = round(picture.shape[1] * rows / picture.shape[0])
    shrink = picture.shape[0] >= rows
    how = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
    sized = cv2.resize(picture, (width, rows), interpolation=how)
    return np.asarray(cv2.cvtColor(sized, cv2.COLOR_GRAY2BGR) if sized.ndim == 2 else sized, np.uint8)


def _overlay(picture: Bytes, values: Floats) -> Bytes:
    """Lay a map over the picture, stronger where it is higher."""
    top = float(values.max()) if values.size else 0.0
    if top <= 0:
        return picture.copy()
    share = cv2.resize(np.asarray(values / top, np.float32), (picture.shape[1], picture.shape[0]))
    colour = cv2.applyColorMap(np.asarray(np.clip(share, 0, 1) * 255, np.uint8), cv2.COLORMAP_INFERNO)
    alpha = np.clip(share, 0, 1)[..., None] * 0.7
    return np.asarray(picture * (1 - alpha) + colour * alpha, np.uint8)


def _arrows(picture: Bytes, mean: Floats, weight: Sums) -> Bytes:
    shown = picture.copy()
    step = CELL * PANEL / 240
    longest = float(np.hypot(mean[0], mean[1]).max()) or 1.0
    for r in range(1, mean.shape[1], 3):
        for c in range(1, mean.shape[2], 3):
            if weight[r - 1 : r + 2, c - 1 : c + 2].sum() > 0:
                _arrow(shown, ((c + 0.5) * step, (r + 0.5) * step), (mean[0, r, c], mean[1, r, c]), longest)
    return shown


def _arrow(picture: Bytes, at: tuple[float, float], velocity: tuple[float, float], longest: float) -> None:
    vx, vy = velocity
    length = 16.0 * (hypot(vx, vy) / longest) ** 0.5 + 3.0
    scale = length / max(hypot(vx, vy), 1e-6)
    end = (round(at[0] + vx * scale), round(at[1] + vy * scale))
    cv2.arrowedLine(picture, (round(at[0]), round(at[1])), end, (0, 200, 255), 1, cv2.LINE_AA, 0, 0.35)


def _title(picture: Bytes, text: str) -> Bytes:
    bar = np.zeros((TITLE, picture.shape[1], 3), np.uint8)
    cv2.putText(bar, text, (6, 18), (255, 255, 255), cv2.FontFace("sans"), 15, 400)
    return np.concatenate([bar, picture])
