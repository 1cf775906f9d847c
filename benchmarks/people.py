"""Pictures for benchmarks: real people cut out of a clip with boxes, pasted at any size onto an empty scene.

The clip is PETS 2009 S2.L1 view 1, as OpenCV's samples carry it (`vtest.avi`), with MOT-style boxes on
every tenth frame. Neither is part of this project: the folder is given by SURVEIL_FOOTAGE.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Walker:
    """One person cut out of consecutive frames (10 fps), feet at the bottom."""

    pictures: list[Image]
    """BGR."""
    masks: list[NDArray[np.float32]]
    """0..1."""


def footage() -> Path:
    """Return the folder with the clips; raises FileNotFoundError saying what to set."""
    here = Path(__file__).resolve().parents[2] / "shared" / "footage"
    folder = Path(os.environ.get("SURVEIL_FOOTAGE", here))
    if not (folder / "vtest" / "vtest.avi").is_file():
        raise FileNotFoundError(f"no vtest/vtest.avi under {folder}: set SURVEIL_FOOTAGE")
    return folder


def read(path: Path, step: int = 1, limit: int = 10**9) -> list[Image]:
    """Return every `step`-th frame (BGR) of a clip."""
    capture = cv2.VideoCapture(str(path))
    frames = []
    for i in range(limit * step):
        ok, frame = capture.read()
        if not ok:
            break
        if i % step == 0:
            frames.append(frame)
    return frames


def empty_scene(frames: list[Image]) -> Image:
    """Return the median of frames: the scene without the people that walk through it."""
    return np.median(np.stack(frames[:: max(1, len(frames) // 40)]), axis=0).astype(np.uint8)


def mosaic(tile: Image, width: int, height: int) -> Image:
    """Return a picture of the given size at the native scale of `tile`, mirrored tiles side by side."""
    row = np.hstack([tile, tile[:, ::-1]])
    block = np.vstack([row, row[::-1]])
    reps = (-(-height // block.shape[0]), -(-width // block.shape[1]), 1)
    return np.ascontiguousarray(np.tile(block, reps)[:height, :width])


def _boxes(path: Path) -> dict[int, dict[int, NDArray[np.float64]]]:
    """Return person → frame → x y w h, linearly filled in between the labelled frames."""
    known: dict[int, dict[int, NDArray[np.float64]]] = {}
    with path.open() as file:
        for row in csv.reader(file):
            if float(row[6]) > 0:
                known.setdefault(int(row[1]), {})[int(row[0])] = np.array(row[2:6], float)
    filled: dict[int, dict[int, NDArray[np.float64]]] = {}
    for person, at in known.items():
        for a, b in zip(sorted(at), sorted(at)[1:], strict=False):
            for k in range(a, b + 1):
                if b - a == 10:
                    filled.setdefault(person, {})[k] = at[a] + (at[b] - at[a]) * (k - a) / (b - a)
    return filled


def _alone(box: NDArray[np.float64], others: list[NDArray[np.float64]]) -> bool:
    x, y, w, h = box
    return all(
        o[0] > x + 1.3 * w or o[0] + o[2] < x - 0.3 * w or o[1] > y + 1.1 * h or o[1] + o[3] < y - 0.1 * h
        for o in others
    )


def _cut(frame: Image, empty: Image, box: NDArray[np.float64]) -> tuple[Image, NDArray[np.float32]] | None:
    """Return the person in `box` and its mask; None when the box leaves the picture."""
    x, y, w, h = box
    x1, y1, x2, y2 = round(x - 0.15 * w), round(y - 0.05 * h), round(x + 1.15 * w), round(y + 1.03 * h)
    if x1 < 0 or y1 < 0 or x2 > frame.shape[1] or y2 > frame.shape[0]:
        return None
    part = frame[y1:y2, x1:x2]
    differs = cv2.absdiff(part, empty[y1:y2, x1:x2]).max(axis=2)
    mask = cv2.morphologyEx((differs > 22).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    return part.copy(), cv2.GaussianBlur(mask.astype(np.float32), (3, 3), 0)


def walkers(
    frames: list[Image], empty: Image, labels: Path, count: int = 12, length: int = 20
) -> list[Walker]:
    """Return up to `count` people who walk alone for `length` frames (of 10 a second)."""
    boxes = _boxes(labels)
    found: list[Walker] = []
    for person, at in sorted(boxes.items()):
        run: list[tuple[Image, NDArray[np.float32]]] = []
        for k in sorted(at):
            others = [b[k] for p, b in boxes.items() if p != person and k in b]
            cut = _cut(frames[k - 1], empty, at[k]) if _alone(at[k], others) else None
            run = [*run, cut] if cut is not None else []
            if len(run) == length:
                found.append(Walker([c[0] for c in run], [c[1] for c in run]))
                run = []
    order = np.random.default_rng(0).permutation(len(found))[:count]
    return [found[i] for i in order]


def paste(
    picture: Image,
    walker: Walker,
    step: int,
    foot: tuple[float, float],
    height: float,
    *,
    contrast: float = 1.0,
) -> NDArray[np.float64]:
    """Draw `walker` at `step` with its feet at `foot` px, `height` px high; return its box x1 y1 x2 y2.

    `contrast` below 1 lets the background shine through, as dusk does.
    """
    n = len(walker.pictures)
    k = step % (2 * n - 2)
    k = k if k < n else 2 * n - 2 - k  # There and back, so that it never jumps.
    cut, mask = walker.pictures[k], walker.masks[k]
    scale = height / (cut.shape[0] / 1.08)
    size = (max(2, round(cut.shape[1] * scale)), max(2, round(cut.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    cut, mask = cv2.resize(cut, size, interpolation=how), cv2.resize(mask, size, interpolation=how)
    x, y = round(foot[0] - size[0] / 2), round(foot[1] - size[1] * 0.97)
    x1, y1 = max(0, x), max(0, y)
    x2, y2 = min(picture.shape[1], x + size[0]), min(picture.shape[0], y + size[1])
    if x2 <= x1 or y2 <= y1:
        return np.zeros(4)
    part = picture[y1:y2, x1:x2]
    weight = contrast * mask[y1 - y : y2 - y, x1 - x : x2 - x, None]
    part[:] = part * (1 - weight) + cut[y1 - y : y2 - y, x1 - x : x2 - x] * weight
    inset = 0.115 * size[0]
    return np.array([x + inset, y + 0.046 * size[1], x + size[0] - inset, y + 0.97 * size[1]])
