"""The yard that the figures walk in: a pinhole camera, paving, a brick wall, parked things, their shadows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from surveil.demo.render import Matter, Solid, Sprite, Sun, folds, render

Picture = NDArray[np.uint8]
Plane = NDArray[np.float32]
WALL_M = 17.0
"""Distance of the wall from the camera, m."""
_WALL_HEIGHT_M = 5.5
_GROUND_PX_M = 45
_WALL_PX_M = 50
_SPAN_M = 16.0


@dataclass(frozen=True, slots=True)
class Pinhole:
    """A camera at (0, height, 0) that looks along +z and down. Ground points are (x right, z away), m."""

    width: int
    height: int
    mount_m: float = 3.0
    pitch_deg: float = 11.0

    @property
    def focal(self) -> float:
        """Focal length, px."""
        return 0.80 * self.width

    @property
    def horizon(self) -> float:
        """Picture row of the horizon, px."""
        return self.height / 2 - self.focal * float(np.tan(np.radians(self.pitch_deg)))

    def scale(self, z: float) -> float:
        """Px per m at distance `z` m."""
        return self.focal / z

    def ground(self, x: float, z: float) -> tuple[float, float]:
        """Return where the ground point lies in the picture, px."""
        return self.width / 2 + x * self.scale(z), self.horizon + self.mount_m * self.scale(z)


def backdrop(camera: Pinhole, seed: int, car: bool) -> Picture:
    """Draw the empty scene: uint8 BGR (height, width, 3)."""
    rng = np.random.default_rng([seed, 11])
    picture = _ground(camera, rng, seed)
    _wall(picture, camera, rng)
    sun = Sun()
    if car:
        place(
            picture,
            render(_car((0.34, 0.10, 0.08)), (4.0, 9.0), camera.scale(14.6), sun, seed),
            camera,
            -4.6,
            14.6,
        )
    for x, z, solids in _furniture(rng):
        place(picture, render(solids, (0.0, 9.0), camera.scale(z), sun, seed), camera, x, z)
    light = np.linspace(1.03, 0.93, camera.width, dtype=np.float32)[None, :, None]
    blurred = cv2.GaussianBlur(picture * light, (0, 0), 0.5 * camera.width / 1280)
    return np.asarray(np.clip(blurred, 0, 255), np.uint8)


def _ground(camera: Pinhole, rng: np.random.Generator, seed: int) -> Plane:
    """Asphalt with patches, a pavement along the wall and painted bays, seen in perspective."""
    n = int(2 * _SPAN_M * _GROUND_PX_M), int((WALL_M + 1) * _GROUND_PX_M)
    grain = rng.normal(0, 7, (n[1], n[0])).astype(np.float32)
    stains = cv2.resize(folds(seed + 900, 512), n, interpolation=cv2.INTER_CUBIC)
    plane = np.full((n[1], n[0], 3), (112, 113, 116), np.float32) + (grain + 7 * stains)[..., None]
    _paint_ground(plane, rng)
    rows, cols = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float32)
    z = camera.focal * camera.mount_m / np.maximum(rows - camera.horizon, 1.0)
    x = (cols - camera.width / 2) * z / camera.focal
    return np.asarray(
        cv2.remap(
            plane,
            (x + _SPAN_M) * _GROUND_PX_M,
            z * _GROUND_PX_M,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        )
    )


def _paint_ground(plane: Plane, rng: np.random.Generator) -> None:
    m = _GROUND_PX_M
    kerb = int(12.9 * m)
    step = int(0.5 * m)
    for row in range(kerb, plane.shape[0] - step, step):
        for col in range(0, plane.shape[1] - step, step):
            plane[row : row + step, col : col + step] += 26 + rng.normal(0, 5)
            plane[row : row + 1, col : col + step] -= 28
            plane[row : row + step, col : col + 1] -= 28
    plane[kerb : kerb + m // 8] = (150, 152, 154)
    plane[kerb - m // 10 : kerb] -= 30
    for x in (-9.0, -6.4, -3.8, 3.8, 6.4, 9.0):
        col = int((x + _SPAN_M) * m)
        plane[int(9.2 * m) : int(12.6 * m), col : col + int(0.12 * m)] = (186, 190, 190)
    lid = (int((1.7 + _SPAN_M) * m), int(8.2 * m))
    cv2.circle(plane, lid, int(0.34 * m), (74, 74, 76), -1, cv2.LINE_AA)
    cv2.circle(plane, lid, int(0.34 * m), (52, 52, 54), 2, cv2.LINE_AA)


def _wall(picture: Plane, camera: Pinhole, rng: np.random.Generator) -> None:
    """Lay the brick wall over everything above its foot, and the sky above its top."""
    bricks = _bricks(rng)
    scale = camera.scale(WALL_M)
    foot = camera.horizon + camera.mount_m * scale
    rows, cols = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float32)
    x, y = (cols - camera.width / 2) / scale, (foot - rows) / scale
    wall = cv2.remap(
        bricks,
        (x + _SPAN_M) * _WALL_PX_M,
        (_WALL_HEIGHT_M - y) * _WALL_PX_M,
        cv2.INTER_AREA,
        borderMode=cv2.BORDER_REPLICATE,
    )
    is_wall, is_sky = (rows < foot) & (y <= _WALL_HEIGHT_M), y > _WALL_HEIGHT_M
    picture[is_wall] = wall[is_wall]
    picture[is_sky] = (226, 212, 198)
    shade = np.clip(1 - (rows - foot) / (0.5 * scale), 0, 1) * (rows >= foot) * 0.35
    picture *= (1 - shade)[..., None]


def _bricks(rng: np.random.Generator) -> Plane:
    m = _WALL_PX_M
    h, w = int(_WALL_HEIGHT_M * m), int(2 * _SPAN_M * m)
    wall = np.full((h, w, 3), (128, 134, 140), np.float32)
    bh, bw = int(0.12 * m), int(0.36 * m)
    for i, row in enumerate(range(0, h, bh)):
        for col in range(-(i % 2) * (bw // 2), w, bw):
            tone = rng.normal(0, 7)
            wall[row : row + bh - 1, max(col, 0) : max(col + bw - 1, 0)] = (88 + tone, 104 + tone, 140 + tone)
    for x in (-11.0, -7.0, -3.0, 5.0, 9.0, 13.0):
        _window(wall, x, rng)
    left = int((0.8 + _SPAN_M) * m)
    cv2.rectangle(wall, (left, h - int(2.3 * m)), (left + int(1.1 * m), h), (72, 84, 70), -1)
    cv2.rectangle(wall, (left, h - int(2.3 * m)), (left + int(1.1 * m), h), (158, 160, 162), 4)
    wall[-int(0.4 * m) :] *= 0.8
    return wall + rng.normal(0, 4, (h, w, 1)).astype(np.float32)


def _window(wall: Plane, x: float, rng: np.random.Generator) -> None:
    m, h = _WALL_PX_M, wall.shape[0]
    left, top = int((x + _SPAN_M) * m), h - int(3.9 * m)
    right, bottom = left + int(1.5 * m), h - int(2.5 * m)
    glass = float(rng.uniform(45, 75))
    cv2.rectangle(wall, (left, top), (right, bottom), (glass + 14, glass + 6, glass), -1)
    cv2.rectangle(wall, (left, top), (right, bottom), (196, 200, 202), 4)
    cv2.line(wall, ((left + right) // 2, top), ((left + right) // 2, bottom), (196, 200, 202), 3)
    wall[bottom : bottom + 6, left - 5 : right + 5] = (170, 172, 174)


def _v(x: float, y: float, z: float) -> NDArray[np.float64]:
    return np.array([x, y, z])


def _car(colour: tuple[float, float, float]) -> list[Solid]:
    """A parked saloon, 4.3 m long, along x."""
    paint = Matter(colour, "paint")
    pane = Matter((0.10, 0.09, 0.08), "glass")
    tyre = Matter((0.05, 0.05, 0.05), "leather")
    rim = Matter((0.55, 0.55, 0.55), "paint")
    headlight = Matter((0.85, 0.88, 0.88), "glass")
    tail_light = Matter((0.12, 0.10, 0.60), "paint")
    solids = []
    for z in np.linspace(-0.62, 0.62, 5):
        solids += [
            paint.capsule(_v(-1.75, 0.62, z), _v(1.75, 0.58, z), 0.30, 0.26),
            paint.capsule(_v(-1.85, 0.45, z), _v(1.85, 0.42, z), 0.22, 0.22),
            pane.capsule(_v(-1.05, 1.14, z * 0.85), _v(0.30, 1.14, z * 0.85), 0.22, 0.22),
            paint.capsule(_v(-0.95, 1.27, z * 0.8), _v(0.22, 1.27, z * 0.8), 0.12, 0.12),
            pane.capsule(_v(0.30, 1.12, z * 0.85), _v(0.95, 0.80, z * 0.95), 0.20, 0.12),
            pane.capsule(_v(-1.05, 1.12, z * 0.85), _v(-1.55, 0.82, z * 0.95), 0.20, 0.14),
        ]
    for x in (-1.25, 1.25):
        solids += [
            tyre.capsule(_v(x, 0.32, 0.80), _v(x, 0.32, 0.86), 0.33, 0.32),
            rim.capsule(_v(x, 0.32, 0.98), _v(x, 0.32, 1.0), 0.19, 0.18),
        ]
    for x in (-0.35, 0.32):
        solids.append(paint.capsule(_v(x, 0.9, 0.83), _v(x, 1.25, 0.7), 0.035, 0.03))
    solids.append(headlight.capsule(_v(2.0, 0.6, 0.6), _v(2.02, 0.6, 0.72), 0.09, 0.08))
    solids.append(tail_light.capsule(_v(-2.0, 0.66, 0.6), _v(-2.0, 0.66, 0.75), 0.09, 0.08))
    return solids


def _furniture(rng: np.random.Generator) -> list[tuple[float, float, list[Solid]]]:
    """Things on the pavement: x, z in m and what they are made of."""
    bin_ = [
        Matter((0.16, 0.24, 0.14), "paint").capsule(_v(0.2 * k, 0.35, 0), _v(0.2 * k, 0.95, 0), 0.26, 0.30)
        for k in (-1, 0, 1)
    ]
    lamp = [
        Matter((0.32, 0.32, 0.31), "paint").capsule(_v(0, 0, 0), _v(0, 4.6, 0), 0.07, 0.05),
        Matter((0.32, 0.32, 0.31), "paint").capsule(_v(0, 4.6, 0), _v(0.9, 4.75, 0), 0.05, 0.07),
    ]
    return [(4.6, 16.2, bin_), (-8.8, 15.0, lamp), (8.0, 16.0, _shrub(rng)), (9.3, 15.8, _shrub(rng))]


def _shrub(rng: np.random.Generator) -> list[Solid]:
    solids = []
    for _ in range(90):
        at = rng.normal(0, (0.34, 0.26, 0.25)) + np.array([0, 0.62, 0])
        green = float(rng.uniform(0.22, 0.42))
        solids.append(
            Matter((green * 0.45, green, green * 0.62), "hair").capsule(
                at, at + rng.normal(0, 0.05, 3), 0.09, 0.04
            )
        )
    return solids


def place(picture: Plane, sprite: Sprite, camera: Pinhole, x: float, z: float) -> None:
    """Put a thing on the ground at (x, z) m, with its shadow, into a float picture."""
    gx, gy = camera.ground(x, z)
    left, top = round(gx - sprite.ground[0]), round(gy - sprite.ground[1])
    shade(picture, sprite.alpha, (gx - left, gy - top), (left, top), camera.mount_m / z)
    paste(picture, sprite.bgr, sprite.alpha, left, top)


def paste(picture: Plane | Picture, bgr: Plane, alpha: Plane, left: int, top: int) -> None:
    """Lay a premultiplied picture over `picture` at (left, top), clipped to it."""
    h, w = alpha.shape
    x0, y0, x1, y1 = (
        max(left, 0),
        max(top, 0),
        min(left + w, picture.shape[1]),
        min(top + h, picture.shape[0]),
    )
    if x0 >= x1 or y0 >= y1:
        return
    part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    under = picture[y0:y1, x0:x1]
    picture[y0:y1, x0:x1] = under * (1 - alpha[part][..., None]) + bgr[part]


_SHADOW_X, _SHADOW_Z, _SHADOW = 0.55, 0.45, 0.48
"""A shadow's way to the right and away, m per m of height, and how dark it is."""


def shade(
    picture: Plane | Picture, alpha: Plane, ground: tuple[float, float], at: tuple[int, int], steepness: float
) -> None:
    """Darken the ground where the outline `alpha`, put at `at` and standing on `ground` px, has its shadow.

    `steepness`: how many px up one m away is, beside one m to the right.
    """
    gy = ground[1]
    rise = _SHADOW_Z * steepness
    pad = 6
    w = int(alpha.shape[1] + _SHADOW_X * gy) + 2 * pad
    h = int(rise * gy + 0.2 * gy) + 2 * pad
    foot = h - 2 * pad - 0.04 * gy
    warp = np.array([[1, -_SHADOW_X, _SHADOW_X * gy + pad], [0, rise, foot - rise * gy]], np.float32)
    cast = cv2.blur(cv2.warpAffine(alpha, warp, (w, h)), (5, 5)) * _SHADOW
    left, top = at[0] - pad, round(at[1] + gy - foot)
    paste(picture, np.zeros((h, w, 3), np.float32), cast, left, top)
