"""The motion gate: decides whether the detector looks at a frame, and where something moved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import partial

import cv2
import numpy as np

from surveil.types import BoolMap, Box, Bytes, Floats, GateDecision, Motion, Polygon, Track
from surveil.vision.background import Background, BackgroundChange
from surveil.vision.settings import MotionSettings

CELL = 4
"""Pixels of the plane to the side of a cell."""
CELL_MIN = 2 / CELL**2
"""Share of a cell's pixels that must change: one pixel alone is noise."""
BLOCKS = (8, 6)
"""Columns and rows of the parts by which a change of the whole picture is told."""
JUMP_MIN, MOVED_MIN = 0.25, 0.1
"""Share of a part's pixels that must jump from one frame to the next, or move."""
GAP_S = 5.0
"""After a hole this long in the stream, the background starts again."""
SETTLE_S = 2.0
"""After a start or a change of the whole picture the detector looks at every frame for this long, so that
the planner of crops gets round the picture once."""
GLOBAL_LOOK_S = 2.0
"""While the whole picture goes on changing, the detector looks this often: dense rain does that for long."""
ASKED_S = 10.0
"""For so long after the last motion it is asked what has changed by it; and whenever an idle look is due."""
PLANE_OBJECT_PX = 6.7
PLANE_MIN, PLANE_MAX = 320, 640
NEARLY = 0.01

KERNEL = np.ones((3, 3), np.uint8)
NOTHING: Floats = np.zeros((0, 4), np.float32)
NOTHING.setflags(write=False)


def plane_size(width: int, height: int, min_object_px: float) -> tuple[int, int]:
    """Return width and height of the brightness plane for a frame of `width` by `height` px.

    An object of `min_object_px` is then 6.7 px high, where it can still be told from noise; the longer side
    is between 320 and 640 px, and both are even. A reduction that is nearly a whole number is made one: that
    is scaled several times faster, and picture health asks for the same plane then.
    """
    longer = max(width, height)
    target = min(PLANE_MAX, max(PLANE_MIN, longer * PLANE_OBJECT_PX / min_object_px))
    reduction = max(1.0, longer / target)
    whole = round(reduction)
    if abs(whole - reduction) < NEARLY * reduction and longer // whole >= PLANE_MIN:
        reduction = whole
    return max(2, round(width / reduction / 2) * 2), max(2, round(height / reduction / 2) * 2)


class MotionGate:
    """The gate of one camera. Mutable; owned by the holder of the camera's slot.

    `masks` are polygons in fractions of the frame, 0..1, in which nothing counts.
    """

    def __init__(
        self, settings: MotionSettings, *, idle_interval_s: float, masks: Sequence[Polygon] = ()
    ) -> None:
        self._enabled = settings.enabled
        self._threshold = settings.threshold
        self._absorb_s = settings.absorb_s
        self._global_share = settings.global_share
        self._global_max_s = settings.global_max_s
        self._idle_interval_s = idle_interval_s
        self._masks = tuple(masks)
        self._background: Background | None = None
        self._keep: Bytes | None = None
        self._shape = (0, 0)
        self._t = self._t_settled = self._t_looked = 0.0
        self._t_global: float | None = None
        self._t_moved = -math.inf

    def copy(self) -> MotionGate:
        """Return a gate that has seen the same; only one of the two may go on."""
        made = copy(self)
        vars(made)["_background"] = self._background and self._background.copy()
        return made

    def update(self, luma: Bytes, t: float, size: tuple[int, int], tracks: Sequence[Track] = ()) -> Motion:
        """Return what moved in the plane `luma` (uint8 (h, w)) of a frame of `size` (width, height) px.

        `t` is stream time in s and may come at any rate; `tracks` are the objects followed so far.
        """
        motion = self._watch(luma, t, size, tracks)
        return motion if self._enabled else replace(motion, gate=GateDecision.OFF)

    def _watch(self, luma: Bytes, t: float, size: tuple[int, int], tracks: Sequence[Track]) -> Motion:
        background = self._background
        if background is None or luma.shape != self._shape or not 0 <= t - self._t <= GAP_S:
            return self._start(luma, t)
        change = background.update(luma, t - self._t, partial(self._learn_mask, size, tracks))
        self._t = t
        lasting_s = self._global_for(change, t)
        if lasting_s > self._global_max_s:
            return self._decide(GateDecision.MOTION, np.array([[0, 0, *size]], np.float32), 1.0, t, tracks)
        if lasting_s >= 0:
            background.seed(luma)
            self._t_settled = t + SETTLE_S
            motion = self._decide(GateDecision.CLOSED_GLOBAL, NOTHING, 1.0, t, tracks)
            return replace(motion, all_new=True)
        boxes, share = self._where(change.mask, size)
        gate = GateDecision.MOTION if len(boxes) else GateDecision.CLOSED_STILL
        if len(boxes):
            self._t_moved = t
        is_asked = t - self._t_moved <= ASKED_S or self._is_due(t)
        motion = self._decide(gate, boxes, share, t, tracks)
        return replace(motion, changed=_cells(background.changed())) if is_asked else motion

    def _where(self, mask: Bytes | None, size: tuple[int, int]) -> tuple[Floats, float]:
        """Return what moved outside the masks: boxes (px of the frame), and the share of the picture."""
        if mask is None:
            return NOTHING, 0.0
        if self._keep is not None:
            cv2.bitwise_and(mask, self._keep, mask)
        return moving_boxes(mask, size), cv2.countNonZero(mask) / mask.size

    def _start(self, luma: Bytes, t: float) -> Motion:
        """Begin with `luma` as the background."""
        self._background = Background(luma, self._threshold, self._absorb_s)
        self._shape = luma.shape
        self._keep = self._rasterise(luma.shape) if self._masks else None
        self._t = self._t_looked = t
        self._t_settled = t + SETTLE_S
        self._t_global = None
        return Motion(GateDecision.IDLE, NOTHING, 0.0, all_new=True)

    def _decide(
        self, gate: GateDecision, boxes: Floats, share: float, t: float, tracks: Sequence[Track]
    ) -> Motion:
        """Open a closed gate for objects that are followed, and for a look when it is time."""
        if gate is not GateDecision.MOTION:
            settling = gate is GateDecision.CLOSED_STILL and t < self._t_settled
            if any(not track.is_settled for track in tracks):
                gate = GateDecision.TRACK
            elif settling or self._is_due(t):
                gate = GateDecision.IDLE
        if gate.is_open:
            self._t_looked = t
        boxes.setflags(write=False)
        return Motion(gate, boxes, share)

    def _is_due(self, t: float) -> bool:
        """Whether it is time for a look though nothing moves, or everything does."""
        goes_on = self._t_global is not None and t - self._t_global >= GLOBAL_LOOK_S - 1e-6
        least_s = min(GLOBAL_LOOK_S, self._idle_interval_s) if goes_on else self._idle_interval_s
        return t - self._t_looked >= least_s - 1e-6

    def _global_for(self, change: BackgroundChange, t: float) -> float:
        """Return for how long most of the picture has been changing at once, s; below 0: it does not."""
        jumps = spread(change.jump, JUMP_MIN) >= self._global_share
        if not jumps and spread(change.mask, MOVED_MIN) < self._global_share:
            self._t_global = None
            return -1.0
        if self._t_global is None:
            self._t_global = t
        return t - self._t_global

    def _learn_mask(self, size: tuple[int, int], tracks: Sequence[Track]) -> Bytes | None:
        """Return 0 where objects are followed, so that they do not pass for noise; None: nowhere."""
        if not tracks:
            return None
        mask = np.full(self._shape, 255, np.uint8)
        for track in tracks:
            x1, y1, x2, y2 = _to_plane(track.box, size, self._shape)
            mask[y1:y2, x1:x2] = 0
        return mask

    def _rasterise(self, shape: tuple[int, ...]) -> Bytes:
        """Return 0 inside the masks, 255 elsewhere."""
        keep = np.full(shape, 255, np.uint8)
        scale = np.array([shape[1], shape[0]])
        for polygon in self._masks:
            cv2.fillPoly(keep, [np.round(np.array(polygon) * scale).astype(np.int32)], 0)
        return keep


def _to_plane(box: Box, size: tuple[int, int], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return `box` (px of the frame) in whole pixels of the plane, inside it, a pixel wider on each side."""
    fx, fy = shape[1] / size[0], shape[0] / size[1]
    return (
        max(0, int(box[0] * fx) - 1),
        max(0, int(box[1] * fy) - 1),
        max(0, int(box[2] * fx) + 2),
        max(0, int(box[3] * fy) + 2),
    )


def spread(mask: Bytes | None, least: float) -> float:
    """Return in what share of the picture's parts at least `least` of `mask` (uint8 (h, w)) is set."""
    blocks = BLOCKS[0] * BLOCKS[1]
    # Cheap first: below this, no distribution over the parts can reach half of them.
    if mask is None or cv2.countNonZero(mask) < 0.3 * least * mask.size:
        return 0.0
    return cv2.countNonZero(_above(_shrunk(mask, BLOCKS), 255 * least)) / blocks


def moving_boxes(mask: Bytes, size: tuple[int, int]) -> Floats:
    """Return float32 (n, 4) px of the frame: connected areas of `mask` (uint8 (h, w), 0 or 255).

    Areas less than a cell (4 px of the plane) apart are one.
    """
    if cv2.countNonZero(mask) < CELL_MIN * CELL**2:
        return NOTHING
    height, width = mask.shape
    grid = (-(-width // CELL), -(-height // CELL))
    hits = _above(_shrunk(mask, grid), 255 * CELL_MIN - 1)
    if not cv2.countNonZero(hits):
        return NOTHING
    joined = cv2.dilate(hits, KERNEL)
    stats = cv2.connectedComponentsWithStats(joined, connectivity=8)[2][1:, :4].astype(np.float32)
    x, y, w, h = stats.T
    # Dilation made the areas a cell wider on each side, except at the border of the picture.
    boxes = np.stack([x + (x > 0), y + (y > 0), x + w - (x + w < grid[0]), y + h - (y + h < grid[1])], axis=1)
    scale = np.array([size[0] / grid[0], size[1] / grid[1]] * 2, np.float32)
    return np.asarray(boxes * scale, np.float32)


def _cells(mask: Bytes) -> BoolMap:
    """Return in which cells of `mask` (uint8 (h, w), 0 or 255) most is set."""
    height, width = mask.shape
    cells = _shrunk(mask, (-(-width // CELL), -(-height // CELL))) > 127
    cells.setflags(write=False)
    return cells


def _above(plane: Bytes, level: float) -> Bytes:
    """Return 255 where `plane` is above `level`, else 0."""
    return np.asarray(cv2.threshold(plane, level, 255, cv2.THRESH_BINARY)[1], np.uint8)


def _shrunk(plane: Bytes, grid: tuple[int, int]) -> Bytes:
    """Return the means of `plane` over `grid` (columns, rows) cells."""
    return np.asarray(cv2.resize(plane, grid, interpolation=cv2.INTER_AREA), np.uint8)
