"""Models on the same pictures: average precision of people, CPU beside the built-in model, licence.

`python -m benchmarks.models FILE...` prints the table of docs/models.md: the built-in model and each ONNX file on the
pictures of `coco256/images/val2017` (YOLO labels, SURVEIL_FOOTAGE). One look at the whole picture each.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.people import footage
from surveil.capture.picture import ArrayPicture
from surveil.detect.detector import Detector
from surveil.detect.merge import iou
from surveil.detect.settings import ModelSettings
from surveil.models.store import ModelStore, open_detector
from surveil.types import Floats

OVERLAPS = np.arange(0.5, 0.96, 0.05)
FLOOR = 0.02
ROUNDS = 30
Hits = NDArray[np.bool_]


def people_of(path: Path, width: int, height: int) -> Floats:
    """Return the labelled people of a picture, float32 (n, 4) px."""
    label = Path(str(path).replace("/images/", "/labels/")).with_suffix(".txt")
    rows = np.array(
        [line.split() for line in label.read_text().splitlines()] if label.exists() else [], np.float64
    )
    rows = rows.reshape(-1, 5)
    rows = rows[rows[:, 0] == 0, 1:]
    centre, half = rows[:, :2], rows[:, 2:] / 2
    return (np.concatenate([centre - half, centre + half], 1) * np.tile([width, height], 2)).astype(
        np.float32
    )


def found_in(detector: Detector, picture: ArrayPicture) -> tuple[Floats, Floats]:
    """Return boxes and scores of people, the surest first."""
    look = detector.prepare(picture, (0, 0, picture.width, picture.height))
    (found,) = detector.detect([[look]], [detector.floors(FLOOR)])
    mine = np.flatnonzero(found.classes == detector.labels.index("person"))
    mine = mine[np.argsort(-found.scores[mine], kind="stable")]
    return found.boxes[mine], found.scores[mine]


def hits(boxes: Floats, people: Floats) -> Hits:
    """Return which boxes find a person that no surer one has found, at each overlap: bool (overlaps, n)."""
    alike = iou(boxes, people) if len(boxes) and len(people) else np.zeros((len(boxes), 0), np.float32)
    found = np.zeros((len(OVERLAPS), len(boxes)), bool)
    for k, least in enumerate(OVERLAPS):
        free = np.ones(alike.shape[1], bool)
        for j, row in enumerate(alike):
            best = int(np.argmax(np.where(free, row, -1.0))) if free.any() else -1
            if best >= 0 and row[best] >= least:
                free[best], found[k, j] = False, True
    return found


def precision(scores: Floats, right: Hits, people: int) -> float:
    """Return the average precision at 101 steps of recall, as COCO has it."""
    ordered = np.cumsum(right[np.argsort(-scores, kind="stable")])
    recall, exact = ordered / people, ordered / np.arange(1, len(ordered) + 1)
    best = np.append(np.maximum.accumulate(exact[::-1])[::-1], 0.0)
    return float(np.mean(best[np.searchsorted(recall, np.linspace(0, 1, 101))]))


def cpu_s(detector: Detector) -> float:
    """Return the least CPU of one inference."""
    batch = np.zeros((detector.batches.sizes[0], *detector.input.shape), detector.input.dtype)
    detector.run_bare(batch)
    least = np.inf
    for _ in range(ROUNDS):
        began = time.process_time()
        detector.run_bare(batch)
        least = min(least, time.process_time() - began)
    return float(least) / len(batch)


def row(detector: Detector, licence: str, paths: list[Path], built_in_s: float) -> str:
    """Return a model's line of the table."""
    scores, right, people = [], [], 0
    for path in paths:
        bgr = np.asarray(cv2.imread(str(path)), np.uint8)
        truth = people_of(path, bgr.shape[1], bgr.shape[0])
        boxes, sure = found_in(detector, ArrayPicture(bgr))
        people += len(truth)
        scores.append(sure)
        right.append(hits(boxes, truth))
    each = [precision(np.concatenate(scores), one, people) for one in np.concatenate(right, 1)]
    size = f"{detector.input.width}x{detector.input.height}"
    share = cpu_s(detector) / built_in_s
    cells = (
        detector.name,
        size,
        f"{each[0]:.3f}",
        f"{np.mean(each):.3f}",
        f"{share:.2f}",
        licence or "unknown",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    paths = sorted((footage() / "coco256" / "images" / "val2017").glob("*.jpg"))
    store = ModelStore()
    built_in = open_detector(ModelSettings(), store)
    others = [open_detector(ModelSettings(file=Path(name)), store) for name in sys.argv[1:]]
    base = cpu_s(built_in)
    sys.stdout.write("| model | input | AP50 | AP | CPU | licence |\n|---|---|---|---|---|---|\n")
    embedded = {model.name: model.licence for model in store.list()}
    for detector in (built_in, *others):
        licence = embedded.get(detector.name, detector.licence)
        sys.stdout.write(row(detector, licence, paths, base) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
