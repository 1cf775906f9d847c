"""Object attributes from tracks: class × place × speed × size × dwell, learned like the cells.

A car where only people go, a person where nobody goes, somebody who stands where everybody walks.
Places are cells of three by three of the motion grid; sizes are relative to a person at that row and
speeds in heights a second, so that perspective does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import hypot, log, log10

import numpy as np

from surveil.features.normality.cells import SAMPLE_S, CellSums, Usual, smooth
from surveil.features.normality.geometry import Geometry
from surveil.features.normality.plane import CELL
from surveil.types import Floats, Track
from surveil.wording import Said, say

PLACE = 3 * CELL
"""Side of a place, px of the plane."""
SIGMA = (1.0, 2.0)
MAX_CLASSES = 12
"""Classes with statistics of their own; later ones share `other`, so that the model stays bounded."""
OTHER = "other"
PRESENCE_WEIGHT = 1.5
"""Standard deviations that a decade of rarity counts as."""
_PRIOR = Usual.prior((-1.5, 0.0, 0.5), (1.0, 0.5, 1.0), (0.05, 0.02, 0.05))
_WHAT = (say("moves unusually fast"), say("is unusually large"), say("stays unusually long"))


@dataclass(frozen=True, slots=True)
class ObjectSample:
    """One tracked object in one frame."""

    label: str
    place: tuple[int, int]
    values: tuple[float, float, float]
    """ln speed (heights/s), ln size (people), ln(1 + dwell/s)."""
    box: tuple[float, float, float, float]
    """px of the plane."""

    @property
    def cell(self) -> tuple[int, int]:
        """Row and column of the motion grid that the place is centred on."""
        return 3 * self.place[0] + 1, 3 * self.place[1] + 1


@dataclass(frozen=True, slots=True)
class ObjectFinding:
    """The most unusual object of a frame."""

    raw: float
    sample: ObjectSample | None
    words: str


class Dwell:
    """How long each track has stayed within a body height of where it stopped. One per camera."""

    def __init__(self) -> None:
        self._anchors: dict[int, tuple[float, float, float]] = {}

    def samples(
        self, tracks: Sequence[Track], t: float, geometry: Geometry, frame: tuple[int, int]
    ) -> tuple[ObjectSample, ...]:
        """Return samples for tracks in pixels of a `frame` (width, height)."""
        sx, sy = geometry.size.width / frame[0], geometry.size.height / frame[1]
        anchors = {}
        found = []
        for track in tracks:
            x1, y1, x2, y2 = track.box[0] * sx, track.box[1] * sy, track.box[2] * sx, track.box[3] * sy
            x, y, height = (x1 + x2) / 2, y2, max(2.0, y2 - y1)
            ax, ay, since = self._anchors.get(track.id, (x, y, t))
            # Each recording of a replay begins at 0 again.
            if hypot(x - ax, y - ay) > height or t < since:
                ax, ay, since = x, y, t
            anchors[track.id] = (ax, ay, since)
            speed = hypot(track.velocity[0] * sx, track.velocity[1] * sy) / height
            size = height / geometry.height_at((y1 + y2) / 2)
            values = (log(max(speed, 0.02)), log(max(size, 0.05)), log(1.0 + t - since))
            found.append(ObjectSample(track.label, _place(x, y, geometry), values, (x1, y1, x2, y2)))
        self._anchors = anchors
        return tuple(found)


def _place(x: float, y: float, geometry: Geometry) -> tuple[int, int]:
    rows, columns = places(geometry)
    return min(rows - 1, max(0, int(y / PLACE))), min(columns - 1, max(0, int(x / PLACE)))


def places(geometry: Geometry) -> tuple[int, int]:
    """Return rows and columns of places."""
    return -(-geometry.size.height // PLACE), -(-geometry.size.width // PLACE)


@dataclass(slots=True)
class ObjectSums:
    """Statistics per class. Owned by one learner."""

    rows: int
    columns: int
    classes: dict[str, CellSums] = field(default_factory=dict)

    def add(self, samples: Sequence[ObjectSample], dt: float) -> None:
        """Add one frame that stands for `dt` seconds."""
        for sample in samples:
            sums = self._class(sample.label)
            values = np.zeros((3, self.rows, self.columns), np.float32)
            active = np.zeros((self.rows, self.columns), np.bool_)
            values[:, sample.place[0], sample.place[1]] = sample.values
            active[sample.place] = True
            sums.add(values, active, dt / SAMPLE_S)

    def _class(self, label: str) -> CellSums:
        if label not in self.classes and len(self.classes) >= MAX_CLASSES:
            label = OTHER
        if label not in self.classes:
            self.classes[label] = CellSums.zeros(3, self.rows, self.columns)
        return self.classes[label]

    def add_scaled(self, other: ObjectSums, factor: float = 1.0) -> None:
        """Add another's sums times `factor`."""
        for label, sums in other.classes.items():
            self._class(label).add_scaled(sums, factor)

    def scaled(self, factor: float) -> ObjectSums:
        """Return a copy times `factor`."""
        return ObjectSums(self.rows, self.columns, {k: v.scaled(factor) for k, v in self.classes.items()})


class ObjectScorer:
    """What is usual for objects, applied to samples. Holds no state between frames."""

    def __init__(self, sums: ObjectSums) -> None:
        self._usual = {label: s.fit(_PRIOR, SIGMA) for label, s in sums.classes.items()}
        presence = {label: smooth(s.weight, SIGMA) for label, s in sums.classes.items()}
        self._presence: Mapping[str, Floats] = {k: v.astype(np.float32) for k, v in presence.items()}
        self._busiest = max((float(p.max()) for p in presence.values()), default=0.0)

    @property
    def known(self) -> bool:
        """Whether any object was ever seen."""
        return bool(self._usual)

    def score(self, samples: Sequence[ObjectSample]) -> ObjectFinding:
        """Return the most unusual object; raw 0 when there is none."""
        best = ObjectFinding(0.0, None, "")
        for sample in samples:
            finding = self._one(sample)
            if finding.raw > best.raw:
                best = finding
        return best

    def _one(self, sample: ObjectSample) -> ObjectFinding:
        label = sample.label if sample.label in self._usual else OTHER
        rare, where = self._rarity(label, sample)
        parts = [(PRESENCE_WEIGHT * rare, where)]
        if label in self._usual:
            usual = self._usual[label]
            r, c = sample.place
            for i, what in enumerate(_WHAT):
                sd = float(np.linalg.inv(usual.inverse[:, :, r, c])[i, i]) ** 0.5
                parts.append(
                    (
                        (sample.values[i] - float(usual.mean[i, r, c])) / sd,
                        say("a {label} {what} here", label=sample.label, what=what),
                    )
                )
        raw, words = max(parts)
        return ObjectFinding(max(0.0, raw), sample, words)

    def _rarity(self, label: str, sample: ObjectSample) -> tuple[float, Said]:
        here = float(self._presence[label][sample.place]) if label in self._presence else 0.0
        rare = max(0.0, log10((self._busiest + 1.0) / (here + 1.0)))
        others = any(float(p[sample.place]) > 10 * (here + 1.0) for p in self._presence.values())
        if label not in self._presence:
            return rare, say("a {label}, which was never seen here", label=sample.label)
        if others:
            return rare, say("a {label} where other classes occur, but not this one", label=sample.label)
        return rare, say("a {label} where hardly anything goes", label=sample.label)
