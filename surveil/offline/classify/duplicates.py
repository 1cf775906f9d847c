"""Near-duplicates: the same picture again, re-encoded, resized, brighter, a little cropped or noisy.

Two measures must agree: the perceptual hash (sign of the 63 lowest cosine frequencies of a 32×32
thumbnail, after C. Zauner, *Implementation and benchmarking of perceptual image hash functions*, 2010)
and the correlation of 16×16 thumbnails. Very high correlation is enough alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from surveil.types import Bytes, Floats

_BITS = 16
_ALIKE, _SURE = 0.93, 0.985
_FLAT = 2.0
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Print:
    """What is compared of a picture."""

    bits: int
    """63-bit perceptual hash."""
    thumb: Floats
    """float32 (256,): 16×16 brightness, mean 0 and length 1; zeros for a flat picture."""
    level: float
    """Mean brightness."""


def fingerprint(rgb: Bytes) -> Print:
    """Return the print of a picture."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:8, :8].ravel()[1:]
    bits = int("".join("1" if v > 0 else "0" for v in low - np.median(low)), 2)
    thumb = cv2.resize(small, (16, 16), interpolation=cv2.INTER_AREA).ravel()
    centred = thumb - thumb.mean()
    flat = float(thumb.std()) < _FLAT
    return Print(
        bits, np.zeros(256, np.float32) if flat else centred / np.linalg.norm(centred), float(thumb.mean())
    )


def find_duplicates(prints: list[Print]) -> list[tuple[int, int]]:
    """Return pairs (i, j), i < j, of near-duplicates."""
    thumbs = np.stack([p.thumb for p in prints]) if prints else np.zeros((0, 256), np.float32)
    hashes = np.array([p.bits for p in prints], np.uint64)
    levels = np.array([p.level for p in prints])
    flat = np.asarray(~thumbs.any(axis=1))
    found: list[tuple[int, int]] = []
    for start in range(0, len(prints), _BLOCK):
        rows = slice(start, start + _BLOCK)
        alike = thumbs[rows] @ thumbs.T
        apart = np.bitwise_count(hashes[rows, None] ^ hashes[None])
        same = (alike >= _SURE) | ((alike >= _ALIKE) & (apart <= _BITS))
        same |= flat[rows, None] & flat & (np.abs(levels[rows, None] - levels) < 1.5)
        found += [(int(i) + start, int(j)) for i, j in np.argwhere(same) if i + start < j]
    return found


def groups(count: int, pairs: list[tuple[int, int]]) -> NDArray[np.int64]:
    """Return a group number for each of `count` pictures: those joined by pairs, directly or not, share one."""
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, j in pairs:
        parent[max(root(i), root(j))] = min(root(i), root(j))
    return np.array([root(i) for i in range(count)], np.int64)
