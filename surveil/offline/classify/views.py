"""What the network sees of a data set: every picture as it is, and variations of those to learn from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surveil.features.classify.classifier import in_batches
from surveil.features.classify.preprocess import CropPreprocess, resized
from surveil.offline.classify.augment import augment
from surveil.offline.classify.features import Sees
from surveil.offline.classify.head import Labels
from surveil.offline.classify.prepared import Options, Prepared, Progress
from surveil.offline.classify.split import TEST
from surveil.types import Bytes, Floats

_WORK_PX = 512


def shrunk(rgb: Bytes) -> Bytes:
    """Return a large picture at twice the network's size, so that varying it costs what a small one costs."""
    scale = _WORK_PX / max(rgb.shape[:2])
    if scale >= 1:
        return rgb
    return resized(rgb, max(2, round(rgb.shape[1] * scale)), max(2, round(rgb.shape[0] * scale)))


def plain_features(ready: Prepared, preprocess: CropPreprocess, backbone: Sees, progress: Progress) -> Floats:
    """Features of every picture as it is: float32 (n, d)."""
    pictures = (preprocess.apply(ready.data.read(item)) for item in ready.data.items)
    return _run(pictures, len(ready.data.items), backbone, "looking at pictures", progress)


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
