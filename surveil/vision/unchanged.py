"""Whether the place of a stationary object still looks as it did when the object was last found.

A detector whose score hovers around its threshold finds a parked car now and then. What the picture shows in
its place tells whether it is still there, however often the detector has missed it. Of places that people have
left since, none looks the same; of those where nobody was, nearly all do (`benchmarks/overlooked.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from surveil.types import Box, Bytes, Finding, Floats, Track
from surveil.view import FrameView
from surveil.vision.motion import plane_size

SAME = 0.85
"""Least correlation of a place with itself; light that changes evenly does not lower it."""
SIDE = 24
"""Pixels to the side of what is kept of a place."""
LEAST_CONTRAST = 4.0
"""Levels (standard deviation) below which a place shows nothing but noise, and nothing can be said of it."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an object stood when it was last found, and how that looked."""

    box: Box
    """px of the frame."""
    looks: Floats
    """float32 (n,), of mean 0 and length 1."""


@dataclass(frozen=True, slots=True)
class UnchangedTracks(Finding):
    """Objects whose places look as they did when the objects were last found."""

    ids: frozenset[int] = frozenset()


NONE = UnchangedTracks()


class UnchangedPlaces:
    """Adds the ids of the objects whose places are unchanged. Owned by the holder of the camera's slot."""

    wants_all = False
    """What it judges lasts: pictures far apart are enough while nothing moves."""

    def __init__(self, min_object_px: float) -> None:
        self._min_object_px = min_object_px
        self._size = (0, 0)
        self._places: dict[int, _Place] = {}
        self._before: tuple[float, Bytes] | None = None
        """Stream time and brightness of the last frame: tracks are known one frame late."""

    def observe(self, view: FrameView) -> UnchangedTracks:
        """Return the ids of tracks that stood still and whose places look as when they were last found."""
        if not view.tracks:
            self._places, self._before = {}, None
            return NONE
        picture = view.frame.picture
        plane = view.luma(*plane_size(picture.width, picture.height, self._min_object_px))
        size = (picture.width, picture.height)
        standing = [track for track in view.tracks if track.stationary]
        if size != self._size:
            self._size, self._places, self._before = size, {}, None
        self._remember(standing, size)
        self._before = (view.frame.t, plane)
        if view.motion is not None and not view.motion.gate.is_open:
            return NONE
        return UnchangedTracks(
            frozenset(number for number, place in self._places.items() if _is_same(place, plane, size))
        )

    def lost(self) -> None:
        """Note that the stream was interrupted."""
        self._before = None

    def _remember(self, standing: Sequence[Track], size: tuple[int, int]) -> None:
        """Take the places of those that were found in the last frame; forget whoever is not followed."""
        known = {track.id: self._places[track.id] for track in standing if track.id in self._places}
        if self._before is not None:
            t, plane = self._before
            for track in standing:
                if track.t_last == t:
                    known.pop(track.id, None)
                    now = looks(plane, track.box, size)
                    if now is not None:
                        known[track.id] = _Place(track.box, now)
        self._places = known


def _is_same(place: _Place, plane: Bytes, size: tuple[int, int]) -> bool:
    now = looks(plane, place.box, size)
    return now is not None and float(now @ place.looks) >= SAME


def looks(plane: Bytes, box: Box, size: tuple[int, int]) -> Floats | None:
    """Return how `box` looks, float32 (n,) of mean 0 and length 1; None where there is nothing to be seen."""
    height, width = plane.shape
    columns = _span(box[0] * width / size[0], box[2] * width / size[0], width)
    rows = _span(box[1] * height / size[1], box[3] * height / size[1], height)
    small = cv2.resize(plane[rows, columns], (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= small.mean()
    length = float(np.linalg.norm(small))
    return None if length < LEAST_CONTRAST * SIDE else np.asarray(small.ravel() / length, np.float32)


def _span(low: float, high: float, edge: int) -> slice:
    """Return the pixels from `low` to `high`, at least one, inside 0..edge."""
    start = min(max(0, round(low)), edge - 1)
    return slice(start, min(edge, max(start + 1, round(high))))
