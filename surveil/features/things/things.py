"""Common part of the rules about left and removed objects: which regions are objects, and who is near them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from pydantic import Field

from surveil.features.things.finding import StaticObject, StaticThings
from surveil.geometry import inside, iou
from surveil.rules.base import RuleSettings, size_of
from surveil.types import Box, Polygon, Scene, Track

THINGS = ("backpack", "handbag", "suitcase", "umbrella", "sports ball", "bottle", "box", "package", "bag")
"""Classes of what one puts down; everything else that a detector knows moves by itself."""
COVERS = 0.4
"""A tracked object that covers this share of a blob explains it: somebody stands still, a car is parked."""
MEMORY_S = 120.0
"""Somebody who stands still is often lost by the detector for a while; he is no thing then."""
RECALL_S = 6.0
"""A thing shows this long after it was put down or taken, at the latest: who did it may be elsewhere by then."""


class ThingSettings(RuleSettings):
    """Settings of rules about things that were put down or taken away."""

    zone: str | None = Field(default=None, description="Restrict to this zone. Default: the whole picture.")
    min_size: float = Field(
        default=0.06, gt=0, le=1, description="Minimum size: longer side as a share of the frame's height."
    )
    max_size: float = Field(
        default=0.4, gt=0, le=1, description="Maximum size: longer side as a share of the frame's height."
    )

    @property
    def needs_view(self) -> bool:
        """Whether the view matters: things are told by the background."""
        return True


@dataclass(slots=True)
class _Past:
    """Where a tracked object was last seen."""

    box: Box
    t: float


class Things:
    """Follows the blobs of one kind. Owned by a rule."""

    def __init__(self, kind: str, settings: ThingSettings, zone: Polygon | None) -> None:
        self._kind = kind
        self._settings = settings
        self._zone = zone
        self._past: dict[int, _Past] = {}
        self._explained: dict[int, bool] = {}
        self._keys: dict[int, str] = {}
        self._lately: deque[tuple[float, Sequence[Track]]] = deque()
        """(stream time, tracks) of the last `RECALL_S`."""

    def seen(self, scene: Scene) -> Iterator[StaticObject]:
        """Yield the things that are in the picture; what tracks explain is none."""
        movers = [track for track in scene.tracks if track.label not in THINGS]
        finding = scene.observation.findings.get(StaticThings)
        found = finding.things if finding else ()
        for thing in found:
            if (
                thing.kind == self._kind
                and not self._is_explained(thing, movers)
                and self._fits(thing, scene)
            ):
                yield thing
        self._remember(movers, {thing.id for thing in found}, scene.t)

    def nearest_lately(
        self, thing: StaticObject, radius: float, labels: Container[str] | None = None
    ) -> int | None:
        """Name the track that came nearest to where a new thing is, in the seconds before it showed.

        `radius`: no farther than this, in heights of the track's box. `labels`: of these classes only.
        """
        near = [
            (distance(track, thing), track.id)
            for t, tracks in self._lately
            if thing.since - RECALL_S <= t <= thing.since
            for track in tracks
            if labels is None or track.label in labels
        ]
        least, number = min(near, default=(math.inf, 0))
        return number if least <= radius else None

    def key(self, thing: StaticObject, scene: Scene) -> str:
        """Name the thing by zone and place, so that it keeps its name when it is found again."""
        if thing.id not in self._keys:
            width, height = size_of(scene)
            x, y = _middle(thing.box)
            cell = f"{int(10 * x / width)}-{int(10 * y / height)}"
            self._keys[thing.id] = f"{self._settings.zone or 'picture'}/{cell}"
        return self._keys[thing.id]

    def reset(self) -> None:
        """Forget everything."""
        self._past.clear()
        self._explained.clear()
        self._keys.clear()
        self._lately.clear()

    def _is_explained(self, thing: StaticObject, movers: list[Track]) -> bool:
        """Whether it is a person who stands still; once explained, always."""
        if not self._explained.get(thing.id, False):
            same = any(iou(past.box, thing.box) >= COVERS for past in self._past.values())
            self._explained[thing.id] = same or any(_covers(track, thing) for track in movers)
        return self._explained[thing.id]

    def _fits(self, thing: StaticObject, scene: Scene) -> bool:
        width, height = size_of(scene)
        x1, y1, x2, y2 = thing.box
        size = max(x2 - x1, y2 - y1) / height
        if not self._settings.min_size <= size <= self._settings.max_size:
            return False
        x, _ = _middle(thing.box)
        return self._zone is None or inside((x / width, min(1.0, y2 / height)), self._zone)

    def _remember(self, movers: list[Track], things: set[int], t: float) -> None:
        self._lately.append((t, movers))
        while self._lately[0][0] < t - RECALL_S:
            self._lately.popleft()
        self._past |= {track.id: _Past(track.box, t) for track in movers}
        for gone in [number for number, past in self._past.items() if t - past.t > MEMORY_S]:
            del self._past[gone]
        for gone in [number for number in self._explained if number not in things]:
            del self._explained[gone]
            self._keys.pop(gone, None)


def label_of(thing: StaticObject, scene: Scene) -> str:
    """Return the class of the detection that is the thing, or `object`: detectors know few things."""
    known = [track for track in scene.tracks if track.label in THINGS and iou(track.box, thing.box) > 0.3]
    return max(known, key=lambda track: track.score).label if known else "object"


def distance(track: Track, thing: StaticObject) -> float:
    """Return how far the foot of a track is from a thing, in heights of the track's box."""
    x, y = track.foot
    across = max(thing.box[0] - x, 0.0, x - thing.box[2])
    down = max(thing.box[1] - y, 0.0, y - thing.box[3])
    return math.hypot(across, down) / max(1.0, track.box[3] - track.box[1])


def _covers(track: Track, thing: StaticObject) -> bool:
    """Whether the object stands still where the blob is; who walks past is in front of it, not it."""
    if not track.stationary:
        return False
    width = min(track.box[2], thing.box[2]) - max(track.box[0], thing.box[0])
    height = min(track.box[3], thing.box[3]) - max(track.box[1], thing.box[1])
    size = (thing.box[2] - thing.box[0]) * (thing.box[3] - thing.box[1])
    return width > 0 and height > 0 and width * height >= COVERS * size


def _middle(box: Box) -> tuple[float, float]:
    return ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
