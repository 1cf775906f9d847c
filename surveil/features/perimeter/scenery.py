"""The scene without people: a slow background of the small brightness plane.

The motion gate's own background takes in within seconds what moves slowly. This one keeps a crawling body apart
from the ground for a minute, and says of a change whether it is a thing or only light.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from surveil.types import Bytes, Floats, Polygon
from surveil.vision.background import LitPlane, light_cells, rate

PlaneBox = tuple[int, int, int, int]
"""x1 y1 x2 y2 in px of the plane."""

LEARN_S, STAY_S, NOISE_S = 4.0, 90.0, 10.0
"""Time constants of the background where nothing differs, where something does, and of the noise."""
FLOOR, NOISE_FACTOR, NOISE_MAX = 4.0, 4.0, 8.0
"""A change is more levels than these: a floor, and so many mean deviations of the place."""
UPHEAVAL = 0.4
"""When so much of the picture differs, it shows something else."""
SHARP = 0.23
"""Least slope of an edge, per px of the plane, as a share of the contrast: lights, shadows and what sits on the
lens are soft. Averaging over more px makes every edge softer."""
ALIKE = 0.6
"""Where the fine texture correlates so much with the background's, only the light is another."""
LEAST_AREA, FILLS = 8, 0.2
"""Least changed px of a region, and least share of its box: what is scattered is no one thing."""
SMALL, SMALL_FILLS = 24, 0.3
"""Length up to which something must fill more of its box: two leaves in the same gust do not. The legs of a body that
is so small in the plane run together."""
FINE = 1.0
"""Least deviation of the background's fine texture, levels, at which that can be told."""


CORE, DENSE = np.ones((3, 3), np.uint8), 0.25
"""Least share of a region's px with all their neighbours in it: foliage, streaks and flakes are thin, but so is a
body 4 px high."""
GRAIN = np.ones((2, 2), np.uint8)
"""What is smaller than this is grain."""
SIDE, COARSE_SIDE = 3, 5
"""Side of what each px of the plane is averaged over. Where it rains, a streak is nearly lost in the larger one."""
NEARBY = np.ones((7, 21), np.uint8)
"""Somebody is within this of where he was one plane before; streaks fall elsewhere in each. People go sideways."""
FLICKER, FLICKER_SIDE = 6.5, 15
"""Levels by which a px changes from one plane to the next where a streak falls, compared with the px around it on so
many px: what is wider, such as fog, changes all of them."""
COARSE_STAY_S, COARSE_SETTLE_S = 20.0, 8.0
"""`STAY_S` where it rains, and for how long everything is learned when that begins: the first plane has its streaks."""


@dataclass(frozen=True, slots=True)
class Region:
    """What a part of the plane shows that differs from the background."""

    box: PlaneBox
    area: int
    """Changed px of the plane."""
    is_thing: bool
    """Whether it is one thing with edges and a texture of its own: not light, not scattered, not cut off at a side
    of the picture."""
    is_dense: bool
    """Whether it is thick: many of its px have all their neighbours."""

    @property
    def length(self) -> int:
        """The longer side of the box."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])

    @property
    def box_area(self) -> int:
        """Px of the plane in the box."""
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])


class Scenery:
    """The background of one camera. Owned by the camera's slot; made again when the plane changes its size."""

    def __init__(self, plane: Bytes, masks: Sequence[Polygon] = ()) -> None:
        self.shape = plane.shape
        self._side = SIDE
        self.flicker: Bytes = np.zeros(self.shape, np.uint8)
        """255 where the plane flickers as where a streak falls, however coarsely it is looked at."""
        self._keep = np.full(plane.shape, 255, np.uint8)
        scale = np.array([plane.shape[1], plane.shape[0]])
        for polygon in masks:
            cv2.fillPoly(self._keep, [np.round(np.array(polygon) * scale).astype(np.int32)], 0)
        self._noise = np.full(plane.shape, 1.0, np.float32)
        self.seed(plane)

    def seed(self, plane: Bytes) -> None:
        """Take `plane` (uint8 (h, w)) for the background."""
        self._smooth, self._fine = _smoothed(plane, self._side), _smoothed(plane, SIDE)
        self._dry = _lit(self._fine)
        """The background as it is looked at where it is dry; where it rains it is learned along with `_lit`."""
        self._lit = _lit(self._smooth) if self.is_coarse else self._dry
        self._coarse_s = 0.0
        self.difference: Floats = np.zeros(self.shape, np.float32)
        self.moving: Bytes = np.zeros(self.shape, np.uint8)
        """255 where the plane differs from the one before by more than noise."""
        self._differed: Bytes = np.zeros(self.shape, np.uint8)

    @property
    def is_coarse(self) -> bool:
        """Whether it is looked at as where it rains: streaks are left out, and very small people with them."""
        return self._side == COARSE_SIDE

    def coarsen(self) -> None:
        """Look as where it rains; what is known of the background is kept."""
        self._side, self._coarse_s = COARSE_SIDE, 0.0
        self._lit = LitPlane(np.asarray(cv2.blur(self._dry.plane, (SIDE, SIDE)), np.float32), self._dry.cells)
        self._differed = np.zeros(self.shape, np.uint8)

    def refine(self) -> None:
        """Look as where it is dry; what is known of the background is kept."""
        self._side, self._smooth, self._lit = SIDE, self._fine, self._dry

    def update(self, plane: Bytes, dt: float, held: Iterable[PlaneBox]) -> Bytes | None:
        """Return 255 where `plane` differs from the background; learn but in the boxes `held`.

        None: nearly everything differs, so that the background was begun again.
        """
        before, self._smooth = self._smooth, _smoothed(plane, self._side)
        fine, self._fine = self._fine, _smoothed(plane, SIDE)
        self.flicker = _flicker(self._fine, fine)
        if (
            not self.is_coarse
        ):  # rain makes the light of a cell flicker, and the background would stray with it
            self._lit.relight(light_cells(self._smooth))
        background = self._lit.plane
        self.difference = np.asarray(cv2.subtract(self._smooth, background, dtype=cv2.CV_32F), np.float32)
        size = np.abs(self.difference)
        threshold = FLOOR + NOISE_FACTOR * np.minimum(self._noise, NOISE_MAX)
        differs = cv2.morphologyEx(cv2.compare(size, threshold, cv2.CMP_GT), cv2.MORPH_OPEN, GRAIN)
        mask: Bytes = np.asarray(cv2.bitwise_and(differs, self._keep), np.uint8)
        if cv2.countNonZero(mask) > UPHEAVAL * mask.size:
            self.seed(plane)
            return None
        moved = cv2.absdiff(self._smooth, before).astype(np.float32)
        self.moving = np.asarray(cv2.compare(moved, threshold, cv2.CMP_GT), np.uint8)
        self._learn(size, mask, dt, held)
        return self._lasting(mask) if self.is_coarse else mask

    def _lasting(self, mask: Bytes) -> Bytes:
        """Return what of the mask is near something that differed in the plane before, too."""
        before, self._differed = self._differed, mask
        lasting = cv2.bitwise_and(mask, cv2.dilate(before, NEARBY))
        return np.asarray(cv2.bitwise_and(mask, cv2.dilate(lasting, NEARBY)), np.uint8)

    def _learn(self, size: Floats, mask: Bytes, dt: float, held: Iterable[PlaneBox]) -> None:
        free = np.full(self.shape, 255, np.uint8)
        for x1, y1, x2, y2 in held:
            free[y1:y2, x1:x2] = 0
        still = cv2.bitwise_and(cv2.bitwise_not(mask), free)
        coarse = self.is_coarse
        self._coarse_s += dt
        settled = still if not coarse or self._coarse_s >= COARSE_SETTLE_S else free
        seen = [(self._smooth, self._lit)]
        if coarse:
            seen.append((self._fine, self._dry))
        for smooth, lit in seen:
            cv2.accumulateWeighted(smooth, lit.plane, rate(dt, COARSE_STAY_S if coarse else STAY_S), free)
            cv2.accumulateWeighted(smooth, lit.plane, rate(dt, LEARN_S), settled)
            lit.cells = light_cells(lit.plane)
        noise = np.minimum(size, 2 * NOISE_MAX)
        cv2.accumulateWeighted(noise, self._noise, rate(dt, NOISE_S), free if coarse else still)

    def look(self, mask: Bytes, around: PlaneBox) -> Region | None:
        """Say what the changed part in a box shows; None: hardly anything has changed there."""
        x1, y1, x2, y2 = around
        part = mask[y1:y2, x1:x2]
        area = cv2.countNonZero(part)
        if area < LEAST_AREA:
            return None
        x, y, w, h = cv2.boundingRect(part)
        box = (x1 + x, y1 + y, x1 + x + w, y1 + y + h)
        rows = slice(max(0, box[1] - 3), box[3] + 3)
        columns = slice(max(0, box[0] - 3), box[2] + 3)
        changed = mask[rows, columns] > 0
        if box[0] == 0 or box[1] == 0 or box[2] == self.shape[1]:
            return Region(box, area, is_thing=False, is_dense=False)
        core = cv2.countNonZero(cv2.erode(part[y : y + h, x : x + w], CORE, borderValue=0)) / area
        is_thing = _is_sharp(
            self.difference[rows, columns], changed, SHARP * SIDE / self._side
        ) and not self._is_light(rows, columns, changed)
        fills = SMALL_FILLS if max(w, h) <= SMALL else FILLS
        return Region(box, area, is_thing and area >= fills * w * h, core >= DENSE)

    def _is_light(self, rows: slice, columns: slice, changed: NDArray[np.bool_]) -> bool:
        """Whether the texture of the background still shows."""
        core = cv2.erode(changed.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        if core.sum() < 12:
            return False
        now = _fine(self._smooth[rows, columns].astype(np.float32))[core]
        before = _fine(np.asarray(self._lit.plane[rows, columns], np.float32))[core]
        if before.std() < FINE or now.std() < FINE / 2:
            return False
        return bool(np.corrcoef(now, before)[0, 1] > ALIKE)


def _lit(plane: Bytes) -> LitPlane:
    return LitPlane(plane.astype(np.float32), light_cells(plane))


def _smoothed(plane: Bytes, side: int) -> Bytes:
    return np.asarray(cv2.blur(plane, (side, side)), np.uint8)


def _flicker(now: Bytes, before: Bytes) -> Bytes:
    change = cv2.subtract(now, before, dtype=cv2.CV_32F)
    around = cv2.blur(change, (FLICKER_SIDE, FLICKER_SIDE))
    streaks = cv2.threshold(cv2.absdiff(change, around), FLICKER, 255, cv2.THRESH_BINARY)[1]
    return np.asarray(streaks, np.uint8)


def _fine(plane: Floats) -> Floats:
    """Return what is left of a plane without its coarse light and shade."""
    return np.asarray(plane - cv2.blur(plane, (5, 5)), np.float32)


def _is_sharp(difference: Floats, changed: NDArray[np.bool_], least: float) -> bool:
    """Whether the change has edges: its slope is at least this share of its contrast."""
    if not changed.any():
        return False
    across = cv2.Sobel(difference, cv2.CV_32F, 1, 0, ksize=3) / 8
    down = cv2.Sobel(difference, cv2.CV_32F, 0, 1, ksize=3) / 8
    slope = np.sqrt(across * across + down * down)
    contrast = np.percentile(np.abs(difference[changed]), 85)
    around = cv2.dilate(changed.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return bool(np.percentile(slope[around], 90) >= least * contrast)
