"""Drawn scenes for the tests of vision: textured ground, figures, light."""

from copy import deepcopy
from functools import lru_cache

import cv2
import numpy as np

SIZE = (1280, 720)
PLANE = (320, 180)


def ground(size=SIZE, seed=0):
    """A textured scene, float32 (h, w): ground, posts, windows."""
    rng = np.random.default_rng(seed)
    w, h = size
    base = np.full((h, w), 110, np.float32)
    for scale, strength in ((3, 10), (8, 12), (30, 18)):
        soft = cv2.GaussianBlur(rng.normal(0, 1, (h, w)).astype(np.float32), (0, 0), scale)
        base += strength * soft / soft.std()
    for _ in range(60):
        x, y = rng.integers(0, w - 60), rng.integers(0, h - 60)
        cv2.rectangle(
            base,
            (int(x), int(y)),
            (int(x + rng.integers(10, 60)), int(y + rng.integers(10, 60))),
            float(rng.uniform(50, 190)),
            int(rng.integers(1, 4)),
        )
    return np.clip(base, 20, 230)


@lru_cache(4)
def _grain(size, noise, seed):
    """Four pictures of sensor noise, which take a tenth of a second, and the generator as it is after them."""
    rng = np.random.default_rng(seed)
    grain = rng.normal(0, noise, (4, size[1] + 32, size[0] + 32)).astype(np.float32)
    grain.setflags(write=False)
    return grain, rng.bit_generator.state


class Camera:
    """Turns scenes into planes as a camera would: with sensor noise, scaled by area."""

    def __init__(self, size=SIZE, noise=2.0, seed=1):
        self.rng, self.noise = np.random.default_rng(), noise
        self.grain, self.rng.bit_generator.state = _grain(size, noise, seed)

    def __deepcopy__(self, memo):
        """Copy all but the grain, which is never changed."""
        other = Camera.__new__(Camera)
        other.rng, other.noise, other.grain = deepcopy(self.rng, memo), self.noise, self.grain
        return other

    def picture(self, scene):
        y, x = self.rng.integers(0, 32, 2)
        grain = self.grain[self.rng.integers(0, 4), y : y + scene.shape[0], x : x + scene.shape[1]]
        seen = scene + grain
        return np.clip(seen, 0, 255, out=seen).astype(np.uint8)

    def plane(self, scene, size=PLANE):
        return cv2.resize(self.picture(scene), size, interpolation=cv2.INTER_AREA)


def person(scene, x, foot, height, level=40.0):
    """Draw a dark upright figure; return a new scene and its box."""
    out = scene.copy()
    half = height * 0.17
    cv2.ellipse(out, (int(x), int(foot - height / 2)), (int(half), int(height / 2)), 0, 0, 360, level, -1)
    return out, (x - half, foot - height, x + half, foot)


def hits(boxes, box):
    """Whether any of float32 (n, 4) overlaps `box`."""
    return any(b[0] < box[2] and b[2] > box[0] and b[1] < box[3] and b[3] > box[1] for b in boxes)
