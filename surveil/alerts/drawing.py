"""The annotated picture: what was seen, where and by which rule, readable at any resolution.

The text stands in a bar below the picture and never covers it. Small pictures are enlarged first.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import cv2
import numpy as np

from surveil.titles import local_and_utc, replace_last
from surveil.types import Alert, Bytes, Point, Polygon, Track

_MIN_WIDTH = 640
"""Pixels: narrower pictures are enlarged so that the text fits."""
_HALF_WIDTH = 960
"""Pixels of each of two pictures side by side."""
_STAND_INS = ("?", "\N{REPLACEMENT CHARACTER}")
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
    height, width = round(picture.shape[0] * scale), round(picture.shape[1] * scale)
    whole = np.empty((height + _bar_height(width), width, 3), np.uint8)
    canvas = whole[:height]
    if scale > 1:
        cv2.resize(picture, (width, height), dst=canvas)
    else:
        canvas[:] = picture
    thick = max(2, round(width / 480))
    _draw_places(canvas, alert, drawing, scale, thick)
    for track in tracks:
        if track.id != alert.track:
            _draw_box(canvas, track.box, _TRACK, scale, max(1, thick // 2))
    if alert.box:
        _draw_box(canvas, alert.box, _ALERT, scale, thick)
    _write_bar(whole[height:], alert)
    return whole


def beside(before: Bytes, now: Bytes, t_before: float, t_now: float) -> Bytes:
    """Return two pictures of a camera side by side, uint8 BGR, each with its local time; times in Unix s."""
    width = min(_HALF_WIDTH, now.shape[1])
    height = round(now.shape[0] * width / now.shape[1])
    gap = np.full((height, max(2, width // 160), 3), _WHITE, np.uint8)
    halves = [
        _titled(picture, (width, height), word, t)
        for picture, word, t in ((before, "before", t_before), (now, "now", t_now))
    ]
    return np.hstack([halves[0], gap, halves[1]])


def _titled(picture: Bytes, size: tuple[int, int], word: str, t: float) -> Bytes:
    half = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    title = f"{word} {datetime.fromtimestamp(t).astimezone():%H:%M:%S}"
    letter, font = max(14, size[0] // 32), cv2.FontFace("sans")
    wide = int(cv2.getTextSize(size, title, (0, 0), font, letter, 600)[2])
    half[: round(1.6 * letter), : wide + letter] = _BAR
    cv2.putText(half, title, (letter // 2, round(1.2 * letter)), _WHITE, font, letter, 600)
    return half


def _draw_places(canvas: Bytes, alert: Alert, drawing: Drawing, scale: float, thick: int) -> None:
    if alert.zone in drawing.zones:
        points = _pixels(drawing.zones[alert.zone], scale)
        _tint(canvas, points)
        cv2.polylines(canvas, [points], isClosed=True, color=_ZONE, thickness=thick, lineType=cv2.LINE_AA)
    if alert.line in drawing.lines:
        points = _pixels(drawing.lines[alert.line], scale)
        cv2.polylines(canvas, [points], isClosed=False, color=_ZONE, thickness=thick, lineType=cv2.LINE_AA)


def _tint(canvas: Bytes, points: np.ndarray[tuple[int, ...], np.dtype[np.int32]]) -> None:
    """Lay a thin colour over a polygon; touches only the rectangle around it."""
    height, width = canvas.shape[:2]
    x1, y1 = np.clip(points.min(axis=0), 0, (width, height))
    x2, y2 = np.clip(points.max(axis=0) + 1, 0, (width, height))
    part = canvas[y1:y2, x1:x2]
    if part.size:
        tint = part.copy()
        cv2.fillPoly(tint, [points - np.array([x1, y1], np.int32)], _ZONE)
        cv2.addWeighted(tint, 0.15, part, 0.85, 0, dst=part)


def _draw_box(
    canvas: Bytes, box: tuple[float, float, float, float], colour: Colour, scale: float, thick: int
) -> None:
    x1, y1, x2, y2 = (round(v * scale) for v in box)
    cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, thick, cv2.LINE_AA)


def _pixels(points: Sequence[Point], scale: float) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    return np.round(np.asarray(points, np.float64) * scale).astype(np.int32)


def _text_size(width: int) -> int:
    """Return the height of a capital letter and a bit, px."""
    return max(18, width // 48)


def _bar_height(width: int) -> int:
    return _text_size(width) * 7 // 2


def _write_bar(bar: Bytes, alert: Alert) -> None:
    """Fill the bar: two lines, the first what happened, the second when and how sure."""
    # NumPy takes a millisecond for it, three bytes at a time.
    cv2.rectangle(bar, (0, 0), (bar.shape[1], bar.shape[0]), _BAR, cv2.FILLED)
    size = _text_size(bar.shape[1])
    font = cv2.FontFace("sans")
    first, second = caption(alert)
    _line(bar, first, size, round(size * 1.35), _WHITE, font)
    _line(bar, second, size, round(size * 2.75), _GREY, font)


def caption(alert: Alert) -> tuple[str, str]:
    """Return the two lines of text."""
    text, names = alert.text, []
    for name in ("camera", "rule", "zone" if alert.zone else "line"):
        title, own = alert.title(name), str(getattr(alert, name))
        if can_draw(title):
            names.append(title)
        else:
            names.append(own)
            text = replace_last(text, title, own)
    what = " · ".join(part for part in (*names, text) if part)
    rest = [local_and_utc(alert.t_wall), f"{alert.label} {alert.score:.2f}".strip()]
    if alert.degraded:
        rest.append("picture damaged")
    return what, " · ".join(rest)


def can_draw(text: str) -> bool:
    """Return whether the font has every character: it has those of Europe, East Asia, Hebrew and Arabic."""
    return all(character.isspace() or _has_glyph(character) for character in text)


@functools.lru_cache(maxsize=4096)
def _has_glyph(character: str) -> bool:
    """Return whether a character looks other than what stands for one that the font does not have."""
    return character in _STAND_INS or not any(
        np.array_equal(_look(character), _look(one)) for one in _STAND_INS
    )


@functools.lru_cache(maxsize=16)
def _look(character: str) -> Bytes:
    canvas = np.zeros((48, 64, 3), np.uint8)
    cv2.putText(canvas, character, (8, 36), _WHITE, cv2.FontFace("sans"), 24, 400)
    return canvas


def _line(bar: Bytes, text: str, size: int, y: int, colour: Colour, font: cv2.FontFace) -> None:
    """Write one line, cut to the width."""
    space = bar.shape[1] - size
    while text and cv2.getTextSize((bar.shape[1], 100), text, (0, 0), font, size, 400)[2] > space:
        text = text[:-2].rstrip("…") + "…" if len(text) > 2 else ""
    cv2.putText(bar, text, (size // 2, y), colour, font, size, 400)
