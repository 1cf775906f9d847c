"""Where people walk: ways over the ground as points in time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from surveil.demo.figures import Clothing

CYCLE_M = 1.38
"""Length of two steps, m."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footstep:
    """Position and posture of a person."""

    x: float
    z: float
    heading_deg: float
    phase: float
    moving: bool


@dataclass(frozen=True, slots=True)
class Walker:
    """Somebody on his way, straight between `way` points (t s, x m right, z m away); equal places: a stop."""

    id: int
    look: Clothing
    way: tuple[tuple[float, float, float], ...]

    @property
    def arrives(self) -> float:
        """When he appears, s."""
        return self.way[0][0]

    @property
    def leaves(self) -> float:
        """When he is gone, s."""
        return self.way[-1][0]

    def at(self, t: float) -> Footstep:
        """Return his place at `t`, which lies between `arrives` and `leaves`."""
        times = [p[0] for p in self.way]
        k = int(np.clip(np.searchsorted(times, t, side="right") - 1, 0, len(self.way) - 2))
        (t0, x0, z0), (t1, x1, z1) = self.way[k], self.way[k + 1]
        share = (t - t0) / (t1 - t0)
        gone = sum(np.hypot(b[1] - a[1], b[2] - a[2]) for a, b in pairwise(self.way[: k + 1]))
        length = float(np.hypot(x1 - x0, z1 - z0))
        return Footstep(
            x=x0 + (x1 - x0) * share,
            z=z0 + (z1 - z0) * share,
            heading_deg=float(np.degrees(np.arctan2(z1 - z0, x1 - x0))) if length > 0 else -70.0,
            phase=float((gone + length * share) / CYCLE_M % 1.0),
            moving=length > 0,
        )


def _way(
    start: float, speed: float, points: list[tuple[float, float, float]]
) -> tuple[tuple[float, float, float], ...]:
    """Turn points (x, z, seconds to wait there) into a way at `speed` m/s."""
    t = start
    way = [(t, points[0][0], points[0][1])]
    for (x0, z0, _), (x, z, wait) in pairwise(points):
        t += float(np.hypot(x - x0, z - z0)) / speed
        way.append((t, x, z))
        if wait > 0:
            t += wait
            way.append((t, x, z))
    return tuple(way)


def edge(z: float) -> float:
    """Half the width of what the camera sees at `z` m, and a person more, m."""
    return 0.625 * z + 0.9


def passers_by(seed: int, people: int) -> tuple[Walker, ...]:
    """One after the other, straight through, alternately to the right and to the left."""
    rng = np.random.default_rng([seed, 21])
    walkers: list[Walker] = []
    t = 1.0
    for n in range(people):
        z = float(rng.uniform(7.0, 10.0))
        side = -1.0 if n % 2 == 0 else 1.0
        way = _way(t, float(rng.uniform(1.25, 1.5)), [(side * edge(z), z, 0), (-side * edge(z), z, 0)])
        walkers.append(Walker(n, Clothing.sample(seed * 8 + n), way))
        t = way[-1][0] + 0.8
    return tuple(walkers)


def busy_yard(seed: int, seconds: float) -> tuple[Walker, ...]:
    """People come from both sides every few seconds; every fourth stops in the middle for a while."""
    rng = np.random.default_rng([seed, 22])
    walkers: list[Walker] = []
    t = 0.8
    while t < seconds:
        n = len(walkers)
        way = _yard_way(n, t, rng)
        if way[-1][0] < seconds:
            walkers.append(Walker(n, Clothing.sample(seed * 8 + n % 8), way))
        t += float(rng.uniform(3.0, 5.0))
    return tuple(walkers)


def _yard_way(n: int, t: float, rng: np.random.Generator) -> tuple[tuple[float, float, float], ...]:
    z0, z1 = (float(z) for z in rng.uniform(6.0, 10.0, 2))
    side = -1.0 if n % 2 == 0 else 1.0
    points = [(side * edge(z0), z0, 0.0)]
    if n % 4 == 2:
        points.append((float(rng.uniform(-1.2, 1.2)), (z0 + z1) / 2, float(rng.uniform(5.0, 8.0))))
    points.append((-side * edge(z1), z1, 0.0))
    return _way(t, float(rng.uniform(1.2, 1.55)), points)
