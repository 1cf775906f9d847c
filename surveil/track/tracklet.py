"""What the tracker knows about one object."""

from __future__ import annotations

import numpy as np

from surveil.geometry import iou
from surveil.track import kalman
from surveil.track.evidence import Evidence, Grade
from surveil.types import Box, Doubles, Track

PRIOR_FINDS, PRIOR_MISSES = 1.0, 0.05
"""What is thought of an object before it was looked at: nearly every look finds it."""
MEMORY = 60.0
"""Looks that count: light changes, and with it how well an object is found."""
MOST_MISSED = 0.9
"""No object is taken for one that is missed more often: it could be gone for minutes before anybody knew."""
SCORE_WEIGHT = 0.3
"""Weight of the newest score in the running mean: one weak detection does not fail a score filter."""
STILL_IOU = 0.7
"""An object that overlaps its place of before at least this much has not moved: detections jitter."""
MOVED_IOU = 0.3
"""An object that overlaps its first place less than this has moved."""
MEASURED_SHARE = 0.5
"""Weight of the detection in the box that others see: the filter alone lags, the detection alone jitters."""


class MissModel:
    """The looks at one object. Mutable; owned by its tracklet.

    Each look is a draw with an unknown share of finds (beta-binomial), so that few looks allow for much doubt.
    """

    __slots__ = ("_finds", "_misses", "chance")

    def __init__(self) -> None:
        self._finds = PRIOR_FINDS
        self._misses = PRIOR_MISSES
        self.chance = 1.0
        """How likely so many misses in a row are since it was last known to be there, if it still is."""

    def found(self) -> None:
        """A look found it."""
        self._finds += 1.0
        self._end_run()

    def missed(self) -> None:
        """A look did not find it, and it may be gone."""
        self.chance *= min(MOST_MISSED, self._misses / (self._finds + self._misses))
        self._misses += 1.0

    def overlooked(self) -> None:
        """A look did not find it, and it is there."""
        self._misses += 1.0
        self._end_run()

    def _end_run(self) -> None:
        self.chance = 1.0
        fade = min(1.0, MEMORY / (self._finds + self._misses))
        self._finds *= fade
        self._misses *= fade


class Tracklet:
    """One object, from its first detection until it is forgotten. Owned by one `Tracker`."""

    __slots__ = (
        "anchor", "anchor_t", "before", "birth", "box", "evidence", "finds", "id", "misses", "missing_since",
        "score", "state", "t_first", "t_seen", "votes",
    )  # fmt: skip

    def __init__(self, state: Doubles, label: str, score: float, t: float) -> None:
        self.id = 0
        """0 until the object is believed."""
        self.state = state
        self.score = score
        self.votes = {label: score}
        self.evidence = Evidence()
        self.misses = 0
        self.finds = MissModel()
        self.t_first = self.t_seen = self.anchor_t = t
        self.missing_since: float | None = None
        self.box = self.anchor = self.birth = _box(state)
        self.before: Box | None = None

    @property
    def label(self) -> str:
        """The class most of the evidence speaks for; the older one when two are equal."""
        return max(self.votes, key=lambda label: self.votes[label])

    def advance(self, state: Doubles) -> None:
        """Take the state of a new frame."""
        self.before = self.box
        self.state = state
        self.box = _box(state)

    def found(self, box: Doubles, label: str, score: float, t: float) -> None:
        """The detector confirmed it at `t`, in `box` (4,) px."""
        blend = MEASURED_SHARE * box + (1 - MEASURED_SHARE) * np.array(self.box)
        self.box = (float(blend[0]), float(blend[1]), float(blend[2]), float(blend[3]))
        self.votes[label] = self.votes.get(label, 0.0) + score
        self.score += SCORE_WEIGHT * (score - self.score)
        self.t_seen = t
        self.misses = 0
        self.finds.found()
        self.missing_since = None
        if iou(self.box, self.anchor) < STILL_IOU:
            self.anchor, self.anchor_t = self.box, t

    def weigh(self, grade: Grade, t: float) -> None:
        """Take a detection as evidence that there is an object at all."""
        self.evidence.found(grade, t)
        self.evidence.moved |= iou(self.box, self.birth) < MOVED_IOU

    def missed(self, t: float) -> None:
        """The detector looked where it should be and did not find it."""
        self.misses += 1
        self.finds.missed()
        if self.missing_since is None:
            self.missing_since = t

    def overlooked(self) -> None:
        """The detector did not find it, but it is there."""
        self.misses = 0
        self.finds.overlooked()
        self.missing_since = None

    def missing_for(self, t: float) -> float:
        """For how long it was looked for in vain, s."""
        return 0.0 if self.missing_since is None else t - self.missing_since

    def rescale(self, x: float, y: float) -> None:
        """The picture is now `x` times as wide and `y` times as high."""
        self.state = kalman.rescale(self.state[None], x, y)[0]
        self.box = _box(self.state)
        self.anchor, self.birth = _scaled(self.anchor, x, y), _scaled(self.birth, x, y)
        self.before = None

    def still(self, t: float, after_s: float) -> bool:
        """Whether it has not moved for `after_s`."""
        return t - self.anchor_t >= after_s

    def as_track(self, stationary: bool, *, guessed: bool) -> Track:
        """The object as others see it."""
        return Track(
            id=self.id,
            label=self.label,
            box=self.box,
            score=self.score,
            t_first=self.t_first,
            t_last=self.t_seen,
            velocity=(float(self.state[1, 0]), float(self.state[1, 1])),
            stationary=stationary,
            missed=self.missing_since is not None,
            guessed=guessed,
            previous=self.before,
        )


def _scaled(box: Box, x: float, y: float) -> Box:
    return (box[0] * x, box[1] * y, box[2] * x, box[3] * y)


def _box(state: Doubles) -> Box:
    """The box of one state (5, 4)."""
    x1, y1, x2, y2 = (float(value) for value in kalman.boxes(state[None])[0])
    return (x1, y1, x2, y2)
