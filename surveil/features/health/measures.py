"""Measures of picture health on a small brightness plane.

Everything is relative to a *reference* of the same camera, and built so that light cancels out: gradients are
divided by their local energy, sharpness is a ratio of two bands, and brightness is compared after a common
factor was taken out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from surveil.types import Bytes, Floats
from surveil.vision.background import rate

SMALL = (160, 90)
"""Width and height of the plane on which structure is compared."""
BLOCKS = (16, 9)
TEXTURE_MIN = 2.0
"""Mean gradient (levels per px) from which a block has structure that can be lost."""
LOST = 0.3
"""Correlation of gradients below which a block's structure is another."""
PLAIN = 1.5
"""Mean gradient below which a block has no structure."""
LEVEL_CHANGE = 35.0
"""Levels by which a plain block must change beyond the light."""
SUPPORT = 0.1
VANISHED = 0.25
FLAT_SHARE = 0.5
BURNT = 240.0
VISIBLE = 1.0
"""Gradient that must be left in the light there is, levels per px: the rest drowns in noise."""
SAME = 0.7
"""Correlation of two pictures above which nobody asks whether the camera has moved."""
MEDIAN_PER_SIGMA = 0.954
"""Median absolute difference of two samples of Gaussian noise, by its standard deviation."""
JUDGED_MIN = 48
"""Where fewer blocks can be judged, a loss counts as if so many could: one car must not cover an empty yard."""
Blocks = NDArray[np.float32]
"""float32 (9, 16)."""
LEARN_S = 60.0
"""Time constant of the reference."""
READY_S = 4.0
"""The reference is not compared with before it has been learned for this long."""


@dataclass(frozen=True, slots=True)
class Structure:
    """What a picture looks like, lighting aside."""

    picture: Floats
    """float32 (90, 160): brightness."""
    gx: Floats
    """float32 (90, 160): gradient, by local energy."""
    gy: Floats
    texture: Blocks
    """Mean gradient of each block, levels per px."""
    level: Blocks
    """Mean brightness of each block."""


def structure(plane: Floats) -> Structure:
    """Return the structure of a plane, float32 of any size."""
    small = np.asarray(cv2.resize(plane, SMALL, interpolation=cv2.INTER_AREA), np.float32)
    gx = cv2.Sobel(small, cv2.CV_32F, 1, 0, scale=0.125)
    gy = cv2.Sobel(small, cv2.CV_32F, 0, 1, scale=0.125)
    size = cv2.magnitude(gx, gy)
    local = cv2.blur(size, (15, 15)) + 1.0
    gx, gy = cv2.divide(gx, local), cv2.divide(gy, local)
    return Structure(
        picture=small, gx=_floats(gx), gy=_floats(gy), texture=_blocks(_floats(size)), level=_blocks(small)
    )


def _floats(array: object) -> Floats:
    return np.asarray(array, np.float32)


def _blocks(plane: Floats) -> Blocks:
    return _floats(cv2.resize(plane, BLOCKS, interpolation=cv2.INTER_AREA))


def similarity(a: Structure, b: Structure) -> Blocks:
    """Return the correlation of gradients in each block, -1..1: about 1 for the same things in any light."""
    dot = _blocks(a.gx * b.gx + a.gy * b.gy)
    norm = _blocks(a.gx**2 + a.gy**2) * _blocks(b.gx**2 + b.gy**2)
    return _floats(dot / np.sqrt(norm + 1e-6))


def alike(a: Structure, b: Structure) -> float:
    """Return the correlation of gradients of two whole pictures, -1..1."""
    size = a.gx.size
    return _dot(a, b) / size / math.sqrt(_dot(a, a) / size * _dot(b, b) / size + 1e-9)


def _dot(a: Structure, b: Structure) -> float:
    return float(np.vdot(a.gx, b.gx) + np.vdot(a.gy, b.gy))


def sharpness(plane: Floats) -> float:
    """Return the energy of the finest band by that of the next: falls with blur, light cancels out."""
    fine = cv2.blur(plane, (3, 3))
    coarse = cv2.blur(fine, (9, 9))
    return float(
        cv2.norm(plane, fine, cv2.NORM_L1) / (cv2.norm(fine, coarse, cv2.NORM_L1) + plane.size * 0.05)
    )


def displacement(reference: Structure, now: Structure) -> tuple[float, float]:
    """Return by which share of width and height the picture has moved against the reference.

    Phase correlation (Kuglin and Hines 1975) of the brightness under a Hanning window.
    """
    window = cv2.createHanningWindow(SMALL, cv2.CV_32F)
    (dx, dy), _ = cv2.phaseCorrelate(reference.picture, now.picture, window)
    return dx / SMALL[0], dy / SMALL[1]


def shifted_alike(reference: Structure, now: Structure, shift: tuple[float, float]) -> float:
    """Return `alike` of the parts of two pictures that overlap after `shift` (shares of width, height)."""
    dx, dy = round(shift[0] * SMALL[0]), round(shift[1] * SMALL[1])
    if abs(dx) > SMALL[0] * 0.6 or abs(dy) > SMALL[1] * 0.6:
        return 0.0
    here = (slice(max(0, dy), SMALL[1] + min(0, dy)), slice(max(0, dx), SMALL[0] + min(0, dx)))
    there = (slice(max(0, -dy), SMALL[1] + min(0, -dy)), slice(max(0, -dx), SMALL[0] + min(0, -dx)))
    a = (reference.gx[there], reference.gy[there])
    b = (now.gx[here], now.gy[here])
    dot = float(np.sum(a[0] * b[0] + a[1] * b[1]))
    norm = float(np.sum(a[0] ** 2 + a[1] ** 2)) * float(np.sum(b[0] ** 2 + b[1] ** 2))
    return dot / math.sqrt(norm + 1e-9)


def coarse_alike(a: Structure, b: Structure) -> float:
    """Return the correlation of the brightness of two pictures on coarse blocks, -1..1: blur leaves it."""
    x, y = a.level - a.level.mean(), b.level - b.level.mean()
    return float((x * y).sum() / (np.sqrt((x**2).sum() * (y**2).sum()) + 1e-6))


@dataclass(frozen=True, slots=True)
class Loss:
    """How much of a picture shows nothing of what it did."""

    share: float
    """Of the parts that can be judged."""
    covered: float
    """The same, parts that still have structure by half: a sheet is plainer than a passer-by."""
    texture: float
    """Structure that is there, by what was there before, in the light of the moment."""


NOTHING_LOST = Loss(0.0, 0.0, 1.0)


def lost(was: Structure, now: Structure) -> Loss:
    """Return what was lost between two pictures.

    Blocks with structure are lost when their gradients do not agree. Blocks without are lost when their
    brightness has changed by far more than the light has; they count only beside blocks of the first kind.
    Blocks that the light has drowned or burnt out are not judged.
    """
    gain = median((now.level + 8.0) / (was.level + 8.0))
    fit = now.level < BURNT
    textured = fit & (was.texture >= TEXTURE_MIN) & (was.texture * gain >= VISIBLE)
    vanished = now.texture < VANISHED * gain * was.texture
    gone = textured & ((similarity(was, now) < LOST) | vanished)
    plain = fit & (was.texture < PLAIN) & (now.texture < PLAIN)
    judged = int(textured.sum())
    if gone.sum() >= SUPPORT * max(1, judged):
        gone |= plain & (np.abs(now.level - was.level * gain) > LEVEL_CHANGE)
        judged += int(plain.sum())
    flat = gone & (now.texture < FLAT_SHARE * np.maximum(was.texture, TEXTURE_MIN))
    count, judged = float(gone.sum()), max(JUDGED_MIN, judged)
    texture = float(now.texture.sum() / (gain * was.texture.sum() + 1e-6))
    return Loss(count / judged, 0.5 * (count + float(flat.sum())) / judged, texture)


def blocks_of(difference: Bytes) -> Blocks:
    """Return the mean of each block of a plane, uint8 (h, w)."""
    return _floats(cv2.resize(difference.astype(np.float32), BLOCKS, interpolation=cv2.INTER_AREA))


def median(values: NDArray[Any]) -> float:
    """Return the (upper) median; NumPy's own takes ten times as long to get ready as to sort a few values."""
    return float(_at(values, 0.5))


def quantiles(plane: Bytes, *shares: float) -> tuple[float, ...]:
    """Return the levels below which the given shares of the pixels lie, from every 25th pixel."""
    some = plane[::5, ::5].ravel()
    return tuple(float(_at(some, share)) for share in shares)


def noise(plane: Bytes, previous: Bytes) -> float:
    """Return the standard deviation of the noise of two planes of the same scene, levels.

    From the median pixel of every 25th: rain and passers-by touch fewer than half. The median change is
    subtracted first: a change of exposure is no noise.
    """
    change = plane[::5, ::5].astype(np.int16) - previous[::5, ::5]
    return median(np.abs(change - _at(change, 0.5))) / MEDIAN_PER_SIGMA


def _at(values: NDArray[Any], share: float) -> Any:
    """Return the value below which `share` of the values lie."""
    index = int(share * values.size)
    return np.partition(values, index, axis=None)[index]


def at_least(plane: Bytes, level: int) -> Bytes:
    """Return 1 where `plane` is at least `level`, else 0."""
    return np.asarray(cv2.threshold(plane, level - 1, 1, cv2.THRESH_BINARY)[1], np.uint8)


class Reference:
    """What the picture usually looks like."""

    def __init__(self) -> None:
        self._learned_s = 0.0
        self._sums: list[Floats] = []
        self.sharpness = 0.0

    @property
    def is_ready(self) -> bool:
        """Whether enough was learned to compare with."""
        return self._learned_s >= READY_S

    @property
    def structure(self) -> Structure:
        """The mean structure."""
        return Structure(*self._sums)

    def learn(self, now: Structure, sharpness: float, dt: float, trust: float = 1.0) -> None:
        """Move towards the picture of the last `dt` s: a plain mean at first, a running one later."""
        parts = [now.picture, now.gx, now.gy, now.texture, now.level]
        self._learned_s += dt
        if not self._sums:
            self._sums, self.sharpness = [part.copy() for part in parts], sharpness
            return
        weight = trust * max(dt / self._learned_s, rate(dt, LEARN_S))
        for mean, part in zip(self._sums, parts, strict=True):
            cv2.accumulateWeighted(part, mean, weight)
        self.sharpness += weight * (sharpness - self.sharpness)
