"""The 1,000-picture case: 500 crops with a person, 500 without, split by photo; learned and tested.

    python benchmarks/train_person.py FOOTAGE [--finetune] [--replay] [--seeds 0 1 2]

With --replay the test pictures are shown to the running code as a camera of theirs: its accuracy stands beside the
report's.

FOOTAGE/coco256 has images/*/*.jpg and labels/*/*.txt (YOLO boxes, class 0 = person).
"""

import argparse
import importlib
import json
import resource
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from surveil.app.replay import Replay
from surveil.config import load
from surveil.features.classify.store import ClassifierStore
from surveil.models.store import ModelStore, open_detector
from surveil.offline.classify import dataset
from surveil.offline.classify.prepared import Options, prepare
from surveil.offline.classify.split import TEST
from surveil.offline.classify.trainer import train

COUNT = 500


def overlap(box, other):
    """Share of `box` under `other`."""
    w = min(box[2], other[2]) - max(box[0], other[0])
    h = min(box[3], other[3]) - max(box[1], other[1])
    return w * h / ((box[2] - box[0]) * (box[3] - box[1])) if w > 0 and h > 0 else 0.0


def boxes_of(path, size):
    label = Path(str(path).replace("images", "labels")).with_suffix(".txt")
    found = []
    for line in label.read_text().splitlines() if label.exists() else []:
        kind, x, y, w, h = (float(v) for v in line.split()[:5])
        scaled = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]) * (*size, *size)
        found.append((int(kind), tuple(scaled)))
    return found


def wider(box, share, size):
    dx, dy = (box[2] - box[0]) * share, (box[3] - box[1]) * share
    x0, y0, x1, y1 = (
        max(0, box[0] - dx),
        max(0, box[1] - dy),
        min(size[0], box[2] + dx),
        min(size[1], box[3] + dy),
    )
    return tuple(round(v) for v in (x0, y0, x1, y1))


def candidates(path, rng):
    """Yield (class, least side, box) of one photo: people, other objects, and places without anybody."""
    height, width = cv2.imread(str(path)).shape[:2]
    size = (width, height)
    boxes = boxes_of(path, size)
    people = [box for kind, box in boxes if kind == 0]
    for kind, box in boxes:
        side = min(box[2] - box[0], box[3] - box[1])
        if kind == 0:
            yield "person", side, wider(box, 0.1, size)
        elif side > 24 and max((overlap(wider(box, 0.1, size), p) for p in people), default=0) < 0.02:
            yield "empty", side, wider(box, 0.1, size)
    for _ in range(4):
        h = rng.uniform(0.15, 0.6) * min(size)
        w = h * rng.uniform(0.5, 1.0)
        x, y = rng.uniform(0, width - w), rng.uniform(0, height - h)
        box = wider((x, y, x + w, y + h), 0.15, size)
        if max((overlap(box, p) for p in people), default=0) == 0:
            yield "empty", min(w, h), box


def build(footage, folder):
    rng = np.random.default_rng(0)
    found = {"person": [], "empty": []}
    for path in sorted((footage / "coco256" / "images").glob("*/*.jpg")):
        for label, side, box in candidates(path, rng):
            found[label].append((side, path, box))
    people = sorted(found["person"], key=lambda c: -c[0])[:COUNT]
    empty = [found["empty"][i] for i in rng.permutation(len(found["empty"]))[:COUNT]]
    for label, chosen in (("person", people), ("empty", empty)):
        for _, path, box in chosen:
            dataset.add(folder, cv2.imread(str(path)), label, origin="folder", group=path.stem, box=box)


CAMERA = """\
version: 1
state_dir: {folder}/state
cameras:
  crops:
    url: {folder}/frames
    fps: 10
    detect: {{fps: 30}}
    rules: [{{type: classified, model: person, class: person, min_score: 0.5, every_s: 0.05, after_s: 0}}]
"""


def replayed(made, data, options, folder):
    """Accuracy over the test pictures of what a replay's looks say."""
    frames = folder / "frames"
    frames.mkdir(parents=True)
    tested = [data.items[i] for i in prepare(data, options).split.of(TEST)]
    for k, item in enumerate(tested):
        (frames / f"{k:04d}.jpg").write_bytes((data.folder / item.path).read_bytes())
    (folder / "config.yaml").write_text(CAMERA.format(folder=folder))
    config = load(folder / "config.yaml")
    ClassifierStore(config.state_dir, "person").deploy(made.path)
    seen = []
    (folder / "replay").mkdir()
    detector = open_detector(config.model, ModelStore())
    Replay(config, "crops", detector, folder / "replay").run([frames], on_seen=seen.append)
    said = [max(one.looks[0].scores, key=one.looks[0].scores.get) for one in seen]
    return sum(a == item.label for a, item in zip(said, tested, strict=True)) / len(tested)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("footage", type=Path)
    parser.add_argument("--finetune", action="store_true")
    parser.add_argument("--replay", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    # PyTorch is there only with the extra.
    train_one = (
        importlib.import_module("surveil.offline.classify.finetune").finetune if args.finetune else train
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(args.footage, folder / "set")
        data = dataset.load(folder / "set")
        print(json.dumps({"counts": data.counts, "problems": list(data.problems)}))
        accuracies = []
        for seed in args.seeds:
            start, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
            options = Options(classes=("empty", "person"), seed=seed)
            made = train_one(data, folder / f"person-{seed}.onnx", options)
            accuracy = made.evaluation.figures["accuracy"]
            accuracies.append(accuracy.value)
            seconds = time.perf_counter() - start
            used = resource.getrusage(resource.RUSAGE_SELF).ru_utime - cpu
            through = replayed(made, data, options, folder / f"replay-{seed}") if args.replay else None
            print(json.dumps({
                "seed": seed, "seconds": round(seconds, 1), "cpu_s": round(used, 1), "sizes": made.sizes,
                **({} if through is None else {"accuracy_through_replay": round(through, 4)}),
                "accuracy": [round(v, 4) for v in (accuracy.value, accuracy.low, accuracy.high)],
                **{k: round(v, 4) for k, v in made.evaluation.values().items() if k != "accuracy"},
                **({"epochs": [[round(v, 4) for v in row] for row in made.history]} if made.history else {}),
            }), flush=True)  # fmt: skip
        print(json.dumps({"mean_accuracy": round(float(np.mean(accuracies)), 4)}))


if __name__ == "__main__":
    main()
