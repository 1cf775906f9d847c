"""What learned normality finds, what it costs, and whether it keeps its budget.

`python -m benchmarks.normality` prints three tables: UCSD Ped2 through `surveil.offline.normality.evaluate` (footage in
SURVEIL_FOOTAGE/ucsd_ped2, skipped where it is missing), the cost of a frame, and alarms beside the budget on
simulated score streams with known tails. CPU figures are of one thread, in CPU time, the best of three.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import yaml
from scipy.signal import lfilter
from scipy.stats import norm

from surveil.clock import DAY_S
from surveil.features.normality.budget import FLOOR, set_threshold
from surveil.features.normality.geometry import GeometrySketch
from surveil.features.normality.learner import Learner
from surveil.features.normality.modelfile import LoadedModel, fingerprint, save
from surveil.features.normality.peaks import KEEP, SLOT_S, Ladder
from surveil.features.normality.plane import plane_size
from surveil.features.normality.scene import SceneNormality
from surveil.features.normality.settings import NormalitySettings
from surveil.offline.normality.dataset import Dataset, load_dataset
from surveil.offline.normality.evaluate import evaluate
from surveil.offline.normality.normality import learn_files
from surveil.offline.normality.report import lines, to_json, write_report

Planes = list[np.ndarray]


def footage() -> Path:
    """Return where footage may be."""
    here = Path(__file__).resolve().parents[2] / "shared" / "footage"
    return Path(os.environ.get("SURVEIL_FOOTAGE", here))


def ped2() -> Dataset | None:
    """Return UCSD Ped2 as a dataset; None where it is not."""
    root = footage() / "ucsd_ped2"
    if not (root / "labels_official.json").is_file():
        return None
    labels = json.loads((root / "labels_official.json").read_text())
    document = {
        "name": "ped2",
        "fps": 10,
        "normal": [str(p) for p in sorted((root / "training" / "frames").iterdir())],
        "clips": [
            {"path": str(root / "testing" / "frames" / n), "labels": labels[n]} for n in sorted(labels)
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ped2.yaml"
        path.write_text(yaml.safe_dump(document))
        return load_dataset(path)


def quality(dataset: Dataset, out: Path | None) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    model = learn_files(dataset.name, dataset.normal, dataset.fps)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    report = evaluate(dataset, model)
    print("\n".join(lines(report)))
    print(f"{'learning':24} {wall:.1f} s, {cpu:.1f} s of CPU, two passes with decoding")
    with tempfile.TemporaryDirectory() as folder:
        save(model.model, Path(folder) / "m.npz")
        print(f"{'model file':24} {(Path(folder) / 'm.npz').stat().st_size / 1000:.0f} kB")
    ms = best(lambda: clips_ms(dataset, model))
    print(f"{'a frame of the test clips':24} {ms:.1f} ms of CPU, {1000 / ms:.0f}/s")
    again = to_json(evaluate(dataset, model))
    print(f"{'evaluated twice':24} {'byte-identical' if again == to_json(report) else 'DIFFERENT'}")
    if out is not None:
        print(write_report(report, out))


def clips_ms(dataset: Dataset, model: LoadedModel) -> float:
    """CPU ms per frame of scoring a dataset's clips, decoded before."""
    scene = SceneNormality("bench", NormalitySettings(enabled=True, learn="off"), model)
    count, spent = 0, 0.0
    for k, clip in enumerate(dataset.clips):
        planes = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted(clip.path.iterdir())]
        start = time.process_time()
        for i, plane in enumerate(planes):
            scene.observe(plane, 100.0 * k + i / dataset.fps, 1e9, (model.model.width, model.model.height))
        spent, count = spent + time.process_time() - start, count + len(planes)
    return spent / count * 1000


def drawn(width: int, height: int, people: int, n: int = 100, fps: float = 10.0) -> Planes:
    """Textured people of 40 px walking before a textured wall, camera size."""
    rng = np.random.default_rng(0)
    back = cv2.resize(rng.integers(40, 120, (height // 6, width // 6)).astype(np.uint8), (width, height))
    blob = cv2.resize(rng.integers(140, 255, (12, 6)).astype(np.uint8), (16, 40))
    found = []
    for i in range(n):
        frame = back.copy()
        for j in range(people):
            x = int((j * 97 + 22 * i / fps * (1 if j % 2 else -1)) % (width - 20))
            y = 20 + (j * 53) % (height - 70)
            frame[y : y + 40, x : x + 16] = blob
        found.append(frame)
    return found


def learned(planes: Planes, width: int, height: int) -> LoadedModel:
    size = plane_size(width, height)
    small = [cv2.resize(p, (size.width, size.height), interpolation=cv2.INTER_AREA) for p in planes]
    sketch = GeometrySketch(size)
    for i, plane in enumerate(small):
        sketch.add(plane, i / 10)
    learner = Learner("bench", (width, height), sketch.fit())
    for i, plane in enumerate(small):
        learner.observe(plane, i / 10, i / 10)
    return fingerprint(learner.freeze().fit())


def frame_ms(planes: Planes, model: LoadedModel, fps: float, learn: str) -> float:
    """CPU ms per frame with scaling to the plane, scoring, and learning on."""
    frame = (model.model.width, model.model.height)
    size = model.model.geometry.size
    scene = SceneNormality("bench", NormalitySettings(enabled=True, learn=learn), model)
    start = time.process_time()
    for i, plane in enumerate(planes):
        small = cv2.resize(plane, (size.width, size.height), interpolation=cv2.INTER_LINEAR)
        scene.observe(small, i / fps, 1e9, frame)
    return (time.process_time() - start) / len(planes) * 1000


def best(measure: Callable[[], float]) -> float:
    return min(measure() for _ in range(3))


def cost() -> None:
    cv2.setNumThreads(1)
    print(f"{'scene':34} {'ms':>6} {'frames/s':>9} {'share of a core at 5 fps':>25}")
    for (width, height), people in product(((360, 240), (640, 360), (1280, 720)), (0, 1, 8)):
        planes = drawn(width, height, people)
        model = learned(planes, width, height)
        ms = best(lambda: frame_ms(planes, model, 5.0, "auto"))  # noqa: B023 - called at once
        name = f"{width}x{height}, {people or 'no'} people moving"
        print(f"{name:34} {ms:6.2f} {1000 / ms:9.0f} {ms / 2:24.1f}%")


def stream(kind: str, days: float, memory_s: float, cycle: bool, rng: np.random.Generator) -> np.ndarray:
    """Scores a second apart: a Gaussian AR(1) given a known tail above the floor."""
    n = int(days * DAY_S)
    a = np.exp(-1 / memory_s)
    x = lfilter([1], [1, -a], rng.standard_normal(n) * np.sqrt(1 - a * a))
    log_p = norm.logsf(x)
    tails = {
        "light": np.sqrt(-2 * log_p),
        "exponential": -log_p / np.log(10),
        "heavy": 2 * (np.exp(-log_p / 4) - 1),
    }
    s = tails[kind]
    if cycle:
        s = s * (1 + 0.3 * np.sin(2 * np.pi * np.arange(n) / DAY_S))
    return s + FLOOR


def ladder(s: np.ndarray) -> Ladder:
    k = int(SLOT_S)
    slots = s[: len(s) // k * k].reshape(-1, k).max(1)
    order = np.argsort(-slots, kind="stable")[:KEEP]
    return Ladder.climb(slots[order], order.astype(np.int64), float(len(s)))


def streams() -> Iterator[tuple[str, float, bool]]:
    yield from product(("light", "exponential", "heavy"), (3.0, 60.0), (False, True))


def calibration(runs: int) -> None:
    print(f"{'tail, memory, daily cycle':34} " + " ".join(f"{f'N={n:g}':>17}" for n in (1, 5, 20, 60)))
    print(
        "alarms a day ÷ budget: mean (share of runs within ± 50 %); N = expected alarms in two days of footage"
    )
    rng = np.random.default_rng(1)
    for kind, memory, cycle in streams():
        judges = [ladder(stream(kind, 20, memory, cycle, rng)) for _ in range(4)]
        ratios: dict[float, list[float]] = {n: [] for n in (1, 5, 20, 60)}
        for _ in range(runs):
            seen = ladder(stream(kind, 2, memory, cycle, rng))
            for n, found in ratios.items():
                value = set_threshold(seen, n / 2).value
                found.append(sum(j.count(value) for j in judges) / 80 / (n / 2))
        cells = [
            f"{np.mean(r):9.2f} ({np.mean(np.abs(np.array(r) - 1) <= 0.5):4.0%})" for r in ratios.values()
        ]
        print(f"{f'{kind}, {memory:g} s, {cycle}':34} " + " ".join(f"{c:>17}" for c in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", choices=("calibration", "cost", "ped2"), help="one of the three parts instead of all"
    )
    parser.add_argument("--out", type=Path, help="folder for the HTML report")
    parser.add_argument("--runs", type=int, default=25, help="simulated streams per row")
    arguments = parser.parse_args()
    wanted = (arguments.only,) if arguments.only else ("calibration", "cost", "ped2")
    if "calibration" in wanted:
        print("== calibration ==")
        calibration(arguments.runs)
    if "cost" in wanted:
        print("\n== cost, one thread ==")
        cost()
    if "ped2" in wanted:
        print("\n== UCSD Ped2 ==")
        dataset = ped2()
        if dataset is None:
            print("skipped: no ucsd_ped2 under SURVEIL_FOOTAGE")
        else:
            quality(dataset, arguments.out)


if __name__ == "__main__":
    main()
