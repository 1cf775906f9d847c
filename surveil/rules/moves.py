"""Motion of objects: the common part of the rules about speed and direction."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from surveil.types import Point, Track

WINDOW_S = 1.5
"""Motion is judged over this time: over one frame the jitter of a box is a sprint."""
LEAST_PLACES = 3
"""Two places are no path: these are kept however rarely pictures come."""
LEAST_S = 0.8
"""Nothing is said of what has been followed for a shorter time."""
FORGET_S = 5.0


@dataclass(slots=True)
class Moves:
    """Where objects were lately, in a plane of the caller's choice. Owned by a rule."""

    _paths: dict[int, deque[tuple[float, Point]]] = field(default_factory=dict)

    def update(self, points: Iterable[tuple[Track, Point]], t: float) -> None:
        """Take where the tracks are at stream time `t` (s)."""
        for track, point in points:
            path = self._paths.setdefault(track.id, deque())
            path.append((t, point))
            while len(path) > LEAST_PLACES and t - path[1][0] >= WINDOW_S:
                path.popleft()
        for gone in [number for number, path in self._paths.items() if t - path[-1][0] > FORGET_S]:
            del self._paths[gone]

    def velocity(self, track: int) -> Point | None:
        """Mean velocity (units a second): the slope of a straight line through the lately seen places.

        Least squares, since the two ends of a path are as uncertain as any other place of it. None when the
        object has not been followed for long enough.
        """
        path = self._paths.get(track)
        if path is None or len(path) < LEAST_PLACES or path[-1][0] - path[0][0] < LEAST_S:
            return None
        times = [t for t, _ in path]
        middle = sum(times) / len(times)
        spread = sum((t - middle) ** 2 for t in times)
        x = sum((t - middle) * point[0] for t, point in path) / spread
        y = sum((t - middle) * point[1] for t, point in path) / spread
        return (x, y)

    def clear(self) -> None:
        """Forget all positions."""
        self._paths.clear()
