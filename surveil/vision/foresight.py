"""Objects that need no look in this frame, because they were found recently and move as predicted.

The tracker's filter says where an object is until the next look, and the brightness plane whether that is so: it
moves where it should, or stands still where it should, and nothing else is near. Edges of zones and lines are where
rules decide: objects near one are looked at in every frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from surveil.detect.labels import LIVING
from surveil.geometry import Line, intersection, shares_in
from surveil.types import BoolMap, Floats, Polygon, Track

AGAIN_S = 0.55
"""An object is looked at again when it was found so long ago: in every third frame at 5 frames/s."""
STANDS_AGAIN_S, STANDS_SURE = 1.1, 0.75
"""The same for an object of at least this score that stands, while something moves there: it talks, or types."""
KNOWN_S = 1.0
"""An object that was found for less long has no velocity to rely on."""
SURE = 0.6
"""Least score: a weaker one may be missed by the next look, and more of them are wanted."""
LEAVES = 0.05
"""Part of its longer side by which an object at the border must be about to move to be going out of the picture."""
NEAR = 0.5
"""Objects meet when their boxes touch, each grown by this part of its longer side, as far as they may go."""
BESIDE = 0.15
"""Part of its longer side within which an object's foot or centre is near an edge, beside the way that it may go."""
REACH_LEAST, REACH_MOST = 0.1, 0.3
"""Margin around a box that counts as the object's own, of its longer side: always, and where motion was seen."""
MOST_OF_IT, ALL = 0.7, 0.99
"""Share of a moving area that lies within reach of its owner: one that walks, and one that does not."""
WALKS = 0.27
"""Part of its longer side that an object covers in a second when it is going somewhere."""
BORDER = 0.002
"""Part of the picture's side within which an edge lies on the border, where nobody crosses it in view."""


class Foresight:
    """Of one camera; never changes. `zones` and `lines` are in fractions of the frame."""

    def __init__(self, zones: Iterable[Polygon] = (), lines: Iterable[Line] = ()) -> None:
        sides = [side for zone in zones for side in zip(zone, (*zone[1:], zone[0]), strict=True)]
        inner = [edge for edge in (*sides, *lines) if not _is_border(edge)]
        self._edges = np.array(inner, np.float32).reshape(-1, 4)

    def waits(
        self, tracks: Sequence[Track], places: Floats, own: BoolMap, size: tuple[int, int], t: float
    ) -> BoolMap:
        """Return which of `tracks` need no look in a frame of `size` px at stream time `t`: (n,).

        `places` (n, 4) px: where they should be now. `own` (n,): whether something moves there.
        """
        known = np.array([_is_known(track, t) for track in tracks], np.bool_)
        if not known.any():
            return known
        # Who comes to a stand is looked at until he is stationary: how his place looks is kept when he is found there.
        stands = np.array([track.is_settled for track in tracks], np.bool_)
        return np.asarray(
            known
            & ~_meets(tracks, places)
            & (stands | own)
            & ~_leaves(tracks, places, size)
            & ~self._is_near_edge(tracks, places, size)
        )

    def _is_near_edge(self, tracks: Sequence[Track], places: Floats, size: tuple[int, int]) -> BoolMap:
        """Return whose foot or centre, by which rules judge, is near an edge or about to reach one."""
        edges = self._edges * np.array([*size, *size], np.float32)
        return np.asarray(_touches(edges[None], _anchors(tracks, places)[:, None]).any(axis=1))


NO_EDGES = Foresight()


class Reach:
    """How far the motion of each object of one camera reaches beyond its box: its shadow moves as well, and its bag.

    Somebody else may walk beside an object that is not looked at. What moves no farther from it than it did when it was
    last looked at is its own; whoever the detector found there is followed, and has a place of his own. Mutable; owned
    by the planner.
    """

    def __init__(self) -> None:
        self._margins: dict[int, Floats] = {}
        """Track → margins to the left, above, to the right and below, of its longer side."""

    def own(self, tracks: Sequence[Track], places: Floats, boxes: Floats) -> BoolMap:
        """Return which of the moving `boxes` (k, 4) px belong to which of `tracks` at `places` (n, 4) px alone: (k, n).

        Most of such an area lies where the object's motion reaches. All of it does if the object goes nowhere: who
        begins to walk shows at the edges.
        """
        around = self._around(tracks, places)
        walks = np.array([_walks(track) for track in tracks], np.bool_)
        return np.asarray(shares_in(boxes, around) >= np.where(walks, MOST_OF_IT, ALL))

    def _around(self, tracks: Sequence[Track], places: Floats) -> Floats:
        usual = np.full(4, REACH_LEAST, np.float32)
        margins = np.array([self._margins.get(track.id, usual) for track in tracks], np.float32).reshape(
            -1, 4
        )
        outwards = margins * np.maximum(_longer(places), 1.0) * np.array([-1, -1, 1, 1], np.float32)
        return np.asarray(places + outwards, np.float32)

    def note(self, tracks: Sequence[Track], places: Floats, boxes: Floats, moving: BoolMap) -> None:
        """Keep how far it reaches for those that are looked at now; forget those that are gone.

        `moving` (k, n): which of the moving `boxes` (k, 4) px belong to which of `tracks` that are looked at.
        """
        kept = {track.id: self._margins[track.id] for track in tracks if track.id in self._margins}
        for i in np.flatnonzero(moving.any(axis=0)).tolist():
            kept[tracks[i].id] = _beyond(places[i], boxes[moving[:, i]])
        self._margins = kept


def ahead(tracks: Sequence[Track], dt: float) -> Floats:
    """Return where `tracks` should be `dt` s after the frame that they are from: float32 (n, 4) px."""
    boxes = np.array([track.box for track in tracks], np.float32).reshape(-1, 4)
    velocities = np.array([track.velocity for track in tracks], np.float32).reshape(-1, 2)
    return boxes + np.tile(velocities * np.float32(dt), 2)


def _is_known(track: Track, t: float) -> bool:
    """Whether the object was found surely and lately, and for long enough to know how it moves."""
    again_s = STANDS_AGAIN_S if track.is_settled and track.score >= STANDS_SURE else AGAIN_S
    is_found = not track.missed and t - track.t_last < again_s
    return is_found and track.id > 0 and track.score >= SURE and t - track.t_first >= KNOWN_S


def _meets(tracks: Sequence[Track], places: Floats) -> BoolMap:
    """Return which of `tracks` are near one that they may be taken for.

    What stands there is known by its class, and what somebody carries is not taken for him.
    """
    near = _grown(places)
    touches = intersection(near[:, None], near[None]) > 0
    np.fill_diagonal(touches, val=False)
    labels = np.array([track.label for track in tracks])
    lives = np.array([track.label in LIVING for track in tracks], np.bool_)
    stands = np.array([track.is_settled for track in tracks], np.bool_)
    alike = (labels[:, None] == labels[None]) | ((lives[:, None] == lives[None]) & ~stands[None])
    return np.asarray((touches & alike).any(axis=1))


def _leaves(tracks: Sequence[Track], places: Floats, size: tuple[int, int]) -> BoolMap:
    """Return which of `places` go out of the picture, or will before the next look."""
    way = np.array([track.velocity for track in tracks], np.float32).reshape(-1, 2) * AGAIN_S
    least = LEAVES * _longer(places)
    out = (places[:, :2] + way <= 0) & (way < -least) | (places[:, 2:] + way >= size) & (way > least)
    return np.asarray(out.any(axis=1))


def _anchors(tracks: Sequence[Track], places: Floats) -> Floats:
    """Return where the feet and the centres are and may be at the next look: float32 (n, 4) px."""
    x, middle = (places[:, 0] + places[:, 2]) / 2, (places[:, 1] + places[:, 3]) / 2
    way = np.abs(np.array([track.velocity for track in tracks], np.float32).reshape(-1, 2)) * AGAIN_S
    around = BESIDE * _longer(places) + way
    return np.asarray(
        np.stack([x, middle, x, places[:, 3]], axis=1) + np.concatenate([-around, around], axis=1)
    )


def _walks(track: Track) -> bool:
    x1, y1, x2, y2 = track.box
    return not track.is_settled and max(map(abs, track.velocity)) >= WALKS * max(x2 - x1, y2 - y1)


def _beyond(place: Floats, boxes: Floats) -> Floats:
    """Return by how much `boxes` reach beyond `place` on each side, of its longer side."""
    low, high = place[:2] - boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0) - place[2:]
    return np.asarray(
        np.clip(
            np.concatenate([low, high]) / np.maximum(_longer(place[None])[0], 1.0), REACH_LEAST, REACH_MOST
        ),
        np.float32,
    )


def _longer(places: Floats) -> Floats:
    sides: Floats = (places[:, 2:] - places[:, :2]).max(axis=1, initial=0.0)
    return sides[:, None]


def _grown(places: Floats) -> Floats:
    pad = NEAR * _longer(places)
    return np.asarray(places + np.concatenate([-pad, -pad, pad, pad], axis=1), np.float32)


def _is_border(edge: Line) -> bool:
    """Whether both ends lie on the same border of the picture."""
    return any(
        all(abs(point[axis] - side) <= BORDER for point in edge) for axis in (0, 1) for side in (0.0, 1.0)
    )


def _touches(edges: Floats, boxes: Floats) -> BoolMap:
    """Return whether each of `edges` (…, 4: x1 y1 x2 y2) has a point in common with each of `boxes` (…, 4).

    A segment and an upright box are apart if their spans are, or if all corners lie on one side of the segment
    (separating axes).
    """
    low, high = np.minimum(edges[..., :2], edges[..., 2:]), np.maximum(edges[..., :2], edges[..., 2:])
    spans = ((low <= boxes[..., 2:]) & (high >= boxes[..., :2])).all(axis=-1)
    dx, dy = edges[..., 2] - edges[..., 0], edges[..., 3] - edges[..., 1]
    sides = [
        dx * (boxes[..., row] - edges[..., 1]) - dy * (boxes[..., column] - edges[..., 0])
        for row in (1, 3)
        for column in (0, 2)
    ]
    apart = (np.minimum.reduce(sides) > 0) | (np.maximum.reduce(sides) < 0)
    return np.asarray(spans & ~apart)
