"""The learned model of one camera: sums, tails, peaks, examples. The file has the same content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np

from surveil.features.normality.attributes import ATTRIBUTES
from surveil.features.normality.budget import Threshold, set_threshold
from surveil.features.normality.cells import CellSums, Usual
from surveil.features.normality.geometry import Geometry
from surveil.features.normality.hours import HourSums
from surveil.features.normality.objects import ObjectSums
from surveil.features.normality.peaks import Ladder, Peaks
from surveil.features.normality.tails import Tail
from surveil.types import Bytes

ROWS, COLUMNS = 3, 4
"""Parts of the picture; each may have an example of each attribute."""
WIDTH = 160
"""Of an example, px."""
QUALITY = 60
Key = tuple[str, int, int]
VERSION = 4
"""Of the file format and of what the numbers mean; another version is refused, not guessed at."""


class Examples:
    """At most one small JPEG per attribute and part of the picture: 60 of some 3 kB. Owned by one learner."""

    def __init__(self, kept: dict[Key, tuple[float, bytes]] | None = None) -> None:
        self.kept: dict[Key, tuple[float, bytes]] = dict(kept or {})

    def offer(self, attribute: str, place: tuple[float, float], value: float, plane: Bytes) -> None:
        """Keep `plane` when `value` is the highest so far at `place` (shares of height and width)."""
        key = _key(attribute, place)
        if value > self.kept.get(key, (0.0, b""))[0] * 1.05:
            self.kept[key] = (value, _jpeg(plane))

    def nearest(self, attribute: str, place: tuple[float, float]) -> bytes | None:
        """Return the JPEG of the nearest part of the picture that has one for `attribute`."""
        _, row, column = _key(attribute, place)
        found = [((r - row) ** 2 + (c - column) ** 2, r, c) for name, r, c in self.kept if name == attribute]
        if not found:
            return None
        _, r, c = min(found)
        return self.kept[attribute, r, c][1]


def _key(attribute: str, place: tuple[float, float]) -> Key:
    return attribute, min(ROWS - 1, int(place[0] * ROWS)), min(COLUMNS - 1, int(place[1] * COLUMNS))


def _jpeg(plane: Bytes) -> bytes:
    height = max(1, round(plane.shape[0] * WIDTH / plane.shape[1]))
    small = cv2.resize(plane, (WIDTH, height), interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return np.asarray(data).tobytes()


@dataclass(frozen=True, slots=True)
class Exposure:
    """What footage a model has behind it."""

    seconds: float
    """Footage learned from."""
    moving_s: float
    """Of it, seconds in which something moved."""
    first_wall: float
    """Unix s of the first and last footage."""
    last_wall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneModel:
    """What is usual in front of one camera. Treated as immutable once fitted."""

    camera: str
    width: int
    """Pixels of the camera's frames: another resolution needs another model."""
    height: int
    geometry: Geometry
    seen: Exposure
    sums: Mapping[str, CellSums]
    objects: ObjectSums
    hours: HourSums
    tails: Mapping[str, Tail]
    peaks: Peaks
    examples: Mapping[Key, tuple[float, bytes]]

    def usual(self) -> dict[str, Usual]:
        """Return what is usual per attribute, smoothed and ready for scoring."""
        return {name: self.sums[name].fit(attribute.prior) for name, attribute in ATTRIBUTES.items()}

    def ladder(self) -> Ladder:
        """Return alarms against threshold on held-out footage."""
        return self.peaks.ladder()

    def threshold(self, budget: float) -> Threshold:
        """Return the threshold for `budget` alarms a day."""
        return set_threshold(self.ladder(), budget)

    def faded(self, days: float, half_life_days: float) -> SceneModel:
        """Return the model as old days should count `days` later: half after each half-life."""
        if half_life_days <= 0 or days <= 0:
            return self
        factor = 0.5 ** (days / half_life_days)
        sums = {name: s.scaled(factor) for name, s in self.sums.items()}
        return replace(self, sums=sums, objects=self.objects.scaled(factor), hours=self.hours.scaled(factor))

    def merged(self, other: SceneModel) -> SceneModel:
        """Return this model with another day's added; tails are the later's.

        Raises ValueError when they are of different cameras, resolutions or backgrounds of another size.
        """
        if (self.camera, self.width, self.height) != (other.camera, other.width, other.height):
            raise ValueError(
                f"cannot merge {self.camera} {self.width}x{self.height} with "
                f"{other.camera} {other.width}x{other.height}"
            )
        sums = {name: s.scaled(1.0) for name, s in self.sums.items()}
        for name, s in other.sums.items():
            sums[name].add_scaled(s)
        objects = self.objects.scaled(1.0)
        objects.add_scaled(other.objects)
        hours = self.hours.scaled(1.0)
        hours.add_scaled(other.hours)
        peaks = Peaks.unpack(self.peaks.pack())
        peaks.merge(Peaks.unpack(other.peaks.pack()))
        later = other if other.seen.last_wall >= self.seen.last_wall else self
        seen = Exposure(
            self.seen.seconds + other.seen.seconds,
            self.seen.moving_s + other.seen.moving_s,
            min(self.seen.first_wall, other.seen.first_wall),
            max(self.seen.last_wall, other.seen.last_wall),
        )
        return replace(later, seen=seen, sums=sums, objects=objects, hours=hours, peaks=peaks)
