"""Drawn scenes: a textured yard in which textured people walk at known speeds."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from surveil.features.normality.geometry import Geometry, GeometrySketch
from surveil.features.normality.learner import Learner
from surveil.features.normality.modelfile import LoadedModel, fingerprint
from surveil.features.normality.plane import PlaneSize, plane_size
from surveil.types import Bytes

FRAME = (320, 240)
cv2.setNumThreads(1)  # Tests run beside each other; the threads of each would wait for those of the others.


@dataclass(frozen=True)
class Walker:
    """Walks along a row, wrapping at the edge."""

    x: float
    y: float
    speed: float
    """px/s, negative to the left."""


WALKERS = (Walker(20, 90, 16), Walker(160, 130, -20), Walker(250, 170, 24), Walker(90, 200, -18))


@cache
def _texture(seed: int, height: int, width: int, low: int, high: int) -> Bytes:
    noise = (
        np.random.default_rng(seed).integers(low, high, (height // 4 + 1, width // 4 + 1)).astype(np.uint8)
    )
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)


@cache
def _person(seed: int) -> tuple[Bytes, Bytes]:
    mask = np.zeros((40, 16), np.uint8)
    cv2.ellipse(mask, (8, 20), (7, 19), 0, 0, 360, 255, -1)
    return _texture(seed, 40, 16, 150, 255), mask


def picture(t: float, walkers: tuple[Walker, ...] = WALKERS, noise: int = 0) -> Bytes:
    """The yard at `t` seconds, uint8 (240, 320)."""
    width, height = FRAME
    frame = _texture(1, height, width, 40, 110).copy()
    for i, walker in enumerate(walkers):
        x = (walker.x + walker.speed * t) % (width + 40) - 20
        _paste(frame, *_person(10 + i), x, walker.y)
    if noise:
        rng = np.random.default_rng(round(t * 1000) + noise)
        frame = np.clip(frame + rng.normal(0, noise, frame.shape), 0, 255).astype(np.uint8)
    return frame


def _paste(frame: Bytes, texture: Bytes, mask: Bytes, x: float, y: float) -> None:
    left = np.floor(x).astype(int)
    shift = np.float32([[1, 0, x - left], [0, 1, 0]])
    texture, mask = (cv2.warpAffine(part, shift, (17, 40)) for part in (texture, mask))
    x0, x1 = max(0, left), min(frame.shape[1], left + 17)
    if x1 <= x0:
        return
    part = frame[int(y) - 20 : int(y) + 20, x0:x1]
    alpha = mask[:, x0 - left : x1 - left] / 255.0
    part[:] = part * (1 - alpha) + texture[:, x0 - left : x1 - left] * alpha


def frames(
    seconds: float,
    fps: float = 10.0,
    start: float = 0.0,
    walkers: tuple[Walker, ...] = WALKERS,
    noise: int = 0,
) -> Iterator[tuple[Bytes, float]]:
    """Planes and times."""
    for i in range(round(seconds * fps)):
        t = start + i / fps
        yield picture(t, walkers, noise), t


def size() -> PlaneSize:
    return plane_size(*FRAME)


@cache
def geometry() -> Geometry:
    sketch = GeometrySketch(size())
    for plane, t in frames(30, start=0):
        sketch.add(plane, t)
    return sketch.fit()


@cache
def model(seconds: float = 65.0, fps: float = 10.0, t_wall: float = 1_700_000_000.0) -> LoadedModel:
    """A model of the yard, learned once, from `t_wall` (Unix s) on."""
    learner = Learner("yard", FRAME, geometry())
    for plane, t in frames(seconds, fps):
        learner.observe(plane, t, t_wall + t)
    return fingerprint(learner.freeze().fit())
