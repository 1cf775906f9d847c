"""The annotated picture: what was seen, where, by which rule, readable at any resolution.

The text stands in a bar below the picture and never covers it. Small pictures are enlarged first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import cv2
import numpy as np

from surveil.types import Alert, Bytes, Point, Polygon, Track

_MIN_WIDTH = 640
"""Pixels: narrower pictures are enlarged so that the text fits."""
Colour = tuple[int, int, int]
_ALERT: Colour = (40, 40, 230)
_TRACK: Colour = (200, 200, 60)
_ZONE: Colour = (60, 200, 250)
_BAR: Colour = (28, 28, 28)
_WHITE: Colour = (245, 245, 245)
_GREY: Colour = (190, 190, 190)


@dataclass(frozen=True, slots=True)
class Drawing:
    """What may be drawn into a camera's pictures: zones and lines in pixels of the frame."""

    zones: Mapping[str, Polygon] = field(default_factory=dict)
    lines: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)


def annotate(picture: Bytes, alert: Alert, tracks: Sequence[Track], drawing: Drawing) -> Bytes:
    """Return a copy, uint8 BGR, with boxes, the zone or line of the alert, and a bar of text below."""
    scale = max(1.0, _MIN_WIDTH / picture.shape[1])
    canvas: Bytes = picture.copy()
    if scale > 1:
        canvas = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale), np.uint8)
    thick = max(2, round(canvas.shape[1] / 480))
    _draw_places(canvas, alert, drawing, scale, thick)
    for track in tracks:
        if track.id != alert.track:
            _draw_box(canvas, track.box, _TRACK, scale, max(1, thick // 2))
    if alert.box:
        _draw_box(canvas, alert.box, _ALERT, scale, thick)
    return np.vstack([canvas, _bar(canvas.shape[1], alert)])


def _draw_places(canvas: Bytes, alert: Alert, drawing: Drawing, scale: float, thick: int) -> None:
    if alert.zone in drawing.zones:
        points = _pixels(drawing.zones[alert.zone], scale)
        tint = canvas.copy()
        cv2.fillPoly(tint, [points], _ZONE)
        cv2.addWeighted(tint, 0.15, canvas, 0.85, 0, dst=canvas)
        cv2.polylines(canvas, [points], isClosed=True, color=_ZONE, thickness=thick, lineType=cv2.LINE_AA)
    if alert.line in drawing.lines:
        points = _pixels(drawing.lines[alert.line], scale)
        cv2.polylines(canvas, [points], isClosed=False, color=_ZONE, thickness=thick, lineType=cv2.LINE_AA)


def _draw_box(
    canvas: Bytes, box: tuple[float, float, float, float], colour: Colour, scale: float, thick: int
) -> None:
    x1, y1, x2, y2 = (round(v * scale) for v in box)
    cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, thick, cv2.LINE_AA)


def _pixels(points: Sequence[Point], scale: float) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    return np.round(np.asarray(points, np.float64) * scale).astype(np.int32)


def _bar(width: int, alert: Alert) -> Bytes:
    """Return the bar: two lines, the first what happened, the second when and how sure."""
    size = max(18, width // 48)
    bar = np.full((size * 3 + size // 2, width, 3), _BAR, np.uint8)
    first, second = caption(alert)
    _line(bar, first, size, round(size * 1.35), _WHITE)
    _line(bar, second, size, round(size * 2.75), _GREY)
    return bar


def caption(alert: Alert) -> tuple[str, str]:
    """Return the two lines of text."""
    place = alert.zone or alert.line
    what = " · ".join(part for part in (alert.camera, alert.rule, place, alert.text) if part)
    when = datetime.fromtimestamp(alert.t_wall, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    rest = [when, f"{alert.label} {alert.score:.2f}".strip()]
    if alert.degraded:
        rest.append("picture damaged")
    return what, " · ".join(rest)


def _line(bar: Bytes, text: str, size: int, y: int, colour: Colour) -> None:
    """Write one line, cut to the width."""
    font = cv2.FontFace("sans")
    space = bar.shape[1] - size
    while text and cv2.getTextSize((bar.shape[1], 100), text, (0, 0), font, size, 400)[2] > space:
        text = text[:-2].rstrip("…") + "…" if len(text) > 2 else ""
    cv2.putText(bar, text, (size // 2, y), colour, font, size, 400)
