"""How many faces `blur_faces` finds: `python -m benchmarks.faces`.

Pictures are those of `coco256` (SURVEIL_FOOTAGE). `faces.json` says which of their 285 people of 96 px and more
show a face, as told by eye: from the front (both eyes), or turned (profile, bowed, partly covered). A face
counts as found when the middle of a found box lies in the upper part of that person's box. A found box that
lies so for nobody, labelled or not, is a false one. Smaller pictures stand for people who are farther away.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.people import footage
from surveil.detect import faces

LABELS = Path(__file__).with_name("faces.json")
SCORES = (0.3, 0.4, 0.5, 0.6)
SCALES = (1.0, 0.5, 0.33)
UPPER = 0.45
"""Of a standing person's box, where the face may be; of a box that is wide, as much as a square of its width."""
_Boxes = NDArray[np.float64]


@dataclass
class Tally:
    """What was found at one score and scale."""

    found: dict[str, int] = field(default_factory=lambda: {"front": 0, "turned": 0})
    of: dict[str, int] = field(default_factory=lambda: {"front": 0, "turned": 0})
    false: int = 0
    pictures: int = 0
    seconds: float = 0.0


def main() -> None:
    """Print the table."""
    labels = json.loads(LABELS.read_text())
    print("scale  score  front          turned         false boxes a picture  CPU ms a picture")
    for scale in SCALES:
        for score in SCORES:
            told = tally(labels, scale, score)
            parts = [f"{told.found[k]:3}/{told.of[k]} ({told.found[k] / told.of[k]:.2f})" for k in told.of]
            rate, ms = told.false / told.pictures, told.seconds / told.pictures * 1000
            print(f"{scale:5}  {score:5}  {'  '.join(parts)}  {rate:21.2f}  {ms:16.0f}")


def tally(labels: dict[str, dict[str, list[int]]], scale: float, score: float) -> Tally:
    """Return what is found in all pictures at one size and least score."""
    finder, told = faces.EmbeddedFaces(least=score), Tally()
    for path, people in pictures():
        picture = cv2.resize(cv2.imread(str(path)), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        began = time.process_time()
        boxes = finder.find(np.asarray(picture, np.uint8)) / scale
        told.seconds += time.process_time() - began
        told.pictures += 1
        shown = np.array([_upper(person, boxes) for person in people]).reshape(len(people), len(boxes))
        told.false += int((~shown.any(axis=0)).sum())
        for kind, by_picture in labels.items():
            wanted = by_picture.get(path.name, [])
            told.of[kind] += len(wanted)
            told.found[kind] += int(shown[wanted].any(axis=1).sum()) if wanted else 0
    return told


def pictures() -> Iterator[tuple[Path, _Boxes]]:
    """Yield each picture with its people, x1 y1 x2 y2 px."""
    for path in sorted((footage() / "coco256" / "images").glob("*/*.jpg")):
        height, width = cv2.imread(str(path)).shape[:2]
        label = path.parents[2] / "labels" / path.parent.name / f"{path.stem}.txt"
        rows = [line.split() for line in label.read_text().splitlines()] if label.is_file() else []
        found = np.array([row[1:5] for row in rows if row[0] == "0"], float).reshape(-1, 4)
        middle, half = found[:, :2], found[:, 2:] / 2
        yield path, np.concatenate([middle - half, middle + half], 1) * [width, height, width, height]


def _upper(person: _Boxes, boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which boxes have their middle where the person's face may be."""
    x1, y1, x2, y2 = person
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    reach = min(y2 - y1, max(UPPER * (y2 - y1), x2 - x1))
    inside = (middle >= [x1, y1 - 0.1 * reach]) & (middle <= [x2, y1 + reach])
    return np.asarray(inside.all(axis=1) & (boxes[:, 2] - boxes[:, 0] < 1.5 * (x2 - x1)))


if __name__ == "__main__":
    main()
