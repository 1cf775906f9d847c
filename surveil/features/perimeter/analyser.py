"""The analyser: finds what moves on its own path, from the gate's motion and the brightness plane."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from surveil.features.perimeter.paths import Path, Paths
from surveil.features.perimeter.scenery import PlaneBox, Region, Scenery
from surveil.features.perimeter.weather import Weather
from surveil.rules.movers import Mover, Movers
from surveil.types import Bytes, Floats, GateDecision, Motion, Polygon
from surveil.view import FrameView
from surveil.vision.background import rate
from surveil.vision.motion import moving_boxes, plane_size

QUIET_S = 1.0
"""How often the background is learned while nothing moves."""
GAP_S = 5.0
"""After a hole this long in the stream, everything begins again."""
SMALLEST = 1.0
"""Least length of what is followed, in heights of the smallest object that must be found."""
LARGEST = 0.9
"""What is longer than this share of the frame's height sits on the lens, or is the light."""
MANY, STANDS_OUT = 8, 3.0
"""Among more regions than this it is weather; only what is so much larger than most of them counts."""
CALM = 0.15
"""A place that moves for more of the time than this is a tree, water or a flag."""
REST_S, FIRST_S = 120.0, 20.0
"""Time constant with which places become restless, and the least one after the start."""
UNSTEADY = 0.25
"""By how much streaks that touch somebody move his box from look to look, lengths."""
UNDER_WAY = 0.5
"""What has gone this far, in its lengths, does not make its places restless."""
BLOCK = 8
"""Side of a place, px of the plane."""
ACTIVE, COARSE_ACTIVE = 8, 64
"""A place moves when more than this share of it does, of 255; where it rains it takes more."""


class MoverAnalyser:
    """Finds what moves on its own path. Owned by the holder of the camera's slot.

    While the gate sees nothing move it looks once a second, for what moves too slowly for the gate. `masks` are
    polygons in fractions of the frame, in which nothing counts.
    """

    wants_all = False
    """What it judges lasts: pictures far apart are enough while nothing moves."""

    def __init__(self, min_object_px: float, masks: Sequence[Polygon] = ()) -> None:
        self._min_object_px = min_object_px
        self._masks = tuple(masks)
        self._found: Movers | None = None
        self._scenery: Scenery | None = None
        self._paths = Paths()
        self._restless = np.zeros((1, 1), np.float32)
        self._weather = Weather(1, 1)
        self._t = self._t_first = 0.0

    def observe(self, view: FrameView) -> Movers | None:
        """Look at one frame; None where nothing has gone a way of its own."""
        frame, motion = view.frame, view.motion
        if motion is None or (frame.damaged and not frame.degraded):
            return None
        size = (frame.picture.width, frame.picture.height)
        plane = view.luma(*plane_size(*size, self._min_object_px))
        if self._scenery is None or self._scenery.shape != plane.shape or not 0 <= frame.t - self._t <= GAP_S:
            self._start(plane, frame.t)
            return None
        return self._look(self._scenery, plane, motion, frame.t, size)

    def lost(self) -> None:
        """Note that the stream was interrupted."""
        self._clear()

    def _start(self, plane: Bytes, t: float) -> None:
        self._scenery = Scenery(plane, self._masks)
        self._clear()
        rows, columns = plane.shape
        self._restless = np.zeros((-(-rows // BLOCK), -(-columns // BLOCK)), np.float32)
        self._weather = Weather(*self._restless.shape)
        self._t = self._t_first = t

    def _look(
        self, scenery: Scenery, plane: Bytes, motion: Motion, t: float, size: tuple[int, int]
    ) -> Movers | None:
        if motion.gate is GateDecision.CLOSED_GLOBAL and not scenery.is_coarse:
            scenery.seed(plane)
            self._clear()
            self._t = t
            return None
        if len(motion.boxes) or t - self._t >= QUIET_S:
            self._found = self._follow(scenery, plane, t, size)
        return self._found

    def _follow(self, scenery: Scenery, plane: Bytes, t: float, size: tuple[int, int]) -> Movers | None:
        dt, self._t = t - self._t, t
        held = [path.last.box for path in self._paths.paths if path.progress >= UNDER_WAY]
        mask = scenery.update(plane, dt, held)
        if mask is None:
            self._clear()
        else:
            self._rest(scenery, held, dt)
            regions = self._regions(scenery, mask, size)
            placed = [(region, self._is_calm(region.box)) for region in regions]
            self._paths.update(placed, scenery.difference, t, UNSTEADY if scenery.is_coarse else 0.0)
        self._rains(scenery, dt, held)
        found = tuple(self._mover(path, size, plane.shape) for path in self._paths.paths if path.is_way)
        return Movers(found) if found else None

    def _clear(self) -> None:
        self._paths.clear()
        self._found = None

    def _rest(self, scenery: Scenery, held: Sequence[PlaneBox], dt: float) -> None:
        """Learn which places move most of the time, apart from where something is under way."""
        moving = scenery.moving.copy()
        for x1, y1, x2, y2 in held:
            moving[y1:y2, x1:x2] = 0
        active = self._active(moving, COARSE_ACTIVE if scenery.is_coarse else ACTIVE)
        tau = min(REST_S, max(FIRST_S, self._t - self._t_first))
        self._restless += rate(dt, tau) * (active - self._restless)

    def _active(self, moving: Bytes, least: int) -> Floats:
        """Return 1 for each place of which more than a share `least` of 255 moves, else 0."""
        rows, columns = self._restless.shape
        return (cv2.resize(moving, (columns, rows), interpolation=cv2.INTER_AREA) > least).astype(np.float32)

    def _rains(self, scenery: Scenery, dt: float, held: Sequence[PlaneBox]) -> None:
        """Tell whether it rains, and look on as that asks for; while somebody is under way its end waits."""
        self._weather.update(self._active(scenery.flicker, ACTIVE), dt)
        if not scenery.is_coarse and self._weather.begins:
            scenery.coarsen()
        elif scenery.is_coarse and self._weather.ends and not held:
            scenery.refine()

    def _is_calm(self, box: PlaneBox) -> bool:
        x1, y1, x2, y2 = box
        part = self._restless[y1 // BLOCK : -(-y2 // BLOCK), x1 // BLOCK : -(-x2 // BLOCK)]
        return bool(part.mean() < CALM)

    def _regions(self, scenery: Scenery, mask: Bytes, size: tuple[int, int]) -> list[Region]:
        """Return what differs from the background and is of a likely size."""
        rows, columns = mask.shape
        scale = np.array([columns / size[0], rows / size[1]] * 2, np.float32)
        boxes = [_whole(box, mask.shape) for box in (moving_boxes(mask, size) * scale).tolist()]
        least, most = SMALLEST * self._min_object_px * rows / size[1], LARGEST * rows
        looked = [scenery.look(mask, box) for box in boxes]
        found = [region for region in looked if region and least <= region.length <= most]
        if len(boxes) <= MANY:
            return found
        usual = float(np.median([(b[2] - b[0]) * (b[3] - b[1]) for b in boxes]))
        return [region for region in found if region.box_area >= STANDS_OUT * usual]

    @staticmethod
    def _mover(path: Path, size: tuple[int, int], shape: tuple[int, ...]) -> Mover:
        fx, fy = size[0] / shape[1], size[1] / shape[0]
        x1, y1, x2, y2 = path.last.box
        feet = tuple((p.t, p.centre[0] * fx, p.box[3] * fy) for p in path.places)
        return Mover(id=path.id, box=(x1 * fx, y1 * fy, x2 * fx, y2 * fy), length=path.length * fy, path=feet)


def _whole(box: Sequence[float], shape: tuple[int, ...]) -> PlaneBox:
    """Return a box in whole px of the plane, inside it and not empty."""
    x1, y1 = min(max(0, int(box[0])), shape[1] - 1), min(max(0, int(box[1])), shape[0] - 1)
    return x1, y1, max(x1 + 1, min(shape[1], round(box[2]))), max(y1 + 1, min(shape[0], round(box[3])))
