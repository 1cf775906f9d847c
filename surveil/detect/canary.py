"""Proof that the provider works: one picture timed, and on a GPU compared with the CPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from surveil.clock import Clock
from surveil.types import Detections

RUNS = 3
BOX_PX, SCORE = 1.0, 0.01
"""Largest differences between providers that count as agreement."""


@dataclass(frozen=True, slots=True)
class Canary:
    """What the start-up check measured."""

    provider: str
    seconds: float
    """Best time of one picture on the provider in use."""
    cpu_seconds: float | None = None
    """The same on the CPU; None when that is the provider in use."""
    agrees: bool | None = None
    """Whether both found the same objects within 1 px and 0.01 of score."""


def test_picture(width: int, height: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return a picture with edges at many scales, uint8 (height, width, 3)."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [(x * 3 + y) ^ (x * y // 16), (x // 8 * 37 + y // 8 * 91), (x * x + y * y) // 64]
    return (np.stack(planes, axis=-1) & 255).astype(np.uint8)


def same(a: Detections, b: Detections, floor: float) -> bool:
    """Whether two lists of detections are the same objects, in whatever order.

    Objects that are hardly surer than `floor`, the least score of both lists, may be on one side only.
    """
    return _contained(a, b, floor) and _contained(b, a, floor)


def _contained(a: Detections, b: Detections, floor: float) -> bool:
    for i in np.flatnonzero(a.scores > floor + SCORE):
        near = (np.abs(b.boxes - a.boxes[i]) <= BOX_PX).all(axis=1) & (
            np.abs(b.scores - a.scores[i]) <= SCORE
        )
        if not (near & (b.classes == a.classes[i])).any():
            return False
    return True


def best_time(run: Callable[[], object], clock: Clock) -> float:
    """Return the shortest of a few runs, s; the first, which warms up, does not count."""
    run()
    times = []
    for _ in range(RUNS):
        start = clock.monotonic()
        run()
        times.append(clock.monotonic() - start)
    return min(times)
