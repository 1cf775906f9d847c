"""Puts people and sensor noise into a picture of the yard."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from surveil.demo.backdrop import Picture, Pinhole, paste, shade
from surveil.demo.figures import Clothing, draw_figure
from surveil.demo.gait import walking
from surveil.demo.render import Sprite, Sun
from surveil.demo.walks import Walker
from surveil.types import Box, Point

_PHASES = 12
_HEADING_BIN = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A person's picture, scaled and placed."""

    walker: Walker
    bgr: NDArray[np.float32]
    alpha: NDArray[np.float32]
    left: int
    top: int
    ground: Point
    z: float
    box: Box


def draw(walker: Walker, t: float, camera: Pinhole) -> Drawn:
    """Return the walker's picture at `t`, scaled to his distance and placed on his ground point."""
    step = walker.at(t)
    heading = step.heading_deg + float(np.degrees(np.arctan2(step.x, step.z)))
    coarse = camera.scale(7.0 if step.z < 9.0 else 9.0)
    pitch = 17 if step.z < 9.0 else 11
    phase = round(step.phase * _PHASES) % _PHASES if step.moving else -1
    sprite, top, bottom = _sprite(
        walker.look, phase, round(heading / _HEADING_BIN) * _HEADING_BIN % 360, pitch, coarse
    )
    ratio = camera.scale(step.z) / coarse
    h, w = sprite.alpha.shape
    size = (max(1, round(w * ratio)), max(1, round(h * ratio)))
    bgr, alpha = (
        np.asarray(cv2.resize(p, size, interpolation=cv2.INTER_AREA), np.float32)
        for p in (sprite.bgr, sprite.alpha)
    )
    gx, gy = camera.ground(step.x, step.z)
    ground = (sprite.ground[0] * ratio, sprite.ground[1] * ratio)
    left, up = round(gx - ground[0]), round(gy - ground[1])
    x0, y0, x1, y1 = (edge * ratio for edge in (*top, *bottom))
    return Drawn(
        walker=walker,
        bgr=bgr,
        alpha=alpha,
        left=left,
        top=up,
        ground=ground,
        z=step.z,
        box=(left + x0, up + y0, left + x1, up + y1),
    )


@lru_cache(maxsize=4096)
def _sprite(
    look: Clothing, phase: int, heading: int, pitch: int, scale: float
) -> tuple[Sprite, Point, Point]:
    """Return a figure and the corners of its outline, px."""
    pose = walking(phase / _PHASES) if phase >= 0 else walking(0.0, stride=0.12)
    sprite = draw_figure(look, pose, heading_deg=heading, pitch_deg=pitch, scale=scale, sun=Sun())
    rows, cols = np.nonzero(sprite.alpha > 0.5)
    return sprite, (float(cols.min()), float(rows.min())), (float(cols.max() + 1), float(rows.max() + 1))


def put(picture: Picture, one: Drawn, camera: Pinhole, noise: float, grey: bool) -> None:
    """Lay a drawn person, his shadow and the sensor's noise over `picture`."""
    at = (one.left, one.top)
    shade(picture, one.alpha, one.ground, at, camera.mount_m / one.z)
    bgr = np.repeat(one.bgr.mean(-1, keepdims=True), 3, -1) if grey else one.bgr
    alpha = one.alpha[..., None]
    grain = _grain(noise, one.alpha.shape, one.left + 7 * one.top)
    paste(picture, np.clip(bgr + grain * alpha, 0, 255 * alpha), one.alpha, *at)


def noisy(clean: Picture, sd: float, seed: int) -> Picture:
    """Return `clean` under sensor noise of `sd` grey levels."""
    rng = np.random.default_rng([seed, 3])
    h, w, _ = clean.shape
    grain = rng.normal(0, sd, (h, w, 1)).astype(np.float32) + rng.normal(0, sd / 3, (h, w, 3)).astype(
        np.float32
    )
    return np.asarray(np.clip(clean + grain, 0, 255), np.uint8)


@lru_cache(maxsize=4)
def _grain_tile(sd: float) -> NDArray[np.float32]:
    return np.random.default_rng(41).normal(0, sd, (1024, 1024, 1)).astype(np.float32)


def _grain(sd: float, shape: tuple[int, ...], offset: int) -> NDArray[np.float32]:
    y, x = (offset * 31) % 128, (offset * 17) % 256
    tile = _grain_tile(sd)[y : y + shape[0], x : x + shape[1]]
    return tile if tile.shape[:2] == shape else np.zeros((*shape, 1), np.float32)


def _scaled(plane: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)
