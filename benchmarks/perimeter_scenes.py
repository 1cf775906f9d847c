"""Drawn approaches and drawn weather for `benchmarks.perimeter`: grey pictures at 5 a second.

Pictures are drawn at half of the size that they stand for (1280 by 720), which is still twice that of the plane that
is looked at. Everything follows from a seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, repeat

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = (1280, 720)
W, H = 640, 360
FPS = 5.0
Plane = NDArray[np.float32]
Rng = np.random.Generator


def soft(rng: Rng, shape: tuple[int, int], sigma: float) -> Plane:
    """Noise without edges, of deviation 1."""
    small = max(2, round(shape[0] / max(1.0, sigma / 2))), max(2, round(shape[1] / max(1.0, sigma / 2)))
    field = cv2.resize(rng.normal(0, 1, small).astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)
    field = cv2.GaussianBlur(field, (0, 0), max(0.5, sigma / 2))
    return field / max(float(field.std()), 1e-6)


def ground(rng: Rng, light: float = 1.0) -> Plane:
    """A yard: ground, a wall, posts and boxes."""
    base = np.full((H, W), float(rng.uniform(80, 130)), np.float32)
    for sigma, strength in ((1.5, 6), (4, 8), (20, 14)):
        base += strength * soft(rng, (H, W), sigma)
    base[: int(H * rng.uniform(0.15, 0.3))] += float(rng.uniform(-30, 40))
    for _ in range(int(rng.integers(10, 40))):
        x, y = int(rng.integers(0, W)), int(rng.integers(0, H))
        w, h = int(rng.integers(4, 60)), int(rng.integers(4, 60))
        thickness = int(rng.choice([-1, 1, 2]))
        cv2.rectangle(base, (x, y), (x + w, y + h), float(rng.uniform(40, 190)), thickness)
    return np.clip(cv2.GaussianBlur(base, (0, 0), 0.7) * light, 3, 235)


class Sensor:
    """Turns a scene into a picture: grain, and 8 bits."""

    def __init__(self, rng: Rng, noise: float) -> None:
        self.rng = rng
        self.grain = rng.normal(0, noise, (5, H + 48, W + 48)).astype(np.float32)

    def picture(self, scene: Plane) -> NDArray[np.uint8]:
        y, x = (int(v) for v in self.rng.integers(0, 48, 2))
        grain = self.grain[int(self.rng.integers(0, 5)), y : y + H, x : x + W]
        return np.clip(scene + grain, 0, 255).astype(np.uint8)


# Approaches: a figure is a texture and a mask, `height` px of the drawing, of step t.


@dataclass(frozen=True)
class Figure:
    """Somebody, drawn into a patch."""

    draw: Callable[[float], tuple[Plane, Plane]]
    """Time, s → (levels, cover 0..1) of one shape."""
    speed: tuple[float, float]
    """Least and largest, in body heights a second."""


def other_tone(rng: Rng, contrast: float, level: float) -> float:
    """A level that differs from the ground's by the contrast, darker or brighter, as far as there are levels."""
    sign = float(rng.choice([-1, 1]))
    return level + contrast * (sign if 5 <= level + sign * contrast <= 245 else -sign)


def cloth(rng: Rng, shape: tuple[int, int], contrast: float, ground_level: float) -> Plane:
    """The levels of clothes: another tone than the ground's, with folds."""
    tone = other_tone(rng, contrast, ground_level)
    return np.clip(tone + 0.25 * contrast * soft(rng, shape, shape[0] / 12), 2, 250)


def upright(
    rng: Rng, height: int, contrast: float, level: float, pace: float
) -> Callable[[float], tuple[Plane, Plane]]:
    h, w = height, max(12, int(height * 0.6))
    body = cloth(rng, (h, w), contrast, level)

    def draw(t: float) -> tuple[Plane, Plane]:
        cover = np.zeros((h, w), np.float32)
        swing = math.sin(2 * math.pi * pace * t)
        middle, thick = w // 2, max(2, int(h * 0.07))
        cv2.ellipse(cover, (middle, int(0.09 * h)), (int(0.065 * h), int(0.085 * h)), 0, 0, 360, 1.0, -1)
        cv2.ellipse(cover, (middle, int(0.36 * h)), (int(0.12 * h), int(0.21 * h)), 0, 0, 360, 1.0, -1)
        for side in (-1, 1):
            foot = (int(middle + side * swing * 0.2 * h), int(0.98 * h))
            cv2.line(cover, (middle, int(0.52 * h)), foot, 1.0, thick)
            hand = (int(middle - side * swing * 0.14 * h), int(0.52 * h))
            cv2.line(cover, (middle, int(0.22 * h)), hand, 1.0, max(1, thick // 2))
        return body, cover

    return draw


def crawling(rng: Rng, height: int, contrast: float, level: float) -> Callable[[float], tuple[Plane, Plane]]:
    h, w = max(8, int(height * 0.32)), height
    body = cloth(rng, (h, w), contrast, level)

    def draw(t: float) -> tuple[Plane, Plane]:
        cover = np.zeros((h, w), np.float32)
        swing = math.sin(2 * math.pi * 0.6 * t)
        cv2.ellipse(cover, (w // 2, int(h * 0.5)), (int(w * 0.36), int(h * 0.26)), 0, 0, 360, 1.0, -1)
        cv2.circle(cover, (int(w * 0.9), int(h * 0.4)), max(2, int(h * 0.22)), 1.0, -1)
        for n, x in enumerate((0.25, 0.7)):
            end = int(w * (x + 0.1 * swing * (-1) ** n))
            cv2.line(cover, (int(w * x), int(h * 0.6)), (end, int(h * 0.95)), 1.0, max(2, h // 7))
        return body, cover

    return draw


def rolling(rng: Rng, height: int, contrast: float, level: float) -> Callable[[float], tuple[Plane, Plane]]:
    h, w = max(8, int(height * 0.3)), height
    skin = cloth(rng, (h * 3, w), contrast, level)
    cover = np.zeros((h, w), np.float32)
    cv2.ellipse(cover, (w // 2, h // 2), (w // 2 - 1, h // 2 - 1), 0, 0, 360, 1.0, -1)

    def draw(t: float) -> tuple[Plane, Plane]:
        return np.roll(skin, int(t * height * 0.5), axis=0)[:h], cover

    return draw


def log(rng: Rng, height: int, contrast: float, level: float) -> Callable[[float], tuple[Plane, Plane]]:
    h, w = max(7, int(height * 0.22)), int(height * 1.2)
    bark, cover = cloth(rng, (h, w), contrast, level), np.zeros((h, w), np.float32)
    cv2.rectangle(cover, (2, 1), (w - 3, h - 2), 1.0, -1)
    return lambda _t: (bark, cover)


def sheet(rng: Rng, height: int, contrast: float, level: float) -> Callable[[float], tuple[Plane, Plane]]:
    h, w = height, max(8, int(height * rng.uniform(0.5, 0.8)))
    tone = other_tone(rng, contrast, level)

    def draw(t: float) -> tuple[Plane, Plane]:
        cover = np.zeros((h, w), np.float32)
        lean = 0.04 * w * math.sin(2.2 * t)
        corners = [(2 + lean, 2), (w - 3 + lean, 3), (w - 3, h - 3), (2, h - 2)]
        cv2.fillPoly(cover, [np.array(corners, np.int32)], 1.0)
        return np.full((h, w), tone, np.float32), cover

    return draw


APPROACHES: dict[str, Callable[[Rng, int, float, float], Figure]] = {
    "walk": lambda r, h, c, g: Figure(upright(r, h, c, g, 0.9), (0.5, 1.0)),
    "run": lambda r, h, c, g: Figure(upright(r, h, c, g, 1.5), (1.5, 2.6)),
    "crawl": lambda r, h, c, g: Figure(crawling(r, h, c, g), (0.12, 0.4)),
    "roll": lambda r, h, c, g: Figure(rolling(r, h, c, g), (0.2, 0.6)),
    "log": lambda r, h, c, g: Figure(log(r, h, c, g), (0.1, 0.3)),
    "sheet": lambda r, h, c, g: Figure(sheet(r, h, c, g), (0.2, 0.6)),
}
"""What comes; speeds in body heights a second (1.75 m: 0.1 is 0.6 km/h, 2.6 is 16 km/h)."""


def approach(kind: str, seed: int) -> Iterator[NDArray[np.uint8]]:
    """Yield ten empty seconds, then somebody who goes five body heights; `… at night` in the dark, `… in rain`."""
    if kind.endswith(" in rain"):
        yield from in_rain(approach(kind.removesuffix(" in rain"), seed), seed)
        return
    rng = np.random.default_rng(seed)
    at_night = kind.endswith(" at night")
    make = APPROACHES[kind.removesuffix(" at night")]
    scene = ground(rng, rng.uniform(0.15, 0.4) if at_night else rng.uniform(0.7, 1.3))
    sensor = Sensor(rng, rng.uniform(4, 6) if at_night else rng.uniform(1.5, 4))
    contrast = float(rng.uniform(16, 40) if at_night else rng.uniform(25, 70))
    height = int(rng.uniform(36, 110))
    figure = make(rng, height, contrast, float(np.median(scene)))
    speed = float(rng.uniform(*figure.speed)) * height
    flip = bool(rng.integers(0, 2))
    steep = float(rng.uniform(-0.25, 0.25))
    sign = -1 if flip else 1
    long = 5.0 * height + 20
    x0 = W / 2 - sign * long / 2
    y0 = float(rng.uniform(H * 0.55, H * 0.85))
    for _ in range(50):
        yield sensor.picture(scene)
    for i in range(min(300, math.ceil(long / speed * FPS))):
        t = i / FPS
        x, y = x0 + sign * speed * t, y0 + steep * speed * t + 0.02 * height * math.sin(5 * t)
        body, cover = figure.draw(t)
        if flip:
            body, cover = body[:, ::-1], cover[:, ::-1]
        yield sensor.picture(paste(scene, body, cover, x, y))


def paste(scene: Plane, body: Plane, cover: Plane, x: float, y: float) -> Plane:
    """Return the scene with a figure whose bottom centre is at x, y."""
    out = scene.copy()
    h, w = cover.shape
    left, top = round(x - w / 2), round(y - h)
    x1, y1, x2, y2 = max(0, left), max(0, top), min(W, left + w), min(H, top + h)
    if x1 < x2 and y1 < y2:
        part = (slice(y1 - top, y2 - top), slice(x1 - left, x2 - left))
        alpha = cv2.GaussianBlur(np.ascontiguousarray(cover), (0, 0), 0.6)[part]
        out[y1:y2, x1:x2] = out[y1:y2, x1:x2] * (1 - alpha) + body[part] * alpha
    return out


# Weather: a kind changes a scene at time t.

Weather = Callable[[Rng, Plane], Callable[[float], Plane]]


def leaves(rng: Rng, scene: Plane) -> Callable[[float], Plane]:
    """Trees and a hedge in gusts, and leaves that blow about."""
    clumps = [(rng.uniform(0, W), rng.uniform(0, H * 0.8), rng.uniform(25, 90)) for _ in range(5)]
    tufts = [
        (
            cx + rng.normal(0, r * 0.6),
            cy + rng.normal(0, r * 0.4),
            *rng.uniform((3, 30, 0, 0.5), (11, 150, 6.3, 2)),
        )
        for cx, cy, r in clumps
        for _ in range(60)
    ]
    loose = rng.uniform(0, 1, (12, 5))

    def draw(t: float) -> Plane:
        out = scene.copy()
        gust = max(0.0, math.sin(t / 7) + 0.6 * math.sin(t / 2.3))
        for x, y, r, level, phase, f in tufts:
            sway = gust * 7 * math.sin(2 * math.pi * f * t / 2 + phase + x / 80)
            cv2.ellipse(
                out,
                (int(x + sway), int(y + 0.4 * sway)),
                (int(r), int(r * 0.7)),
                30,
                0,
                360,
                float(level),
                -1,
            )
        for a, b, c, d, e in loose:
            x, y = (a + (0.03 + 0.1 * c) * t * (0.3 + gust)) % 1, (b + 0.05 * (0.5 + d) * t) % 1
            spot = (int(x * W), int((y * H + 8 * math.sin(3 * t + 6 * e)) % H))
            cv2.ellipse(out, spot, (int(2 + 3 * d), 2), int(200 * t * e) % 360, 0, 360, 60.0, -1)
        return out

    return draw


STREAKS = (30, 300)
"""Least and most streaks of rain in a picture in which somebody comes."""


def streaks(rng: Rng, number: int) -> Plane:
    """Return the light that so many streaks of rain add."""
    drawn = np.zeros((H, W), np.float32)
    for x, y, length, level in rng.uniform(0, 1, (number, 4)):
        start = (int(x * W), int(y * H))
        end = (int(x * W + 4), int(y * H + 8 + 34 * length))
        cv2.line(drawn, start, end, float(15 + 45 * level), 1 + (length > 0.95))
    return drawn


def in_rain(pictures: Iterator[NDArray[np.uint8]], seed: int) -> Iterator[NDArray[np.uint8]]:
    """Let it rain on pictures, slightly or densely; on the first of them for twenty seconds before."""
    rng = np.random.default_rng((seed, 7))
    number = round(math.exp(rng.uniform(*np.log(STREAKS))))
    first = next(pictures)
    for picture in chain(repeat(first, 100), pictures):
        wet = picture + cv2.GaussianBlur(streaks(rng, number), (0, 0), 0.7)
        yield np.clip(wet, 0, 255).astype(np.uint8)


def rain(rng: Rng, scene: Plane) -> Callable[[float], Plane]:
    """Streaks everywhere, drops in puddles."""

    def draw(_t: float) -> Plane:
        drops = streaks(rng, 220)
        for x, y in rng.uniform(0, 1, (60, 2)):
            cv2.ellipse(drops, (int(x * W), int(H * (0.7 + 0.3 * y))), (5, 2), 0, 0, 360, 25.0, 1)
        return scene + cv2.GaussianBlur(drops, (0, 0), 0.7)

    return draw


def snow(rng: Rng, scene: Plane) -> Callable[[float], Plane]:
    """Flakes of all sizes in the wind, some of them blurred before the lens."""
    flakes = rng.uniform(0, 1, (260, 4))
    near = rng.uniform(0, 1, (5, 4))

    def draw(t: float) -> Plane:
        out = scene.copy()
        wind = 0.05 * math.sin(t / 9)
        for a, b, c, d in flakes:
            v = 0.12 + 0.5 * c
            x, y = (a + (wind + 0.04 * math.sin(t + 6 * d)) * v * t) % 1, (b + v * t) % 1
            cv2.circle(out, (int(x * W), int(y * H)), int(1 + 2.6 * c), float(170 + 70 * d), -1)
        blurred = np.zeros((H // 4, W // 4), np.float32)
        for a, b, c, d in near:
            x, y = (a + 0.4 * t * (d - 0.5)) % 1, (b + (0.6 + c) * t) % 1
            cv2.circle(blurred, (int(x * W / 4), int(y * H / 4)), int(4 + 4 * c), 45.0, -1)
        return out + cv2.resize(cv2.GaussianBlur(blurred, (0, 0), 3), (W, H))

    return draw


def headlights(rng: Rng, scene: Plane) -> Callable[[float], Plane]:
    """At night: pools of light that sweep over walls and ground, every quarter of a minute another."""
    scene = scene * 0.3
    least, most = (0, 2, 0.3, 40, 20), (15, 7, 0.9, 130, 70)
    ways = [(*rng.uniform(least, most), int(rng.choice([-1, 1]))) for _ in range(60)]

    def draw(t: float) -> Plane:
        n = int(t // 15) % len(ways)
        begin, lasts, y, wide, strength, sign = ways[n]
        s = (t % 15 - begin) / lasts
        if not 0 <= s <= 1:
            return scene
        x = W * (s * 1.4 - 0.2 if sign > 0 else 1.2 - s * 1.4)
        light = np.zeros((H // 4, W // 4), np.float32)
        cv2.ellipse(light, (int(x / 4), int(y * H / 4)), (int(wide / 4), int(wide / 9)), 0, 0, 360, 1.0, -1)
        cv2.ellipse(
            light,
            (int(x / 4 + sign * wide / 5), int(y * H / 4)),
            (int(wide / 7), int(wide / 16)),
            0,
            0,
            360,
            1.4,
            -1,
        )
        light = cv2.resize(cv2.GaussianBlur(light, (0, 0), 2.0), (W, H))
        return scene * (1 + 2.2 * light) + 0.3 * strength * light

    return draw


def clouds(rng: Rng, scene: Plane) -> Callable[[float], Plane]:
    """Shadows of clouds that drift over the ground."""
    field = cv2.resize(soft(rng, (H // 4, W), 22), (W * 4, H), interpolation=cv2.INTER_LINEAR)
    edge = cv2.GaussianBlur((field > 0.3).astype(np.float32), (0, 0), 9)
    speed = float(rng.uniform(12, 50))

    def draw(t: float) -> Plane:
        shade = np.take(edge, (np.arange(W) + int(speed * t)) % (4 * W), axis=1)
        return scene * (1 - 0.42 * shade)

    return draw


def insects(rng: Rng, scene: Plane) -> Callable[[float], Plane]:
    """At night: a spider that walks over the lens, a thread that swings, and moths in the infrared light."""
    scene = scene * 0.4
    legs = rng.uniform(0, 6.3, 8)
    seed = rng.uniform(0, 6.3, 8)

    def draw(t: float) -> Plane:
        quarter = np.zeros((H // 2, W // 2), np.float32)
        if t % 60 < 40:
            walk = t % 60 if (t % 9) < 6 else (t % 60) - (t % 9 - 6)
            x = W / 4 + 0.3 * W * math.sin(walk / 11 + seed[0])
            y = H / 4 + 0.3 * H * math.sin(walk / 7 + seed[1])
            cv2.ellipse(quarter, (int(x), int(y)), (16, 11), int(20 * walk) % 360, 0, 360, 1.0, -1)
            for n, phase in enumerate(legs):
                a = n * math.pi / 4 + 0.3 * math.sin(4 * walk + phase)
                cv2.line(
                    quarter, (int(x), int(y)), (int(x + 34 * math.cos(a)), int(y + 34 * math.sin(a))), 1.0, 3
                )
        out = scene + 90 * cv2.resize(cv2.GaussianBlur(quarter, (0, 0), 4.5), (W, H))
        thread = np.zeros((H // 2, W // 2), np.float32)
        cv2.line(thread, (70, 0), (int(90 + 25 * math.sin(1.7 * t)), H // 2), 1.0, 2)
        out = out + 40 * cv2.resize(cv2.GaussianBlur(thread, (0, 0), 3), (W, H))
        moths = np.zeros((H // 2, W // 2), np.float32)
        for n in range(3):
            if math.sin(t / 5 + seed[n] * 3) > 0.2:
                x = W / 4 + W / 4 * math.sin(2.3 * t + seed[n]) * math.cos(1.1 * t + 2 * seed[n + 1])
                y = H / 4 + H / 4 * math.sin(3.1 * t + 3 * seed[n + 2])
                dx, dy = 9 * math.cos(7 * t + n), 9 * math.sin(5 * t + n)
                cv2.line(moths, (int(x - dx), int(y - dy)), (int(x + dx), int(y + dy)), 1.0, 4)
        return out + 80 * cv2.resize(cv2.GaussianBlur(moths, (0, 0), 2.5), (W, H))

    return draw


def flag(rng: Rng, scene: Plane) -> Callable[[float], Plane]:
    """A flag, and water with waves and glints."""
    cloth_ = np.zeros((50, 90), np.float32) + 60
    cloth_[:, 30:60], cloth_[:, 60:] = 170, 110
    gx, gy = np.meshgrid(np.arange(90, dtype=np.float32), np.arange(50, dtype=np.float32))
    wx, wy = np.meshgrid(np.arange(W, dtype=np.float32), np.arange(120, dtype=np.float32))
    x0, y0 = int(rng.uniform(50, 450)), int(rng.uniform(20, 120))

    def draw(t: float) -> Plane:
        out = scene.copy()
        wave = 6 * np.sin(gx / 9 - 6 * t) * gx / 90 * (1 + 0.5 * math.sin(t / 3))
        waving = cv2.remap(
            cloth_,
            gx + wave * 0.5,
            gy + wave,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=-1.0,
        )
        part = out[y0 : y0 + 50, x0 : x0 + 90]
        part[waving >= 0] = waving[waving >= 0]
        waves = np.sin(wx / 14 + wy / 5 - 2.1 * t) + 0.8 * np.sin(wx / 23 - wy / 3.5 + 1.3 * t)
        out[H - 120 :] = 70 + 14 * waves + 60 * (waves > 1.55)
        return out

    return draw


def exposure(rng: Rng, scene: Plane) -> Callable[[float], Plane]:
    """At night: strong infrared noise, exposure that hunts, gain that steps, and hum that rolls through the rows."""
    scene = scene * 0.45
    rows = np.arange(H, dtype=np.float32)[:, None]

    def draw(t: float) -> Plane:
        gain = 1 + 0.25 * math.sin(t / 4) + 0.2 * (int(t / 23) % 2) + 0.1 * math.sin(t * 1.7)
        hum = 3 * np.sin(rows / 40 - 2.6 * t)
        out: Plane = scene * gain + hum + rng.normal(0, 5, (H, W)).astype(np.float32)
        return out

    return draw


def shadows(rng: Rng, scene: Plane) -> Callable[[float], Plane]:
    """Sharp shadows of branches that sway over the ground, and of birds that fly over now and then."""
    twigs = rng.uniform(0, 1, (70, 5))

    def draw(t: float) -> Plane:
        shade = np.ones((H, W), np.float32)
        gust = 0.5 + 0.5 * math.sin(t / 6)
        for a, b, c, d, e in twigs:
            sway = gust * 9 * math.sin((1 + e) * t + 6 * d)
            x, y = a * W * 0.6 + sway, H * (0.3 + 0.7 * b) + 0.3 * sway
            cv2.ellipse(
                shade, (int(x), int(y)), (int(4 + 14 * c), int(2 + 4 * c)), int(180 * d), 0, 360, 0.6, -1
            )
        s = (t % 31) / 1.6
        if s < 1:
            cv2.ellipse(shade, (int(s * W), int(H * 0.6)), (9, 4), 0, 0, 360, 0.6, -1)
        return scene * cv2.GaussianBlur(shade, (0, 0), 1.0)

    return draw


def fog(rng: Rng, scene: Plane) -> Callable[[float], Plane]:
    """Fog and steam that drift through."""
    field = cv2.resize(soft(rng, (H // 4, W), 14), (W * 4, H), interpolation=cv2.INTER_CUBIC)

    def draw(t: float) -> Plane:
        a = np.take(field, (np.arange(W) + int(18 * t)) % (4 * W), axis=1)
        b = np.take(field, (np.arange(W) + 999 + int(7 * t)) % (4 * W), axis=1)
        thick = np.clip(0.3 + 0.14 * (a + b), 0, 0.8)
        return scene * (1 - thick) + 200 * thick

    return draw


WEATHER: dict[str, tuple[Weather, float]] = {
    "leaves": (leaves, 2.0),
    "rain": (rain, 2.5),
    "snow": (snow, 2.5),
    "headlights": (headlights, 5.0),
    "clouds": (clouds, 2.0),
    "insects": (insects, 5.0),
    "flag and water": (flag, 2.0),
    "noise and exposure": (exposure, 6.0),
    "shadows of branches": (shadows, 2.0),
    "fog": (fog, 2.5),
}
"""What it is, and the noise of the sensor."""


def weather(kind: str, seed: int, seconds: float) -> Iterator[NDArray[np.uint8]]:
    """Yield the pictures of nothing but weather; the scene is another every five minutes."""
    make, noise = WEATHER[kind]
    rng = np.random.default_rng([seed, list(WEATHER).index(kind)])
    for part in range(math.ceil(seconds / 300)):
        draw, sensor = make(rng, ground(rng)), Sensor(rng, noise)
        for i in range(round(min(300.0, seconds - 300 * part) * FPS)):
            yield sensor.picture(draw(i / FPS))
