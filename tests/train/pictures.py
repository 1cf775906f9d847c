"""Pictures that tests draw: a red disc or a blue cross on a ground that never repeats."""

import resource
from contextlib import contextmanager

import cv2
import numpy as np

from surveil.offline.classify import dataset


def draw(label, seed, size=96):
    rng = np.random.default_rng([seed, 5 if label == "disc" else 6])
    coarse = rng.integers(0, 255, (7, 7, 3), np.uint8)
    picture = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC) // 2 + 60
    x, y = (int(v) for v in rng.integers(size // 3, 2 * size // 3, 2))
    r = int(rng.integers(size // 6, size // 4))
    if label == "disc":
        cv2.circle(picture, (x, y), r, (30, 30, 220), -1, cv2.LINE_AA)
    else:
        cv2.line(picture, (x - r, y - r), (x + r, y + r), (220, 60, 30), 7, cv2.LINE_AA)
        cv2.line(picture, (x - r, y + r), (x + r, y - r), (220, 60, 30), 7, cv2.LINE_AA)
    return picture


def fill(folder, each=30, labels=("cross", "disc"), size=96, seeds=0, **about):
    for label in labels:
        for seed in range(seeds, seeds + each):
            dataset.add(folder, draw(label, seed, size), label, **about)
    return folder


@contextmanager
def no_room(most=1_000_000):
    """Let no file grow beyond `most` bytes: writing more fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
