"""Fine-tuning of the 1,000-picture case on a machine that has PyTorch and this repository, and nothing else of surveil.

    python benchmarks/train_gpu.py --make FOOTAGE CASE      here: crops, and the network to begin with, some 20 MB
    python benchmarks/train_gpu.py CASE                     there: needs numpy, opencv, scipy, onnxruntime, torch

The second needs no network and no installation: the repository on PYTHONPATH is enough.
"""

import argparse
import importlib
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import cv2

sys.path.insert(0, str(Path(__file__).parent.parent))

from surveil.features.classify.classifier import Classifier
from surveil.offline.classify import dataset
from surveil.offline.classify.features import backbone_path
from surveil.offline.classify.prepared import Options

QUALITY, LARGEST_PX = 88, 288


def make(footage, case):
    """Store the crops small enough to be carried, and the network."""
    build = importlib.import_module("benchmarks.train_person").build  # it replays, which takes all of surveil
    with tempfile.TemporaryDirectory() as name:
        build(footage, Path(name))
        for item in dataset.load(Path(name)).items:
            picture = cv2.imread(str(Path(name) / item.path))
            scale = min(1.0, LARGEST_PX / max(picture.shape[:2]))
            small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            dataset.add(
                case / "set", small, item.label, origin=item.origin, group=item.group, quality=QUALITY
            )
    shutil.copy(backbone_path(), case / "network.onnx")
    size = sum(p.stat().st_size for p in case.rglob("*") if p.is_file())
    print(json.dumps({"case": str(case), "megabytes": round(size / 1e6, 1)}))


def run(case, device, seeds):
    # PyTorch is not where the case is made.
    torch = importlib.import_module("torch")
    finetune = importlib.import_module("surveil.offline.classify.finetune").finetune
    if device == "cuda" and not torch.cuda.is_available():
        sys.exit("no CUDA device is visible to PyTorch")
    name = torch.cuda.get_device_name() if device == "cuda" else f"{os.cpu_count()} CPUs"
    print(json.dumps({"device": name, "torch": torch.__version__}), flush=True)
    data = dataset.load(case / "set")
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            steps, start = {}, time.perf_counter()

            def note(what, _share, steps=steps, start=start):
                steps.setdefault(what.split(",")[0], round(time.perf_counter() - start, 2))

            made = finetune(
                data, Path(folder) / "person.onnx", Options(classes=("empty", "person"), seed=seed), device=device,
                progress=note, network=case / "network.onnx",
            )  # fmt: skip
            seconds = time.perf_counter() - start
            accuracy = made.evaluation.figures["accuracy"]
            print(json.dumps({
                "seed": seed, "seconds": round(seconds, 1), "epochs": len(made.history) - 1, "sizes": made.sizes,
                "accuracy": [round(v, 4) for v in (accuracy.value, accuracy.low, accuracy.high)],
                "accuracy_of_the_file_on_all": agreement(made.path, data), "began_after_s": steps,
            }), flush=True)  # fmt: skip
        if device == "cuda":
            print(json.dumps({"gpu_memory_mb": round(torch.cuda.max_memory_allocated() / 1e6)}), flush=True)


def agreement(path, data):
    """Accuracy over all pictures of the file through ONNX Runtime on the CPU: what was trained is what runs."""
    model = Classifier(path, threads=os.cpu_count() or 1)
    found = model.probabilities([data.read(item) for item in data.items]).argmax(1)
    right = [model.card.labels[k] == item.label for k, item in zip(found, data.items, strict=True)]
    return round(sum(right) / len(right), 4)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--make", type=Path, metavar="FOOTAGE")
    parser.add_argument("case", type=Path)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    make(args.make, args.case) if args.make else run(args.case, args.device, args.seeds)


if __name__ == "__main__":
    main()
