"""Tests a model on a picture with people: can the decoded outputs be boxes at all?

Formats of one shape differ in their values only: boxes in pixels read as 0..1, or the other way round, are all
smaller than a pixel or all outside, and nobody is ever found. The picture is drawn (see `surveil.demo`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from surveil.detect.letterbox import InputPlacement, Tensor, fit, write
from surveil.detect.session import zeros
from surveil.detect.spec import InputSpec
from surveil.types import Bytes, Detections, Floats

PICTURE = Path(__file__).with_name("people.jpg")
PEOPLE = 3
"""How many people the picture shows."""
FAINT = 1e-6
"""Least score of a box that is judged: a graph with suppression inside fills its table up with zeros."""
_SURE = 0.05
_TINY_PX = 2.0
_MARGIN = 0.25
"""A box's centre may lie this far outside of the input, in sides of it."""


class BoxesVerdict(StrEnum):
    """What the boxes of a trial look like."""

    GOOD = "good"
    NOTHING = "nothing"
    """There is no box: nothing to judge."""
    TINY = "tiny"
    OUTSIDE = "outside"
    BROKEN = "broken"


_REASONS = {
    BoxesVerdict.GOOD: "",
    BoxesVerdict.NOTHING: "the model finds nothing",
    BoxesVerdict.TINY: "every box is smaller than two pixels",
    BoxesVerdict.OUTSIDE: "every box lies outside of the picture",
    BoxesVerdict.BROKEN: "the boxes or scores are no numbers",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a decoder read in the picture with people."""

    verdict: BoxesVerdict = BoxesVerdict.NOTHING
    found: Detections = field(default_factory=Detections.empty)
    """In px of the picture."""

    @property
    def is_bad(self) -> bool:
        """Whether no model that works looks like this."""
        return self.verdict not in (BoxesVerdict.GOOD, BoxesVerdict.NOTHING)

    @property
    def reason(self) -> str:
        """What is wrong, for people; empty when it is well."""
        return _REASONS[self.verdict]


@cache
def picture() -> Bytes:
    """Return the picture with people, uint8 RGB (height, width, 3); not to be written to."""
    bgr = cv2.imdecode(np.frombuffer(PICTURE.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    rgb = np.ascontiguousarray(bgr[:, :, ::-1])
    rgb.flags.writeable = False
    return np.asarray(rgb, np.uint8)


def prepared(spec: InputSpec) -> tuple[Tensor, InputPlacement]:
    """Return the picture as the model's input, and where it lies in it."""
    rgb = picture()
    where = fit(spec, (0, 0, rgb.shape[1], rgb.shape[0]))
    tensor = zeros(spec.shape, spec.dtype)
    write(spec, _scaled(rgb, where.width, where.height), where, tensor)
    return tensor, where


def judge(found: Detections, size: tuple[int, int]) -> BoxesVerdict:
    """Return what the surest boxes, in px of an input of `size` (width, height), look like."""
    if not len(found):
        return BoxesVerdict.NOTHING
    if not (np.isfinite(found.boxes).all() and np.isfinite(found.scores).all()):
        return BoxesVerdict.BROKEN
    boxes = found.boxes[found.scores >= min(_SURE, float(found.scores.max()) / 2)]
    sides = boxes[:, 2:] - boxes[:, :2]
    if bool((sides.max(axis=1) < _TINY_PX).all()):
        return BoxesVerdict.TINY
    return BoxesVerdict.GOOD if bool(_inside(boxes, size).any()) else BoxesVerdict.OUTSIDE


def _inside(boxes: Floats, size: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    share = (boxes[:, :2] + boxes[:, 2:]) / 2 / np.array(size, np.float32)
    return np.asarray(((share >= -_MARGIN) & (share <= 1 + _MARGIN)).all(axis=1))


def _scaled(rgb: Bytes, width: int, height: int) -> Bytes:
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
