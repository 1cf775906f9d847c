"""Films of small people from above: a drawn walkway between lawns, people cut out of footage who walk up and down it.

`python -m benchmarks.from_above` evaluates learned normality on them; people are from UCSD Ped2's training clips in
SURVEIL_FOOTAGE.
Eleven minutes to learn from, and clips with one event each: a bicycle, a skater, a cart and a wheelchair on the
walkway, somebody on the lawn. Faster, larger or elsewhere; the wheelchair is none of these.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.normality import footage
from benchmarks.planted import ped2, write
from benchmarks.sprites import Grey, Sprite, put, sprites
from surveil.offline.normality.dataset import Dataset, LabelledClip, Labels
from surveil.offline.normality.evaluate import evaluate
from surveil.offline.normality.figures import frame_auc
from surveil.offline.normality.report import lines

WIDTH, HEIGHT = 238, 158
CLIP = 200
"""Frames of a clip, 20 s."""
FROM, TO = 60, 160
"""Frames between which an event begins and ends at the latest."""
TOP, BOTTOM = 14.0, HEIGHT + 14.0
"""Where the walkway begins and ends, px of the foot."""


def height_at(y: float) -> float:
    """Return the height of a person whose foot is at `y`, px."""
    return 11.0 + 0.14 * y


def way(y: float, across: float) -> float:
    """Return the column of a place on the walkway; `across` is -1 at its left edge and 1 at its right."""
    return 0.5 * WIDTH + 0.08 * (y - 80) + across * (20.0 + 0.28 * y)


def background(rng: np.random.Generator) -> Grey:
    """Draw lawns, a walkway and the shadows of trees."""
    grain = rng.normal(0, 9, (HEIGHT, WIDTH)) + cv2.resize(rng.normal(0, 12, (20, 30)), (WIDTH, HEIGHT))
    lawn, paved = 92.0 + grain, 150.0 + 0.4 * grain
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    edge = [(way(y, a), y) for y, a in ((0, -1.15), (HEIGHT, -1.15), (HEIGHT, 1.15), (0, 1.15))]
    cv2.fillPoly(mask, [np.rint(np.array(edge)).astype(np.int32)], 255)
    alpha = cv2.GaussianBlur(mask, (0, 0), 1.0) / 255.0
    shade = cv2.resize(rng.uniform(0.7, 1.15, (6, 8)), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.clip((lawn * (1 - alpha) + paved * alpha) * shade, 0, 255).astype(np.uint8)


Look = Callable[[Sprite, int], tuple[Grey, Grey]]
"""A crop and its mask for the k-th frame."""


def walking(s: Sprite, k: int) -> tuple[Grey, Grey]:
    """Somebody who walks."""
    k %= max(1, 2 * len(s.crops) - 2)
    k = min(k, 2 * len(s.crops) - 2 - k)
    return s.crops[k], s.masks[k]


def gliding(s: Sprite, _k: int) -> tuple[Grey, Grey]:
    """Somebody who stands on something that moves."""
    return s.crops[0], s.masks[0]


def _canvas(s: Sprite, k: int, wide: float, high: float) -> tuple[Grey, Grey]:
    crop, mask = walking(s, k)
    h, w = crop.shape
    size = (round(wide * h), round(high * h))
    picture, alpha = np.full(size[::-1], 60, np.uint8), np.zeros(size[::-1], np.float32)
    x, n = (size[0] - w) // 2, min(h, size[1])
    picture[:n, x : x + w], alpha[:n, x : x + w] = crop[:n], mask[:n]
    return picture, alpha


def _disc(picture: Grey, alpha: Grey, x: float, r: float, thick: int, luma: int) -> None:
    centre = (round(x), round(picture.shape[0] - 1 - r))
    cv2.circle(picture, centre, round(r), luma, thick, cv2.LINE_AA)
    cv2.circle(alpha, centre, round(r), 1.0, thick)


def bicycle(s: Sprite, _k: int) -> tuple[Grey, Grey]:
    """Somebody on a bicycle."""
    picture, alpha = _canvas(s, 0, 0.95, 1.0)
    rows, columns = picture.shape
    for x in (0.22, 0.78):
        _disc(picture, alpha, x * columns, 0.19 * rows, max(1, rows // 16), 40)
    cv2.line(
        picture, (columns // 5, rows * 4 // 5), (columns * 4 // 5, rows * 4 // 5), 40, max(1, rows // 16)
    )
    cv2.line(alpha, (columns // 5, rows * 4 // 5), (columns * 4 // 5, rows * 4 // 5), 1.0, max(1, rows // 16))
    return picture, alpha


def wheelchair(s: Sprite, _k: int) -> tuple[Grey, Grey]:
    """Somebody in a wheelchair: shorter, wider, without legs that swing."""
    crop, mask = walking(s, 0)
    small = (crop.shape[1], round(0.75 * crop.shape[0]))
    seated = Sprite([cv2.resize(crop, small)], [cv2.resize(mask, small)], 0, 0, 0, 0)
    picture, alpha = _canvas(seated, 0, 0.9, 1.0)
    rows, columns = picture.shape
    _disc(picture, alpha, 0.45 * columns, 0.3 * rows, -1, 55)
    _disc(picture, alpha, 0.8 * columns, 0.12 * rows, -1, 45)
    return picture, alpha


def cart(s: Sprite, _k: int) -> tuple[Grey, Grey]:
    """A cart: a bright box with a roof and wheels."""
    h = s.height
    picture, alpha = np.full((round(1.3 * h), round(1.8 * h)), 205, np.uint8), None
    rows, columns = picture.shape
    alpha = np.zeros(picture.shape, np.float32)
    alpha[: rows // 8] = alpha[rows // 2 : rows * 7 // 8] = 1.0
    alpha[rows // 8 : rows // 2, columns // 8 : columns // 3] = 1.0
    picture[rows // 8 : rows // 2] = 70
    for x in (0.2, 0.8):
        _disc(picture, alpha, x * columns, 0.13 * rows, -1, 30)
    return picture, alpha


@dataclass(frozen=True)
class Going:
    """Somebody's way through the picture."""

    sprite: Sprite
    look: Look
    start: int
    """Frame."""
    across: float
    sideways: float
    """Change of `across` a second."""
    speed: float
    """Heights a second, away from the camera where negative."""
    zigzag: float

    def draw(self, frame: Grey, i: int) -> bool:
        """Draw the person into frame `i`; return whether they are in the picture."""
        t = (i - self.start) / 10.0
        if t < 0:
            return False
        y = self._row(t)
        if not TOP - 2 <= y <= BOTTOM:
            return False
        across = self.across + self.sideways * t + 0.1 * np.sin(self.zigzag + 0.7 * t)
        crop, mask = self.look(self.sprite, i - self.start)
        scale = height_at(y) / self.sprite.height
        put(frame, crop, mask, way(y, across), y, (scale, scale))
        return True

    def _row(self, t: float) -> float:
        """Return the row of the foot: heights grow with the row, so ways are exponential in time."""
        first = TOP if self.speed > 0 else BOTTOM
        return float((11.0 / 0.14 + first) * np.exp(0.14 * self.speed * 0.55 * t) - 11.0 / 0.14)


def walker(people: list[Sprite], start: int, rng: np.random.Generator) -> Going:
    """Return somebody who walks up or down the way."""
    speed = float(rng.normal(0.75, 0.12)) * (1 if rng.random() < 0.5 else -1)
    across, sideways = float(rng.uniform(-0.85, 0.85)), float(rng.normal(0, 0.02))
    return Going(_any(people, rng), walking, start, across, sideways, speed, float(rng.uniform(0, 6)))


EVENTS: dict[str, tuple[Look, tuple[float, float], tuple[float, float]]] = {
    "bicycle": (bicycle, (1.6, 2.6), (-0.7, 0.7)),
    "skater": (gliding, (1.3, 1.9), (-0.7, 0.7)),
    "cart": (cart, (0.8, 1.3), (-0.3, 0.3)),
    "wheelchair": (wheelchair, (0.6, 0.85), (-0.7, 0.7)),
    "lawn": (walking, (0.6, 0.9), (1.5, 2.2)),
}
"""Look, pace in heights a second, place across the walkway."""


def event(kind: str, people: list[Sprite], rng: np.random.Generator) -> Going:
    """Return an abnormal visitor."""
    look, pace, place = EVENTS[kind]
    speed, across = float(rng.uniform(*pace)), float(rng.uniform(*place))
    sign = 1 if rng.random() < 0.5 else -1
    across *= 1 if rng.random() < 0.5 else -1
    return Going(_any(people, rng), look, FROM, across, 0.0, sign * speed, float(rng.uniform(0, 6)))


def _any(people: list[Sprite], rng: np.random.Generator) -> Sprite:
    return people[int(rng.integers(len(people)))]


def film(
    people: list[Sprite], back: Grey, rng: np.random.Generator, abnormal: str | None = None
) -> tuple[list[Grey], list[int]]:
    """Return a clip of 20 s and its labels."""
    rate = float(rng.uniform(0.03, 0.09))
    starts = [k for k in range(-400, CLIP) if rng.random() < rate]
    crowd = [walker(people, k, rng) for k in starts]
    odd = event(abnormal, people, rng) if abnormal else None
    light = float(rng.normal(1.0, 0.02))
    frames, labels = [], []
    for i in range(CLIP):
        frame = np.clip(back * light, 0, 255).astype(np.uint8)
        there = odd is not None and i < TO and odd.draw(frame, i)
        for one in crowd:
            one.draw(frame, i)
        frames.append(_filmed(frame, rng))
        labels.append(int(there))
    return frames, labels


def _filmed(frame: Grey, rng: np.random.Generator) -> Grey:
    noisy = np.clip(frame + rng.normal(0, 2.0, frame.shape), 0, 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 70])
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


NORMAL, EACH = 34, 8
"""Clips to learn from, and with each kind of event."""


def people_of(clips: list[list[Grey]]) -> list[Sprite]:
    """Cut out the people who can be followed longest."""
    everything = [frame for clip in clips for frame in clip]
    back = np.median(np.stack(everything[::25]), axis=0).astype(np.uint8)
    found = [s for clip in clips for s in sprites(clip, back, 6)]
    return sorted(found, key=lambda s: len(s.crops), reverse=True)[:24]


def films(folder: Path, people: list[Sprite]) -> Dataset:
    """Draw everything into a folder."""
    rng = np.random.default_rng(1)
    back = background(rng)
    normal = tuple(write(folder / f"normal-{i:02d}", film(people, back, rng)[0]) for i in range(NORMAL))
    clips = []
    for kind in EVENTS:
        for i in range(EACH):
            frames, labels = film(people, back, rng, kind)
            path = write(folder / f"{kind}-{i}", frames)
            clips.append(LabelledClip(path.name, path, Labels(frames=tuple(labels))))
    return Dataset("from above", 10.0, normal, tuple(clips))


def main() -> None:
    cv2.setNumThreads(1)
    if not (footage() / "ucsd_ped2").exists():
        print("skipped: no ucsd_ped2 under SURVEIL_FOOTAGE")
        return
    with tempfile.TemporaryDirectory() as folder:
        report = evaluate(films(Path(folder), people_of(ped2(footage()))))
    print("\n".join(lines(report)))
    for kind in EVENTS:
        clips = [c for c in report.clips if c.name.startswith(kind)]
        scores = np.concatenate([c.scores[1:] for c in clips])
        print(f"{kind:12} {frame_auc(scores, np.concatenate([c.labels[1:] for c in clips])):.3f}")


if __name__ == "__main__":
    main()
