"""The pictures of a data set for the network: each as it is, and with variations for training."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from surveil.features.classify.classifier import in_batches
from surveil.features.classify.preprocess import CropPreprocess, resized
from surveil.offline.classify.features import Sees
from surveil.offline.classify.head import Labels
from surveil.offline.classify.prepared import Options, Prepared, Progress
from surveil.offline.classify.split import TEST
from surveil.types import Bytes, Floats

_WORK_PX = 512
Rng = np.random.Generator


def shrunk(rgb: Bytes) -> Bytes:
    """Return a large picture at twice the network's size, so that varying it costs what a small one costs."""
    scale = _WORK_PX / max(rgb.shape[:2])
    if scale >= 1:
        return rgb
    return resized(rgb, max(2, round(rgb.shape[1] * scale)), max(2, round(rgb.shape[0] * scale)))


def plain_features(ready: Prepared, preprocess: CropPreprocess, backbone: Sees, progress: Progress) -> Floats:
    """Features of every picture as it is: float32 (n, d)."""
    pictures = (preprocess.apply(ready.data.read(item)) for item in ready.data.items)
    return _run(pictures, len(ready.data.items), backbone, "reading pictures", progress)


def varied_features(
    ready: Prepared, options: Options, backbone: Sees, progress: Progress
) -> tuple[Floats, Labels]:
    """Features of variations of all pictures but those to test on, and which picture each is of."""
    mine = np.flatnonzero(ready.split.side != TEST)

    def vary() -> Iterator[Bytes]:
        for i in mine:
            picture = shrunk(ready.data.read(ready.data.items[i]))
            rng = np.random.default_rng([options.seed, int(ready.data.items[i].sha256[:12], 16)])
            for _ in range(options.variations):
                yield options.preprocess.apply(augment(picture, rng, options.flip))

    of = np.repeat(mine, options.variations)
    return _run(vary(), len(of), backbone, "varying pictures", progress), of


def _run(pictures: Iterator[Bytes], count: int, backbone: Sees, what: str, progress: Progress) -> Floats:
    rows: list[Floats] = []
    done = 0
    for batch in in_batches(pictures):
        rows.append(backbone.features(batch))
        done += len(batch)
        progress(what, done / max(1, count))
    return np.concatenate(rows) if rows else np.zeros((0, 1392), np.float32)


def augment(rgb: Bytes, rng: Rng, flip: bool = True) -> Bytes:
    """Return a variation of uint8 RGB; the same for the same state of `rng`. `flip`: mirroring keeps the class."""
    picture = _cut(rgb, rng)
    if flip and rng.random() < 0.5:
        picture = picture[:, ::-1]
    picture = _light(picture, rng)
    if rng.random() < 0.1:
        picture = _night(picture, rng)
    if rng.random() < 0.25:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 1.6))), np.uint8)
    if rng.random() < 0.3:
        picture = _noisy(picture, rng, float(rng.uniform(2, 9)))
    return _jpeg(picture, rng) if rng.random() < 0.3 else np.ascontiguousarray(picture)


def _cut(rgb: Bytes, rng: Rng) -> Bytes:
    """Cut up to 12 % off each side."""
    h, w = rgb.shape[:2]
    top, bottom, left, right = rng.uniform(0, 0.12, 4)
    y0, y1, x0, x1 = int(top * h), h - int(bottom * h), int(left * w), w - int(right * w)
    return rgb[y0:y1, x0:x1] if y1 - y0 >= 2 and x1 - x0 >= 2 else rgb


def _light(rgb: Bytes, rng: Rng) -> Bytes:
    """Change exposure, contrast, gamma and the balance of colours."""
    levels = np.arange(256, dtype=np.float32) / 255
    curve = levels ** float(rng.uniform(0.75, 1.35)) * float(rng.uniform(0.8, 1.2)) + float(
        rng.uniform(-0.06, 0.06)
    )
    tables = [np.clip(curve * gain * 255, 0, 255).astype(np.uint8) for gain in rng.uniform(0.93, 1.07, 3)]
    return np.stack([tables[c][rgb[:, :, c]] for c in range(3)], -1)


def _night(rgb: Bytes, rng: Rng) -> Bytes:
    """As an infrared camera sees it: grey, dim, noisy."""
    grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)
    dim = grey.astype(np.float32) * float(rng.uniform(0.35, 0.8))
    return _noisy(np.repeat(dim.astype(np.uint8)[:, :, None], 3, 2), rng, float(rng.uniform(5, 14)))


def _noisy(rgb: Bytes, rng: Rng, sd: float) -> Bytes:
    grain = rng.normal(0, sd, (*rgb.shape[:2], 1)).astype(np.float32)
    return np.asarray(np.clip(rgb + grain, 0, 255), np.uint8)


def _jpeg(rgb: Bytes, rng: Rng) -> Bytes:
    quality = int(rng.integers(25, 80))
    coded = cv2.imencode(".jpg", np.ascontiguousarray(rgb), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
