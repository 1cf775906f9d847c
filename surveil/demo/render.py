"""Draws solids (tapered capsules) to a shaded picture with transparency.

Orthographic projection with a depth buffer. Where two solids of one cloth meet, normals are blurred
so that they grow together; hollows are darkened by the difference between the depth and its blur.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Vec = NDArray[np.float64]
Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]
SUPERSAMPLE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Solid:
    """A tapered capsule from `a` to `b` (m, body axes) with radii `ra`, `rb` (m)."""

    a: Vec
    b: Vec
    ra: float
    rb: float
    colour: tuple[float, float, float]
    """Blue, green, red, 0..1."""
    material: str
    """cloth, skin, hair, leather, paint or glass: how it folds and shines."""


@dataclass(frozen=True, slots=True)
class Matter:
    """What solids are made of; see `Solid`."""

    colour: tuple[float, float, float]
    material: str

    def capsule(self, a: Vec, b: Vec, ra: float, rb: float) -> Solid:
        """Return a tapered capsule of it from `a` to `b`."""
        return Solid(a=a, b=b, ra=ra, rb=rb, colour=self.colour, material=self.material)


@dataclass(frozen=True, slots=True)
class Sun:
    """Light from one side and the sky. `to` points to the sun: right, down, towards the camera."""

    to: tuple[float, float, float] = (-0.55, -0.65, 0.52)
    strength: float = 0.85
    sky: float = 0.42


@dataclass(frozen=True, slots=True)
class Sprite:
    """A picture with transparency. `ground`: x, y px in it of the ground point below the figure."""

    bgr: NDArray[np.float32]
    """float32 (h, w, 3) 0..255, multiplied by alpha already."""
    alpha: Plane
    """float32 (h, w) 0..1."""
    ground: tuple[float, float]


_FOLDS = {"cloth": 0.22, "skin": 0.06, "hair": 0.35, "leather": 0.12, "paint": 0.02, "glass": 0.02}
_SHINE = {"cloth": 0.02, "skin": 0.08, "hair": 0.16, "leather": 0.18, "paint": 0.35, "glass": 0.6}
_MARGIN_M = 0.03


@lru_cache(maxsize=32)
def folds(seed: int, size: int = 256) -> Plane:
    """Return a tile of noise like creased cloth: float32 (size, size), mean 0, about -1..1."""
    rng = np.random.default_rng([seed, 5])
    tile = np.zeros((size, size), np.float32)
    for octave, weight in ((4, 0.4), (9, 0.4), (22, 0.3), (60, 0.12)):
        coarse = rng.standard_normal((octave, octave)).astype(np.float32)
        tile += (
            weight
            * cv2.resize(np.tile(coarse, (3, 3)), (3 * size, 3 * size), interpolation=cv2.INTER_CUBIC)[
                size : 2 * size, size : 2 * size
            ]
        )
    return tile


def view_axes(heading_deg: float, pitch_deg: float) -> Vec:
    """Return the matrix (3, 3) from body axes to view axes (right, down, towards the camera)."""
    h, p = np.radians(heading_deg), np.radians(pitch_deg)
    right_away = np.array([[np.cos(h), 0.0, np.sin(h)], [0.0, 1.0, 0.0], [np.sin(h), 0.0, -np.cos(h)]])
    look = np.array([[1.0, 0.0, 0.0], [0.0, -np.cos(p), -np.sin(p)], [0.0, np.sin(p), -np.cos(p)]])
    return np.asarray(look @ right_away)


class _Canvas:
    """The buffers of one picture; owned by `render`."""

    def __init__(self, low: Vec, high: Vec, scale: float) -> None:
        self.low, self.scale = low, scale
        self.w, self.h = (int(np.ceil(n)) for n in (high - low) * scale)
        self.depth = np.full((self.h, self.w), -1e3, np.float32)
        self.normal = np.zeros((self.h, self.w, 3), np.float32)
        self.colour = np.zeros((self.h, self.w, 3), np.float32)
        self.shine = np.zeros((self.h, self.w), np.float32)

    def window(self, a: Vec, b: Vec, r: float) -> tuple[slice, slice] | None:
        """Rows and columns that a capsule can touch."""
        low = np.floor((np.minimum(a, b)[:2] - r - self.low) * self.scale).astype(int)
        high = np.ceil((np.maximum(a, b)[:2] + r - self.low) * self.scale).astype(int) + 1
        x0, y0 = np.maximum(low, 0)
        x1, y1 = min(int(high[0]), self.w), min(int(high[1]), self.h)
        return (slice(int(y0), y1), slice(int(x0), x1)) if x1 > x0 and y1 > y0 else None

    def draw(self, solid: Solid, a: Vec, b: Vec, tile: Plane, number: int) -> None:
        """Draw one solid whose ends are `a`, `b` in view axes."""
        window = self.window(a, b, max(solid.ra, solid.rb))
        if window is None:
            return
        rows, cols = window
        x = (np.arange(cols.start, cols.stop, dtype=np.float32) + 0.5) / self.scale + self.low[0] - a[0]
        y = (
            (np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5)[:, None] / self.scale
            + self.low[1]
            - a[1]
        )
        along = (b - a).astype(np.float32)
        flat = float(along[0] ** 2 + along[1] ** 2) + 1e-9
        t = np.clip((x * along[0] + y * along[1]) / flat, 0.0, 1.0)
        dx, dy = x - t * along[0], y - t * along[1]
        r = solid.ra + (solid.rb - solid.ra) * t
        bulge = r * r - dx * dx - dy * dy
        rise = np.sqrt(np.maximum(bulge, 0.0))
        depth = a[2] + t * along[2] + rise
        seen = (bulge > 0) & (depth > self.depth[rows, cols])
        side = (dx * along[1] - dy * along[0]) / np.sqrt(flat)
        fold = _texture(tile, t[seen] * np.sqrt(flat), side[seen], number, solid.material)
        self.depth[rows, cols][seen] = depth[seen]
        self.normal[rows, cols][seen] = np.stack([dx[seen], dy[seen], rise[seen]], -1) / r[seen][:, None]
        self.colour[rows, cols][seen] = np.array(solid.colour, np.float32) * fold[:, None]
        self.shine[rows, cols][seen] = _SHINE[solid.material]


def _texture(tile: Plane, along: Plane, side: Plane, number: int, material: str) -> Plane:
    """Brightness of folds at points given in m along and across a limb: they move with the limb."""
    size = tile.shape[0]
    u = ((along * 420 + number * 61) % size).astype(np.int32)
    v = ((side * 260 + number * 97 + size) % size).astype(np.int32)
    return np.asarray(np.clip(1.0 + _FOLDS[material] * tile[u, v], 0.3, 1.7), np.float32)


def render(solids: list[Solid], view_deg: tuple[float, float], scale: float, sun: Sun, seed: int) -> Sprite:
    """Draw `solids` at `scale` px per m; `view_deg`: heading and pitch (see `view_axes`)."""
    axes = view_axes(*view_deg)
    ends = [(axes @ s.a, axes @ s.b) for s in solids]
    points = np.array([p[:2] for pair in ends for p in pair])
    radii = np.repeat([max(s.ra, s.rb) for s in solids], 2)[:, None]
    low, high = (points - radii).min(0) - _MARGIN_M, (points + radii).max(0) + _MARGIN_M
    canvas = _Canvas(low, high, scale * SUPERSAMPLE)
    for number, (solid, (a, b)) in enumerate(zip(solids, ends, strict=True)):
        canvas.draw(solid, a, b, folds(seed), number)
    lit, alpha = _shade(canvas, sun)
    size = (max(1, round(canvas.w / SUPERSAMPLE)), max(1, round(canvas.h / SUPERSAMPLE)))
    return Sprite(
        bgr=np.asarray(cv2.resize(lit, size, interpolation=cv2.INTER_AREA), np.float32),
        alpha=np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.float32),
        ground=(float(-low[0] * scale), float(-low[1] * scale)),
    )


def _shade(canvas: _Canvas, sun: Sun) -> tuple[Plane, Plane]:
    """Return the lit picture (multiplied by alpha) and alpha, both at the canvas's size."""
    mask = canvas.depth > -1e2
    normal = _soft_normals(canvas, mask)
    to = np.asarray(sun.to, np.float32) / np.float32(np.linalg.norm(sun.to))
    light = sun.strength * np.maximum(normal @ to, 0) + sun.sky * (0.72 - 0.28 * normal[:, 1])
    light *= _hollows(canvas, mask)
    half = to + np.array([0, 0, 1], np.float32)
    half /= np.linalg.norm(half)
    gleam = np.maximum(normal @ half, 0) ** 24 * canvas.shine[mask] * sun.strength
    lit = np.zeros_like(canvas.colour)
    lit[mask] = np.minimum(canvas.colour[mask] * light[:, None] + gleam[:, None], 1) ** 0.8 * 255
    return lit, mask.astype(np.float32)


def _soft_normals(canvas: _Canvas, mask: Mask) -> Plane:
    """Normals (n, 3) of the pixels in `mask`, blurred over some 14 mm."""
    blurred = cv2.blur(cv2.blur(canvas.normal, (k := 2 * round(0.012 * canvas.scale) + 1, k)), (k, k))
    normal = 0.7 * blurred[mask] + 0.3 * canvas.normal[mask]
    normal /= np.sqrt(np.einsum("nc,nc->n", normal, normal))[:, None] + 1e-6
    return np.asarray(normal, np.float32)


def _hollows(canvas: _Canvas, mask: Mask) -> Plane:
    """Darkening, 0.45..1, of the pixels in `mask` where the surface lies behind what is around it."""
    size = (max(1, canvas.w // 4), max(1, canvas.h // 4))
    full = mask.astype(np.float32)
    small, weight = (cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in (canvas.depth * full, full))
    sigma = 0.05 * canvas.scale / 4
    around = cv2.GaussianBlur(small, (0, 0), sigma) / np.maximum(
        cv2.GaussianBlur(weight, (0, 0), sigma), 1e-3
    )
    behind = (
        cv2.resize(around, (canvas.w, canvas.h), interpolation=cv2.INTER_LINEAR)[mask] - canvas.depth[mask]
    )
    return np.asarray(np.clip(1.0 - 3.2 * np.maximum(behind, 0), 0.45, 1.0), np.float32)
