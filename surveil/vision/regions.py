"""Chooses the parts of a frame for the detector: moving regions, tracked objects, and the rest in turn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np

from surveil.detect.labels import LIVING, needs_close_look
from surveil.geometry import areas, shares_in
from surveil.types import BoolMap, Crop, Floats, GateDecision, Motion, Track
from surveil.vision.crops import EVEN, SLACK, CropLimits, cover, square, tiles, tiles_beside_whole
from surveil.vision.foresight import NO_EDGES, Foresight, Reach, ahead
from surveil.vision.lookmap import LookMap
from surveil.vision.motion import SETTLE_S

OWN_SHARE = 0.7
"""A movement belongs to somebody who is followed when this share of it lies in his place."""
MARGIN = 0.3
"""Margin around a box, of its longer side: motion often shows legs only."""
LARGE_AGAIN_S = 1.0
"""An area too large for one crop is seen whole every time, and in tiles this often where something moves that belongs
to nobody who is followed. Elsewhere in it, tiles get idle looks."""
CARRIED = 0.5
"""What somebody carries is at most this part of his own area: a car behind him is larger."""
SELDOM = 6
"""Where nothing has changed since the last looks, idle looks are so many times rarer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What is to be looked at in one frame: float32 (n, 4) px, with margins."""

    unsure: Floats
    """People and animals of whom the detector is not sure."""
    sure: Floats
    """What else is followed."""
    loose: Floats
    """What moves and belongs to nobody who is followed."""

    def any(self) -> bool:
        """Whether there is anything."""
        return len(self.unsure) + len(self.sure) + len(self.loose) > 0


class RegionPlanner:
    """Chooses the crops of one camera. Mutable; owned by the holder of the camera's slot.

    It remembers when each place was looked at: when there are more crops than `max_crops`, those that have
    waited longest come first, and an idle look takes the tile that has waited longest.
    """

    def __init__(
        self,
        *,
        input_px: int,
        min_object_px: float,
        max_crops: int,
        idle_interval_s: float,
    ) -> None:
        self._limits = CropLimits.of(input_px, min_object_px)
        self._max_crops = max_crops
        self._idle_interval_s = idle_interval_s
        self._t_tile = self._t_new = -math.inf
        self._tile_turn = self._close_turn = self._second_turn = False
        self._t = math.inf
        self._passed_s = 0.0
        self._size = (0, 0)
        self._looks = self._small_looks = self._close_looks = LookMap((1, 1))
        self._tiles: list[Crop] = []
        self._reach = Reach()

    def plan(
        self,
        motion: Motion,
        tracks: Sequence[Track],
        size: tuple[int, int],
        t: float,
        foresight: Foresight = NO_EDGES,
    ) -> tuple[Crop, ...]:
        """Return the crops to look at in a frame of `size` (width, height) px at stream time `t`.

        At most `max_crops`, longest waiting first; none when the gate is closed, or when everything that moves was
        found lately and moves as foreseen. Without a gate the whole picture comes first, and one other crop at least
        beside it, even if `max_crops` is 1.
        """
        self._passed_s, self._t = max(0.0, t - self._t), t
        if size != self._size:
            self._start(size)
        self._looks.note(motion)
        self._small_looks.note(motion)
        if motion.all_new:
            self._t_new = t
        if not motion.gate.is_open:
            return ()
        crops = self._choose(motion, tracks, t, foresight)
        for crop in crops:
            # Every second look at what moves has more around it: both count for the same places.
            around = square(crop, self._limits.native, size)
            if not self._is_large(crop):
                self._small_looks.look(crop, t, around)
            if len(self._tiles) == 1 or crop != (0, 0, *size):
                self._looks.look(crop, t, around)
        return crops

    def _is_large(self, crop: Crop) -> bool:
        """Whether small things are not seen in it: its parts wait for their own looks."""
        return max(crop[2] - crop[0], crop[3] - crop[1]) > self._limits.limit * SLACK + 2 * EVEN

    @property
    def closest(self) -> float:
        """Longer side of the smallest crop that is chosen in pictures of the present size, px."""
        return max(self._size) if len(self._tiles) == 1 else self._limits.closest + 2 * EVEN

    def _start(self, size: tuple[int, int]) -> None:
        """Begin with another size of frame."""
        self._size = size
        self._tiles = tiles((0, 0, *size), self._limits.limit, size, self._limits.smallest)
        self._looks, self._small_looks, self._close_looks = LookMap(size), LookMap(size), LookMap(size)
        self._t_tile = -math.inf

    def _choose(
        self, motion: Motion, tracks: Sequence[Track], t: float, foresight: Foresight
    ) -> tuple[Crop, ...]:
        wanted = self._wanted(motion, tracks, t, foresight)
        is_off = motion.gate is GateDecision.OFF
        tile = self._idle_tile(motion.gate, t)
        if len(self._tiles) == 1:
            return (self._tiles[0],) if wanted.any() or tile or is_off else ()
        crops = self._crops(wanted, t)
        if is_off:
            return ((0, 0, *self._size), *self._beside_the_whole(crops))
        room = self._max_crops - len(tile)
        second = self._second_looks(crops, wanted.loose, t, room)
        return (*self._looks.oldest(crops, room - len(second)), *second, *tile)

    def _wanted(self, motion: Motion, tracks: Sequence[Track], t: float, foresight: Foresight) -> _Wanted:
        """Return what is to be looked at: tracks that are due, and what moves and belongs to none of them."""
        expected = ahead(tracks, self._passed_s)
        grown = _grown(expected, self._size)
        visible = _visible(grown)
        places, tracks = grown[visible], list(compress(tracks, visible.tolist()))
        lives = np.array([track.label in LIVING for track in tracks], np.bool_)
        moving: BoolMap = shares_in(motion.boxes, places) >= OWN_SHARE
        inner = self._reach.own(tracks, expected[visible], motion.boxes)
        waits = foresight.waits(tracks, expected[visible], np.any(inner, axis=0), self._size, t)
        waits &= ~np.any(moving & ~inner, axis=0) & (motion.gate is not GateDecision.OFF)
        own = moving & (lives | waits)
        settled = np.array([track.is_settled and not self._due(track, t) for track in tracks], np.bool_)
        waits |= ~lives & _carried(expected[visible], waits & lives)
        due = ~waits & (own.any(axis=0) | ~settled)
        self._reach.note(tracks, expected[visible], motion.boxes, moving & due)
        unsure = np.array(
            [needs_close_look(k.label, k.score, doubted=k.missed or not k.id) for k in tracks], np.bool_
        )
        loose = _padded(motion.boxes[~own.any(axis=1)], self._size)
        return _Wanted(unsure=places[due & unsure], sure=places[due & ~unsure], loose=loose)

    def _crops(self, wanted: _Wanted, t: float) -> list[Crop]:
        """Return crops of what is to be looked at.

        People and animals of whom the detector is not sure are looked at from close up, and every second time so is
        what moves and is not followed: it may be a part of somebody.
        """
        close, rest = wanted.unsure, wanted.sure
        most = max(2, len(cover(np.concatenate([close, rest, wanted.loose]), self._limits, self._size)))
        self._close_turn = not self._close_turn
        if self._close_turn:
            close = np.concatenate([close, wanted.loose])
        else:
            rest = np.concatenate([rest, wanted.loose])
        crops = [self._widened(crop, wanted.loose) for crop in cover(rest, self._limits, self._size)]
        return self._close_ups(close, max(1, most - len(crops)), t) + crops

    def _widened(self, crop: Crop, loose: Floats) -> Crop:
        """Return the crop at native scale where something in it belongs to nothing that is followed."""
        if not shares_in(loose, as_boxes([crop])).any():
            return crop
        return square(crop, self._limits.native, self._size)

    def _close_ups(self, boxes: Floats, count: int, t: float) -> list[Crop]:
        """Return at most `count` crops, each close to one of `boxes`: those that have waited longest."""
        crops = {square(box, self._limits.closest, self._size) for box in boxes.tolist()}
        chosen = self._close_looks.oldest(sorted(crops), count)
        for crop in chosen:
            self._close_looks.look(crop, t, crop)
        return list(chosen)

    def _beside_the_whole(self, followed: Sequence[Crop]) -> tuple[Crop, ...]:
        """Return the crops beside that of the whole picture: what is followed, and tiles in turn."""
        count = tiles_beside_whole(self._max_crops)
        if count == 1:
            self._tile_turn = not self._tile_turn or not followed
            if self._tile_turn:
                return self._small_looks.oldest(self._tiles, 1)
            return self._looks.oldest(followed, 1)
        chosen = self._looks.oldest(followed, count - 1)
        return (*chosen, *self._small_looks.oldest(self._tiles, count - len(chosen)))

    def _idle_tile(self, gate: GateDecision, t: float) -> tuple[Crop, ...]:
        """Return the tile that is looked at though nothing moves there: one with something new, or seldom any.

        When all of the picture is new, the planner gets round it at once, even if the gate is open for somebody.
        """
        waited_s = t - self._t_tile
        at_once = gate is GateDecision.IDLE or 0 <= t - self._t_new < SETTLE_S
        if not at_once and waited_s < self._idle_interval_s:
            return ()
        new = [tile for tile in self._tiles if self._small_looks.is_new(tile)]
        if not new and waited_s < SELDOM * self._idle_interval_s - 1e-6:
            return ()
        self._t_tile = t
        return self._small_looks.oldest(new or self._tiles, 1)

    def _second_looks(self, crops: Sequence[Crop], loose: Floats, t: float, room: int) -> tuple[Crop, ...]:
        """Return tiles of large crops, where small things were not seen lately: as many as there is room for.

        `room` is for `crops`, too. If they fill it, one tile takes the place of a crop in every second frame.
        """
        large = [crop for crop in crops if self._is_large(crop)]
        unknown = shares_in(loose, as_boxes(large)).any(axis=0)
        pauses = np.where(unknown, LARGE_AGAIN_S, self._idle_interval_s)
        due = [
            tile
            for crop, again_s in zip(large, pauses, strict=True)
            for tile in tiles(crop, self._limits.limit, self._size, self._limits.smallest)
            if self._small_looks.age(tile, t) >= again_s
        ]
        self._second_turn = bool(due) and not self._second_turn
        least = min(room, int(self._second_turn))
        return self._small_looks.oldest(due, max(least, room - len(crops)))

    def _due(self, track: Track, t: float) -> bool:
        """Tell whether a stationary object must be checked again."""
        x1, y1, x2, y2 = (int(v) for v in track.box)
        box = (x1, y1, x2, y2)
        times = 1 if self._looks.is_new(box) else SELDOM
        return self._looks.age(box, t) >= times * self._idle_interval_s - 1e-6


def _carried(places: Floats, by: BoolMap) -> BoolMap:
    """Return which of `places` (n, 4) px lie in one of those that are chosen by `by`, and are half as large at most."""
    smaller = areas(places)[:, None] <= CARRIED * areas(places[by])[None]
    return np.asarray((smaller & (shares_in(places, places[by]) >= OWN_SHARE)).any(axis=1))


def _padded(boxes: Floats, size: tuple[int, int]) -> Floats:
    """Return float32 (n, 4): the boxes with their margins, inside the frame."""
    grown = _grown(boxes, size)
    return grown[_visible(grown)]


def _visible(boxes: Floats) -> BoolMap:
    """Return which boxes, cut at the border of the frame, have something left."""
    return np.asarray((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))


def _grown(boxes: Floats, size: tuple[int, int]) -> Floats:
    """Return float32 (n, 4): the boxes with their margins, cut at the border of the frame."""
    longer = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])[:, None]
    pad = np.clip(MARGIN * longer, 8.0, 160.0)
    edge = np.array([*size, *size], np.float32)
    return np.asarray(np.clip(boxes + np.concatenate([-pad, -pad, pad, pad], axis=1), 0.0, edge))


def as_boxes(crops: Sequence[Crop]) -> Floats:
    """Return float32 (k, 4) px: the crops, as an `Observation` carries them."""
    boxes = np.array(crops, np.float32).reshape(-1, 4)
    boxes.setflags(write=False)
    return boxes
