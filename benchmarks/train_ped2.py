"""Crops of moving blobs on a walkway: pedestrians against bicycles, carts and skateboards.

    python benchmarks/train_ped2.py FOOTAGE

FOOTAGE/ucsd_ped2 has training/frames/NN (pedestrians only), testing/frames/NN and labels_official.json (0/1 per frame).
Labels come from the frame ranges and from speed: in a frame that is labelled abnormal, the blob that is faster than
nearly all blobs of the training clips is the abnormal one; blobs of the training clips are pedestrians. Speed itself
is not shown to the classifier.

Only twelve clips show anything abnormal, so one split by clip is a lottery: every clip is held out once instead (four
folds; of the others one validates), and the scores of all held-out clips are judged together. --single is one split.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from surveil.features.classify.classifier import in_batches
from surveil.features.classify.preprocess import CropPreprocess
from surveil.offline.classify import dataset
from surveil.offline.classify.features import Backbone
from surveil.offline.classify.head import choose
from surveil.offline.classify.measures import figures
from surveil.offline.classify.prepared import Options
from surveil.offline.classify.trainer import train

STEP, FAST_QUANTILE = 3, 0.99
FOLDS = 4


def frames(folder):
    return [cv2.imread(str(p), cv2.IMREAD_GRAYSCALE) for p in sorted(folder.glob("*.jpg"))]


def flow_of():
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow.setFinestScale(1)  # people are 25 to 40 px high here
    return flow


def blobs(grey, background, flow):
    """Yield (box, px per frame) of what stands out from the background and moves."""
    difference = cv2.GaussianBlur(cv2.absdiff(grey, background), (0, 0), 1.2)
    mask = cv2.morphologyEx((difference > 16).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    count, numbers, stats, _ = cv2.connectedComponentsWithStats(mask)
    speed = np.hypot(flow[:, :, 0], flow[:, :, 1])
    h, w = grey.shape
    for k in range(1, count):
        x, y, bw, bh, area = (int(v) for v in stats[k])
        inside = x > 1 and y > 1 and x + bw < w - 1 and y + bh < h - 1
        if inside and area > 90 and 12 < bh < 120 and bw < 120:
            yield (x, y, x + bw, y + bh), float(np.quantile(speed[numbers == k], 0.7))


def moving(sequence, background):
    """Yield (frame number, box, px per frame, grey)."""
    flow = flow_of()
    for i in range(1, len(sequence), STEP):
        between = flow.calc(sequence[i - 1], sequence[i], None)
        for box, speed in blobs(sequence[i], background, between):
            if speed > 0.2:
                yield i, box, speed, sequence[i]


def wider(box, shape, share=0.15):
    dx, dy = round((box[2] - box[0]) * share), round((box[3] - box[1]) * share)
    return max(0, box[0] - dx), max(0, box[1] - dy), min(shape[1], box[2] + dx), min(shape[0], box[3] + dy)


def build(root, folder):
    training = {p.name: frames(p) for p in sorted((root / "training" / "frames").iterdir())}
    background = np.median(np.stack([f for s in training.values() for f in s[::20]]), 0).astype(np.uint8)
    walkers = {name: list(moving(sequence, background)) for name, sequence in training.items()}
    limit = np.quantile([speed for found in walkers.values() for _, _, speed, _ in found], FAST_QUANTILE)
    rng = np.random.default_rng(0)
    for name, found in walkers.items():
        chosen = rng.permutation(len(found))[:50]
        for k in chosen:
            _, box, _, grey = found[k]
            dataset.add(
                folder, colour(grey), "pedestrian", group=f"training {name}", box=wider(box, grey.shape)
            )
    labels = json.loads((root / "labels_official.json").read_text())
    for path in sorted((root / "testing" / "frames").iterdir()):
        for i, box, speed, grey in moving(frames(path), background):
            if labels[path.name][i] and speed > limit:
                dataset.add(
                    folder, colour(grey), "other", group=f"testing {path.name}", box=wider(box, grey.shape)
                )
    return float(limit)


def colour(grey):
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)


def fold_of(groups, seed):
    """The fold of each picture: clips of either kind are dealt out evenly."""
    rng, fold = np.random.default_rng(seed), {}
    for kind in ("training", "testing"):
        clips = sorted({g for g in groups if g.startswith(kind)})
        fold |= {clips[j]: k % FOLDS for k, j in enumerate(rng.permutation(len(clips)))}
    return np.array([fold[g] for g in groups])


def held_out(features, labels, fold):
    """Probabilities (n, 2) of every picture by a head that has seen nothing of its clip."""
    scores = np.zeros((len(labels), 2))
    for k in range(FOLDS):
        held, validating = fold == k, fold == (k + 1) % FOLDS
        learned = ~held & ~validating
        fitted = choose((features[learned], labels[learned]), (features[validating], labels[validating]), 2)
        scores[held] = fitted.head.probabilities(features[held])
    return scores


def folds(data, seeds):
    backbone, how = Backbone(2), CropPreprocess()
    pictures = (how.apply(data.read(item)) for item in data.items)
    features = np.concatenate([backbone.features(batch) for batch in in_batches(pictures)])
    labels = np.array([item.label == "other" for item in data.items], np.int64)
    groups = [item.group for item in data.items]
    unit = np.unique(groups, return_inverse=True)[1]
    for seed in range(seeds):
        auc = figures(held_out(features, labels, fold_of(groups, seed)), labels, unit)["roc_auc"]
        values = [round(v, 4) for v in (auc.value, auc.low, auc.high)]
        print(json.dumps({"seed": seed, "roc_auc_of_all_held_out_clips": values}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("footage", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--single", action="store_true", help="one split by clip a seed, with variations")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        limit = build(args.footage / "ucsd_ped2", Path(name) / "set")
        data = dataset.load(Path(name) / "set")
        print(json.dumps({"counts": data.counts, "speed_limit_px_per_frame": round(limit, 3)}))
        if not args.single:
            folds(data, args.seeds)
            return
        for seed in range(args.seeds):
            start = time.perf_counter()
            made = train(data, Path(name) / "ped2.onnx", Options(classes=("pedestrian", "other"), seed=seed))
            auc = made.evaluation.figures["roc_auc"]
            print(json.dumps({
                "seed": seed, "seconds": round(time.perf_counter() - start, 1), "sizes": made.sizes,
                "near_duplicates": made.duplicates,
                "roc_auc": [round(v, 4) for v in (auc.value, auc.low, auc.high)],
                "accuracy": round(made.evaluation.values()["accuracy"], 4),
            }), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
