"""What a score means: `python -m benchmarks.calibration [--model FILE]`.

One look of the detector at each picture of `coco256` (SURVEIL_FOOTAGE, YOLO labels); a detection is right when it
overlaps an object of its class that no surer one has taken by an IoU of .5. The embedded model was trained on
COCO's train2017: lines are fitted on val2017, and judged there by leaving out a fifth of the pictures at a time.

Printed: the share of right detections by score; Platt's line for each class of `LEAST` objects or more, and one for
all others (Platt, "Probabilistic outputs for support vector machines", 1999), with the calibration error before
and after; recall of people at several precisions by size and pose.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks.people import footage
from surveil.capture.picture import ArrayPicture
from surveil.clock import SystemClock
from surveil.detect.detector import Detector
from surveil.detect.merge import iou
from surveil.detect.settings import ModelSettings
from surveil.models.store import ModelStore, open_detector

LEAST = 100
BINS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.65, 0.75, 1.01)
FOLDS = 5
_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Found:
    """All detections of one class group, and the objects they were to find."""

    scores: _Array
    right: NDArray[np.bool_]
    picture: NDArray[np.int64]
    """Number of the picture of each."""
    which: NDArray[np.int64]
    """Number of the object that it is; -1: none."""


@dataclass(frozen=True)
class Objects:
    """The labelled objects: class, height as a share of the picture's longer side, width by height."""

    classes: NDArray[np.int64]
    heights: _Array
    aspects: _Array
    at_edge: NDArray[np.bool_]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="an ONNX detector; by default the one inside the package")
    given = parser.parse_args()
    settings = ModelSettings(file=given.model) if given.model else ModelSettings()
    detector = open_detector(settings, ModelStore(Path("/nonexistent")), SystemClock())
    for part in ("train2017", "val2017"):
        classes, found, objects = detect(
            detector, sorted((footage() / "coco256/images" / part).glob("*.jpg"))
        )
        print(f"\n{part}")
        _reliability(classes, found)
    _lines(classes, found, objects, detector.labels)
    _people(classes, found, objects)


def detect(detector: Detector, paths: Sequence[Path]) -> tuple[NDArray[np.int64], Found, Objects]:
    """Return the classes of all detections, the detections, and the objects of the pictures."""
    kinds: list[int] = []
    rows: list[tuple[float, bool, int, int]] = []
    objects: list[tuple[int, float, float, bool]] = []
    for number, path in enumerate(paths):
        image = np.asarray(cv2.imread(str(path)), np.uint8)
        look = detector.prepare(ArrayPicture(image), (0, 0, image.shape[1], image.shape[0]))
        seen = detector.detect([[look]])[0]
        labels = list(_labels(path, image.shape[1], image.shape[0]))
        taken = _match(seen.boxes, seen.scores, seen.classes, labels)
        kinds += seen.classes.tolist()
        first = len(objects)
        rows += [
            (s, t >= 0, number, first + t if t >= 0 else -1) for s, t in zip(seen.scores, taken, strict=True)
        ]
        objects += [_about(kind, box, image.shape) for kind, box in labels]
    scores, right, picture, which = (np.array(column) for column in zip(*rows, strict=True))
    cls, height, aspect, edge = (np.array(column) for column in zip(*objects, strict=True))
    return (
        np.array(kinds),
        Found(scores.astype(float), right, picture, which),
        Objects(cls, height, aspect, edge),
    )


def _labels(path: Path, width: int, height: int) -> Iterator[tuple[int, _Array]]:
    label = path.parents[2] / "labels" / path.parent.name / f"{path.stem}.txt"
    for line in label.read_text().splitlines() if label.is_file() else ():
        kind, *box = line.split()
        x, y, w, h = (float(v) for v in box[:4])
        yield (
            int(kind),
            np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]) * [width, height, width, height],
        )


def _about(kind: int, box: _Array, shape: Sequence[int]) -> tuple[int, float, float, bool]:
    x1, y1, x2, y2 = box
    at_edge = bool(min(x1, y1) < 2 or x2 > shape[1] - 2 or y2 > shape[0] - 2)
    return kind, (y2 - y1) / max(shape[:2]), (x2 - x1) / max(1e-6, y2 - y1), at_edge


def _match(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], classes: NDArray[np.int32],
    labels: Sequence[tuple[int, _Array]],
) -> list[int]:  # fmt: skip
    """Return the number of the object that each detection is, -1 for none; the surest choose first."""
    taken = [-1] * len(scores)
    if not labels:
        return taken
    overlap = iou(boxes, np.array([box for _, box in labels], np.float32))
    overlap[classes[:, None] != np.array([kind for kind, _ in labels])[None]] = 0
    for i in np.argsort(-scores):
        best = int(overlap[i].argmax())
        if overlap[i, best] >= 0.5:
            taken[i] = best
            overlap[:, best] = 0
    return taken


def _reliability(classes: NDArray[np.int64], found: Found) -> None:
    print("score        " + "".join(f"{low:7.2f}" for low in BINS[:-1]))
    for name, of in (("people", classes == 0), ("others", classes != 0)):
        cells = [of & (found.scores >= a) & (found.scores < b) for a, b in pairwise(BINS)]
        shares = [f"{found.right[c].mean():7.2f}" if c.any() else "      –" for c in cells]
        print(f"{name}: right" + "".join(shares))
        print(f"{'of':13}" + "".join(f"{int(c.sum()):7}" for c in cells))


def platt(scores: _Array, right: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and offset of the line over the logit of the score whose sigmoid is the share of right ones."""
    logit = np.log(scores / (1 - scores))
    # Platt's own targets keep a class with few examples from being certain.
    target = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))

    def loss(line: _Array) -> float:
        z = line[0] * logit + line[1]
        return float(np.sum(np.logaddexp(0, z) - target * z))

    slope, offset = minimize(loss, np.array([1.0, 0.0])).x
    return float(slope), float(offset)


def calibrated(scores: _Array, line: tuple[float, float]) -> _Array:
    """Return the probabilities of scores."""
    return np.asarray(1 / (1 + np.exp(-(line[0] * np.log(scores / (1 - scores)) + line[1]))))


def error(probabilities: _Array, right: NDArray[np.bool_]) -> float:
    """Return the expected calibration error, over ten bins of equal count."""
    parts = np.array_split(np.argsort(probabilities), 10)
    return sum(abs(probabilities[p].mean() - right[p].mean()) * len(p) for p in parts if len(p)) / len(right)


def _lines(classes: NDArray[np.int64], found: Found, objects: Objects, names: Sequence[str]) -> None:
    print(
        "\nval2017: slope and offset, score that means one in two, calibration error before and after (left out)"
    )
    counts = np.bincount(objects.classes, minlength=len(names))
    own = [kind for kind in range(len(names)) if counts[kind] >= LEAST]
    groups = [(names[kind], classes == kind) for kind in own] + [("all others", ~np.isin(classes, own))]
    for name, of in groups:
        scores, right, fold = found.scores[of], found.right[of], found.picture[of] % FOLDS
        after = np.zeros(len(scores))
        for k in range(FOLDS):
            after[fold == k] = calibrated(scores[fold == k], platt(scores[fold != k], right[fold != k]))
        slope, offset = platt(scores, right)
        even = 1 / (1 + np.exp(offset / slope))
        errors = f"{error(scores, right):.3f} -> {error(after, right):.3f}"
        counts_of = f"{len(scores)} detections, {int(right.sum())} right"
        print(f"{name:12} {slope:6.2f} {offset:6.2f}   {even:.2f}   {errors}   {counts_of}")


def _people(classes: NDArray[np.int64], found: Found, objects: Objects) -> None:
    print("\nval2017, people: recall at scores of .2, .3, .45, .65")
    person = objects.classes == 0
    small, large = objects.heights < 0.15, objects.heights >= 0.4
    upright = objects.aspects < 0.55
    groups = {
        "all": person, "below .15 of the picture": person & small, ".15 to .4": person & ~small & ~large,
        ".4 and more": person & large, "upright, whole": person & upright & ~objects.at_edge,
        "sitting, bent, lying": person & ~upright & ~objects.at_edge, "cut by the edge": person & objects.at_edge,
    }  # fmt: skip
    best = np.zeros(len(person))
    hits = (classes == 0) & found.right
    best[found.which[hits]] = found.scores[hits]
    for name, of in groups.items():
        recalls = "  ".join(f"{(best[of] >= score).mean():.2f}" for score in (0.2, 0.3, 0.45, 0.65))
        print(f"{name:26} {int(of.sum()):4}  {recalls}")


if __name__ == "__main__":
    main()
