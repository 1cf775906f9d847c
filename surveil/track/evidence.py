"""Confirms new objects by the evidence for them over time, beside the detector's score in one look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum

import numpy as np

from surveil.detect.labels import LIVING
from surveil.geometry import areas, intersection
from surveil.track.settings import TrackSettings
from surveil.types import BoolMap, Box, Doubles, Floats, GateDecision, Motion

CELLS = (64, 36)
"""Columns and rows of the map that remembers when a place moved."""
FRESH_S = 10.0
"""What is found in a place that moved so lately may have come there."""
EMPTIED_S = 600.0
"""Nothing is known of whether a place was empty before this."""
BLIND_S = 5.0
"""After a hole this long in the stream it is not known what moved."""
CAME_SHARE = 0.5
"""Somebody has come to a place when this share of it moved."""
CHANGED_SHARE = 0.3
"""Somebody is in a place when this share of it differs from before he came."""
OWN_SHARE, OWN_LEAST = 0.7, 0.02
"""A movement is the object's own when this share of it lies in its box; and of the box, so much moves."""
OWN_TIMES, OWN_APART_S = 2, 1.0
"""So many movements of its own, so far apart, are no chance."""
STILL_DOUBT = 0.4
"""Of what is missing to 1 above `certain_score`, what never moved in a place that never did must have this share."""
PATIENCE_S = 20.0
"""A new object that was not looked for is remembered for this long."""
LEAST_LOOKS = 3
"""So many looks must miss a new object before it is forgotten."""
FAINT_S = 2.0
"""Who came or moves by himself is believed when he was found faintly for this long, or surely for half of it."""
STEP_S = 1.0
"""Most that one find adds to the time for which an object was found."""


class Grade(IntEnum):
    """How sure one detection is."""

    WEAK = 0
    """Enough to continue a track."""
    FAINT = 1
    """Enough to start one where something came or moves by itself."""
    SURE = 2
    CERTAIN = 3
    BEYOND_DOUBT = 4
    """Enough for what never moved, in a place that never did."""


def grades(
    scores: Doubles, sure: Doubles, certain: Doubles, low: float
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the grade of each score; `sure` and `certain` are the least scores of each detection's class."""
    faint = np.maximum(low, sure - FAINT * (1 - sure))
    beyond = certain + STILL_DOUBT * (1 - certain)
    steps = np.stack([faint, sure, np.maximum(certain, sure), np.maximum(beyond, sure)])
    return np.asarray((scores[None] >= steps).sum(axis=0))


FAINT = 0.27
"""A faint detection is this share of the doubt that `high_score` leaves below it: .30 for .45, and none for 1."""


class MovedPlaces:
    """When each place of the picture last moved. Mutable; owned by the tracker."""

    def __init__(self) -> None:
        self._moved = np.full((CELLS[1], CELLS[0]), -math.inf)
        self._size: tuple[int, int] | None = None
        self._t = -math.inf
        self._boxes: Floats = np.zeros((0, 4), np.float32)
        self._changed: BoolMap | None = None
        self._since = -math.inf
        self.known = False
        """Whether it is known what moved."""

    def note(self, motion: Motion | None, t: float, size: tuple[int, int] | None) -> None:
        """Take what moved in the frame of stream time `t`. Without a gate every frame is looked at, moved or not."""
        if size != self._size or t - self._t > BLIND_S:
            self._moved.fill(-math.inf)
            self._since = t
        is_gated = motion is not None and motion.gate is not GateDecision.OFF
        self.known = is_gated and size is not None and t - self._t <= BLIND_S
        self._size, self._t = size, t
        # When all of the picture changes nothing is said of any place.
        self._boxes = motion.boxes if motion is not None and motion.share < 1 else self._boxes[:0]
        for box in self._boxes.tolist():
            self._moved[self._cells(box, self._moved)] = t
        self._changed = motion.changed if motion is not None else None

    def share(self, box: Sequence[float], within_s: float) -> float:
        """Return the share of `box` that moved in the last `within_s`."""
        return float((self._moved[self._cells(box, self._moved)] >= self._t - within_s).mean())

    def is_changed(self, box: Box) -> bool:
        """Tell whether `box` differs from what it was before, as far as that is known."""
        if self._changed is None:
            return True
        return float(self._changed[self._cells(box, self._changed)].mean()) >= CHANGED_SHARE

    def is_untouched(self, box: Box, within_s: float) -> bool:
        """Tell whether it is known that nothing moved in `box` in the last `within_s`, as far as anybody looked.

        Of what has gone out of the picture nothing is known.
        """
        return self.known and self._is_in_view(box) and self.share(box, within_s) == 0

    def knows_since(self, t: float) -> bool:
        """Tell whether nothing that moved since stream time `t` was missed: there was no hole in the stream."""
        return self.known and self._since <= t

    def _is_in_view(self, box: Box) -> bool:
        """Whether the middle of `box` lies in the picture."""
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        return self._size is not None and 0 <= x <= self._size[0] and 0 <= y <= self._size[1]

    def moves_by_itself(self, boxes: Doubles) -> BoolMap:
        """Return for each box (n, 4) px whether something moves in it now, and hardly anything around it."""
        if not len(self._boxes) or not len(boxes):
            return np.zeros(len(boxes), np.bool_)
        moving = self._boxes.astype(np.float64)
        common = intersection(boxes[:, None], moving[None])
        own = common >= OWN_SHARE * areas(moving)[None]
        moved: BoolMap = (common * own).sum(axis=1) >= OWN_LEAST * areas(boxes)
        return moved

    def _cells(self, box: Sequence[float], places: Doubles | BoolMap) -> tuple[slice, slice]:
        """Return what of `places` (h, w) a box covers."""
        rows, columns = places.shape
        width, height = self._size or (1, 1)
        fx, fy = columns / width, rows / height
        x1, y1 = min(columns - 1, max(0, int(box[0] * fx))), min(rows - 1, max(0, int(box[1] * fy)))
        return slice(y1, max(y1 + 1, round(box[3] * fy))), slice(x1, max(x1 + 1, round(box[2] * fx)))


class Evidence:
    """What speaks for one new object. Mutable; owned by its tracklet."""

    __slots__ = (
        "_faint_s", "_own", "_t_found", "_t_own", "best", "came", "differs", "hits", "lives", "moved", "was_empty",
    )  # fmt: skip

    def __init__(self) -> None:
        self.hits = 0
        """Sure detections."""
        self.best = Grade.WEAK
        self.moved = False
        """Whether it left the place where it was first seen."""
        self.came = False
        """Whether its place moved before it was found there."""
        self.differs = True
        """Whether its place looks other than before, as far as that is known."""
        self.lives = False
        """Whether it moves by itself."""
        self.was_empty: bool | None = None
        """Whether its place ever moved; None: not known."""
        self._faint_s = 0.0
        self._t_found: float | None = None
        self._own, self._t_own = 0, -math.inf

    def found(self, grade: Grade, t: float) -> None:
        """Take a detection."""
        if grade >= Grade.FAINT:
            if self._t_found is not None:
                self._faint_s += min(STEP_S, t - self._t_found) * (2.0 if grade >= Grade.SURE else 1.0)
            self._t_found = t
        self.hits += grade >= Grade.SURE
        self.best = max(self.best, grade)

    def moves_by_itself(self, t: float) -> None:
        """Note a movement of its own."""
        if t - self._t_own >= OWN_APART_S:
            self._own, self._t_own = self._own + 1, t
        self.lives = self.lives or self._own >= OWN_TIMES

    @property
    def is_news(self) -> bool:
        """Whether it has not always been there."""
        return (self.came and self.differs) or self.lives

    def suffices(self, label: str, settings: TrackSettings) -> bool:
        """Tell whether the object is believed."""
        if self.is_news and label in LIVING and self._faint_s >= FAINT_S:
            return True
        if self.hits < settings.confirm_hits:
            return False
        is_furniture = self.was_empty is False and not self.is_news and label in LIVING
        least = Grade.BEYOND_DOUBT if is_furniture else Grade.CERTAIN
        return (self.moved and self.differs) or self.best >= least
