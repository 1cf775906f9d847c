"""People cut out of real footage and pasted into its empty scene, upright and lying, for `benchmarks.perimeter`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.people import footage
from benchmarks.perimeter_scenes import FPS, H, Plane, Sensor, W, paste
from benchmarks.sprites import Sprite, sprites

SPEEDS = {
    "pasted walk": (0.5, 1.0),
    "pasted run": (1.5, 2.6),
    "pasted crawl": (0.12, 0.4),
    "pasted roll": (0.2, 0.6),
}
"""Least and largest speed, in body heights a second."""


@cache
def _cut() -> tuple[Plane, list[Sprite]]:
    """The empty scene at the size of the drawings, and people who walk through it."""
    capture, frames = cv2.VideoCapture(str(footage() / "vtest" / "vtest.avi")), []
    while len(frames) < 400 and (read := capture.read())[0]:
        frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY))
    background = np.median(np.stack(frames[::6]), axis=0).astype(np.uint8)
    people = sprites(frames, background, 12)
    return cv2.resize(background, (W, H), interpolation=cv2.INTER_AREA).astype(np.float32), people


def pasted(kind: str, seed: int) -> Iterator[NDArray[np.uint8]]:
    """Yield ten empty seconds, then somebody who goes five body heights."""
    rng = np.random.default_rng(seed)
    background, people = _cut()
    scene, sensor = background * float(rng.uniform(0.6, 1.2)), Sensor(rng, float(rng.uniform(1.5, 4)))
    sprite = people[int(rng.integers(0, len(people)))]
    height = float(rng.uniform(36, 110))
    gain = float(scene.mean() / background.mean())
    speed, sign = float(rng.uniform(*SPEEDS[kind])) * height, float(rng.choice([-1, 1]))
    long, y = 5 * height + 20, float(rng.uniform(H * 0.55, H * 0.85))
    for _ in range(50):
        yield sensor.picture(scene)
    for i in range(min(300, math.ceil(long / speed * FPS))):
        t = i / FPS
        body, cover = _shape(kind, sprite, t, height)
        x = W / 2 - sign * long / 2 + sign * speed * t
        yield sensor.picture(paste(scene, body * gain, cover, x, y))


def _shape(kind: str, sprite: Sprite, t: float, height: float) -> tuple[Plane, Plane]:
    """The levels and the cover of somebody at time t: as he walked, or lying on his front, or turning over."""
    pace = {"pasted run": 20.0, "pasted walk": 10.0, "pasted crawl": 4.0, "pasted roll": 0.0}[kind]
    n = int(t * pace) % len(sprite.crops)
    body, cover = sprite.crops[n].astype(np.float32), sprite.masks[n].astype(np.float32)
    if kind in ("pasted crawl", "pasted roll"):
        body, cover = np.rot90(body), np.rot90(cover)
        if kind == "pasted roll" and int(2 * t) % 2:
            body, cover = body[::-1], cover[::-1]
    scale = height / max(body.shape)
    size = max(4, round(body.shape[1] * scale)), max(4, round(body.shape[0] * scale))
    return cv2.resize(np.ascontiguousarray(body), size), cv2.resize(np.ascontiguousarray(cover), size)
