"""The tracker: follows objects from frame to frame.

Two-stage association after ByteTrack (Zhang et al., ECCV 2022): sure detections are matched first, then
weak ones may continue what is left. Different from it: the filter and every limit run in seconds, so
dropped frames and slow cameras change nothing; matching allows for the filter's doubt about the place;
a detector that did not look, or not there, is no evidence that an object is gone, and one that seldom finds
what stands still is little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from surveil.detect.labels import LIVING, needs_close_look
from surveil.geometry import areas, intersection, iou_matrix
from surveil.track import kalman
from surveil.track.assignment import assign, similarity
from surveil.track.coverage import Coverage
from surveil.track.evidence import (
    CAME_SHARE,
    EMPTIED_S,
    FRESH_S,
    LEAST_LOOKS,
    PATIENCE_S,
    Grade,
    MovedPlaces,
)
from surveil.track.seen import Seen, sift
from surveil.track.settings import TrackSettings
from surveil.track.tracklet import Tracklet
from surveil.types import BoolMap, Detections, Doubles, Floats, Motion, Track

_NOWHERE: Floats = np.zeros((0, 4), np.float32)

SURE_FIT, WEAK_FIT, NEW_FIT = 0.15, 0.4, 0.25
"""Least similarity for sure detections (times their score), weak ones, and the second hit of a new object."""
OTHER_LABEL = 0.6
"""A detection of another class fits less: detectors waver between car and truck, not between places."""
TWIN_IOU = 0.7
"""A detection this close to a matched object is the same object under another class, not a new one."""
LONGEST_STEP_S = 2.0
"""Nothing is extrapolated further than this."""
OVERLOOKED = 1e-4
"""What stands still is overlooked, not gone, while its misses in a row are likelier than this to be chance."""
SETTLED_S = 1.0
"""What stayed in its place for this long keeps its id while it may be overlooked; rules wait for `stationary_s`."""
OVERLOOKED_S = 600.0
"""Nothing is overlooked for longer than this: what was never there must not stay for ever."""
SAME_PLACE_IOU = 0.5
"""What was overlooked for longer than others keep their ids is found again only in its place."""
WAITS_S = 5.0
"""A new object is looked at in every frame for no longer than this."""
PART = 0.6
"""A faint detection that shares this much of the smaller box with a followed object is a part of it."""
UNSEEN_S = 1.0
"""What moves is taken to go where it should for so long when nobody looks there."""
LEAST_MISSES = 2
"""One look that found nothing is not enough to forget an object, however long ago it was last seen."""


class Tracker:
    """The objects of one camera. Owned by its `CameraEngine`; pure: time comes in as an argument.

    `scores`: least score by label for a detection to count as sure, and certain; other labels use
    `high_score` and `certain_score`.
    """

    def __init__(self, settings: TrackSettings, scores: Mapping[str, float] | None = None) -> None:
        self._settings = settings
        self._scores = dict(scores or {})
        self._known: list[Tracklet] = []
        self._moved = MovedPlaces()
        self._last_id = 0
        self._t: float | None = None

    def update(
        self,
        detections: Detections | None,
        t: float,
        labels: Sequence[str],
        regions: Floats | None = None,
        size: tuple[int, int] | None = None,
        unchanged: AbstractSet[int] = frozenset(),
        motion: Motion | None = None,
        closest: float = 0.0,
    ) -> tuple[Track, ...]:
        """The believed objects as of stream time `t` (s), oldest first.

        `detections` None: the detector did not look, so nothing is known to have moved or gone. `regions`
        (k, 4) px: where it looked; None with detections: everywhere. `labels` names the classes. `size`:
        (width, height) px of the picture; None: not known, and nothing is known to have left it. `unchanged`: ids
        of objects whose places look as when they were last found: they are there, found or not. `motion`: what
        moves in the frame; None: not known, and the scores alone decide on what is new. `closest`: longer side of
        the smallest region that can be looked at, px.
        """
        dt = self._step(t)
        self._moved.note(motion, t, size)
        if detections is None and not any(k.id for k in self._known):  # most frames of most cameras
            self._forget(t)
            return ()
        if detections is None:
            later = kalman.predict(_stacked(self._known), dt)
            self._miss(range(len(self._known)), later, Coverage(t=t, dt=dt, regions=_NOWHERE, size=size))
        else:
            self._look(
                sift(detections, labels, self._settings, self._scores),
                Coverage(t=t, dt=dt, regions=regions, size=size, closest=closest, unchanged=unchanged),
            )
        self._forget(t)
        return tuple(self._as_track(k, t) for k in self._known if self._visible(k, t))

    @property
    def doubtful(self) -> tuple[Track, ...]:
        """The new objects that wait for another look to be believed; their id is 0.

        In a place where nothing moved the same picture again says nothing new; nor is one that was missed among them.
        """
        return tuple(
            k.as_track(stationary=False, guessed=True)
            for k in self._known
            if not k.id and self._wants_look(k)
        )

    def _wants_look(self, known: Tracklet) -> bool:
        if known.misses:
            return False
        if known.evidence.was_empty is None:
            return known.evidence.hits < self._settings.confirm_hits
        return known.evidence.is_news and (self._t or 0.0) - known.t_first < WAITS_S

    def rescale(self, x: float, y: float) -> None:
        """The picture is now `x` times as wide and `y` times as high: the resolution changed."""
        for known in self._known:
            known.rescale(x, y)

    def reset(self) -> None:
        """Forget every object; ids go on."""
        self._known.clear()

    def _step(self, t: float) -> float:
        """Seconds since the last frame; after a long gap what moved is forgotten."""
        dt = 0.0 if self._t is None else max(0.0, t - self._t)
        if dt > self._settings.lost_s and self._t is not None:
            before = self._t
            self._known = [k for k in self._known if self._still(k, before)]
        self._t = t
        return min(dt, LONGEST_STEP_S)

    def _look(self, seen: Seen, look: Coverage) -> None:
        """Match what was seen with what is known; start new objects with the rest."""
        later = kalman.predict(_stacked(self._known), look.dt)
        pairs = self._match(seen, later, look.t)
        self._confirm(pairs, seen, later, look.t)
        matched = {row for row, _ in pairs}
        self._miss([row for row in range(len(self._known)) if row not in matched], later, look)
        self._begin(seen, {column for _, column in pairs}, look.t)

    def _match(self, seen: Seen, later: Doubles, t: float) -> list[tuple[int, int]]:
        """Pairs (known, seen)."""
        places = kalman.boxes(later)
        fit = similarity(places, kalman.doubt(later), seen.boxes) * self._agreement(seen)
        if long := [i for i, k in enumerate(self._known) if k.missing_for(t) >= self._settings.lost_s]:
            fit[long] *= iou_matrix(places[long, None], seen.boxes[None]) >= SAME_PLACE_IOU
        believed = [i for i, k in enumerate(self._known) if k.id]
        sure, weak = np.flatnonzero(seen.sure), np.flatnonzero(~seen.sure)
        pairs = _between(fit * seen.scores, believed, sure, SURE_FIT)
        rest = [
            i for i in believed if i not in {row for row, _ in pairs} and self._visible(self._known[i], t)
        ]
        pairs += _between(fit, rest, weak, WEAK_FIT)
        taken = {column for _, column in pairs}
        least = Grade.FAINT if self._moved.known else Grade.SURE
        free = np.array([j for j in np.flatnonzero(seen.grades >= least) if j not in taken], int)
        return pairs + _between(fit, [i for i, k in enumerate(self._known) if not k.id], free, NEW_FIT)

    def _agreement(self, seen: Seen) -> Doubles:
        """1 where label of known and seen are the same, less elsewhere: (known, seen)."""
        ours = np.array([k.label for k in self._known], object).reshape(-1, 1)
        theirs = np.array(seen.labels, object).reshape(1, -1)
        return np.where(ours == theirs, 1.0, OTHER_LABEL)

    def _confirm(self, pairs: list[tuple[int, int]], seen: Seen, later: Doubles, t: float) -> None:
        """Take the detections that were matched."""
        if not pairs:
            return
        rows, columns = [row for row, _ in pairs], [column for _, column in pairs]
        after = kalman.correct(later[rows], seen.boxes[columns], seen.scores[columns])
        for state, row, column in zip(after, rows, columns, strict=True):
            known = self._known[row]
            known.advance(state)
            known.found(seen.boxes[column], seen.labels[column], float(seen.scores[column]), t)
            self._weigh(known, Grade(seen.grades[column]), t)

    def _weigh(self, known: Tracklet, grade: Grade, t: float) -> None:
        """Take a detection as evidence; give the object an id once there is enough."""
        known.weigh(grade, t)
        if known.id:
            return
        if (evidence := known.evidence) and self._moved.known:
            if evidence.was_empty is None:
                evidence.came = self._moved.share(known.box, FRESH_S) >= CAME_SHARE
            evidence.differs = self._moved.is_changed(known.box)
            evidence.was_empty = bool(evidence.was_empty) or self._moved.share(known.box, EMPTIED_S) > 0
            if self._moved.moves_by_itself(np.array([known.box]))[0]:
                evidence.moves_by_itself(t)
        if evidence.suffices(known.label, self._settings):
            self._last_id += 1
            known.id = self._last_id

    def _miss(self, rows: Sequence[int], later: Doubles, look: Coverage) -> None:
        """Deal with the known objects that no detection belongs to."""
        held, places = [], kalman.boxes(later[rows])
        close = np.array([_needs_close_look(self._known[row]) for row in rows], bool)
        for row, place, was_looked_for in zip(rows, places, look.was_at(places, close), strict=True):
            known = self._known[row]
            goes = self._is_missed(known, look) if was_looked_for else self._goes_on(known, place, look.t)
            if goes:
                known.advance(_as_large(later[row], known.state))
            else:
                held.append(known)
        self._hold(held, look.dt)

    def _goes_on(self, known: Tracklet, place: Doubles, t: float) -> bool:
        """Whether it goes where it should, as far as that is known without a look: something moves there."""
        is_sure = known.id > 0 and not _needs_close_look(known)
        return is_sure and t - known.t_seen <= UNSEEN_S and self._moved.share(place.tolist(), 0.0) > 0

    def _is_missed(self, known: Tracklet, look: Coverage) -> bool:
        """Note that the detector did not find it; whether it may be somewhere else."""
        knows = self._moved.knows_since(known.t_seen)
        is_untouched = knows and self._moved.is_untouched(known.box, EMPTIED_S)
        is_there = known.id in look.unchanged or is_untouched
        if known.id and is_there and look.t - known.t_seen < OVERLOOKED_S:
            known.overlooked()
            return False
        known.missed(look.t)
        return not self._overlooked(known, look.t, self._settings.stationary_s)

    def _begin(self, seen: Seen, taken: set[int], t: float) -> None:
        """Start new objects with sure detections that belong to none."""
        twins = iou_matrix(seen.boxes[:, None], seen.boxes[None]) > TWIN_IOU
        order = sorted(np.flatnonzero(self._may_begin(seen)), key=lambda column: -seen.scores[column])
        for column in (int(c) for c in order):
            if column in taken or twins[column, list(taken)].any():
                continue
            taken.add(column)
            state = kalman.start(seen.boxes[column : column + 1])[0]
            known = Tracklet(state, seen.labels[column], float(seen.scores[column]), t)
            self._weigh(known, Grade(seen.grades[column]), t)
            self._known.append(known)

    def _may_begin(self, seen: Seen) -> BoolMap:
        """Return which detections may start an object: faint ones only of what lives, and if it is known what moves."""
        if not self._moved.known:
            return seen.sure
        believed = np.array([k.box for k in self._known if k.id]).reshape(-1, 4)
        common = intersection(seen.boxes[:, None], believed[None])
        smaller = np.minimum(areas(seen.boxes)[:, None], areas(believed)[None])
        is_part = (common >= PART * smaller).any(axis=1)
        lives = np.array([label in LIVING for label in seen.labels], np.bool_)
        return np.asarray(seen.sure | ((seen.grades == Grade.FAINT) & lives & ~is_part))

    def _hold(self, known: list[Tracklet], dt: float) -> None:
        """Nothing is known about these: they stay where they are."""
        if not known:
            return
        for tracklet, state in zip(known, kalman.hold(_stacked(known), dt), strict=True):
            tracklet.advance(state)

    def _forget(self, t: float) -> None:
        """Drop what is gone for good."""
        self._known = [k for k in self._known if not self._gone(k, t)]

    def _gone(self, known: Tracklet, t: float) -> bool:
        if not known.id:
            return self._is_given_up(known, t)
        if known.misses < LEAST_MISSES or self._overlooked(known, t, SETTLED_S):
            return False
        return known.missing_for(t) >= self._settings.lost_s

    def _is_given_up(self, known: Tracklet, t: float) -> bool:
        """Whether a new object was chance: not found again in a second, or by the looks at it."""
        waited = t - known.t_seen
        if known.evidence.was_empty is None:
            return waited > self._settings.confirm_within_s
        missed = known.misses >= LEAST_LOOKS and waited > self._settings.confirm_within_s
        return missed or waited > PATIENCE_S

    def _visible(self, known: Tracklet, t: float) -> bool:
        """Whether the rules may count on it."""
        if not known.id:
            return False
        if known.missing_since is None or self._overlooked(known, t, self._settings.stationary_s):
            return True
        # What stood still and was not seen to move off is hidden, not gone.
        patience = self._settings.lost_s if self._still(known, known.t_seen) else self._settings.coast_s
        return known.missing_for(t) < patience

    @staticmethod
    def _overlooked(known: Tracklet, t: float, after_s: float) -> bool:
        """Whether it had stood still for `after_s` at the last find, and so many misses are nothing unusual for it."""
        is_chance = known.finds.chance > OVERLOOKED and t - known.t_seen < OVERLOOKED_S
        return known.id > 0 and is_chance and known.still(known.t_seen, after_s)

    def _still(self, known: Tracklet, t: float) -> bool:
        """Whether it stands still: its box does, or nothing moves where it is, however its box jitters."""
        after_s = self._settings.stationary_s
        is_untouched = t - known.t_first >= after_s and self._moved.is_untouched(known.box, after_s)
        return known.id > 0 and (known.still(t, after_s) or is_untouched)

    def _as_track(self, known: Tracklet, t: float) -> Track:
        return known.as_track(self._still(known, t), guessed=known.t_seen < t)


def _as_large(later: Doubles, before: Doubles) -> Doubles:
    """Return a state (5, 4) of later with the size of before: what nobody sees changes its place, not its size."""
    return np.concatenate([later[:, :2], before[:, 2:]], axis=1)


def _needs_close_look(known: Tracklet) -> bool:
    is_missed = known.missing_since is not None
    return needs_close_look(known.label, known.score, doubted=is_missed or not known.id)


def _stacked(known: list[Tracklet]) -> Doubles:
    """The states (n, 5, 4)."""
    return np.array([k.state for k in known]).reshape(-1, 5, 4)


def _between(
    fit: Doubles, rows: Sequence[int], columns: NDArray[np.intp], least: float
) -> list[tuple[int, int]]:
    """Pairs of some rows with some columns."""
    part = fit[np.ix_(np.array(rows, int), columns)]
    return [(rows[r], int(columns[c])) for r, c in assign(part, least)]
