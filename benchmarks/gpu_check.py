"""`make gpu-check`: is the GPU really used, does it find what the CPU finds, and how fast is it?

    python -m benchmarks.gpu_check [--wheels FOLDER] [--require] [--seconds S]

With `--wheels`, first installs `surveil-daemon[cuda]` from that folder alone (a machine without a network). Prints
which provider runs, whether boxes agree with the CPU's within 1 px and 0.01 of score over drawn pictures, and
pictures per second by batch size beside a bare `session.run`. Exit codes: 0 good, 1 something does not hold.
Without a GPU it compares the CPU with itself, says so, and fails only with `--require`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from surveil.detect.detector import Detector

PICTURES = 24
ENOUGH = 8
"""Pictures that a rate is measured on, however short the time."""
FLOOR = 0.1


@dataclass(frozen=True)
class Shot:
    """An RGB array as a picture."""

    array: NDArray[np.uint8]

    @property
    def width(self) -> int:
        return int(self.array.shape[1])

    @property
    def height(self) -> int:
        return int(self.array.shape[0])

    def luma(self, width: int, height: int) -> NDArray[np.uint8]:
        return np.asarray(cv2.resize(cv2.cvtColor(self.array, cv2.COLOR_RGB2GRAY), (width, height)), np.uint8)

    def rgb(self, box: tuple[int, int, int, int], width: int, height: int) -> NDArray[np.uint8]:
        x1, y1, x2, y2 = box
        part = cv2.resize(self.array[y1:y2, x1:x2], (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(part, np.uint8)

    def bgr(self) -> NDArray[np.uint8]:
        return self.array[..., ::-1]

    @property
    def whole(self) -> tuple[int, int, int, int]:
        return (0, 0, self.width, self.height)


def install(wheels: Path) -> None:
    """Install surveil with CUDA from the wheels in a folder, without looking anywhere else."""
    pip = [sys.executable, "-m", "pip"]
    offline = [*pip, "install", "--no-index", "--find-links", str(wheels)]
    subprocess.run([*offline, "surveil-daemon"], check=True)
    from surveil.extras import REQUIREMENTS, Extra  # noqa: PLC0415 - only there once the wheels are installed

    # The GPU build takes the place of the CPU build, which writes the same package.
    subprocess.run([*pip, "uninstall", "--yes", "onnxruntime"], check=True)
    subprocess.run([*offline, *REQUIREMENTS[Extra.CUDA]], check=True)


def drawn(count: int) -> list[Shot]:
    """Pictures of people that the project draws."""
    from surveil.demo.scene import DrawnScene  # noqa: PLC0415 - only there once the wheels are installed

    scene = DrawnScene.passing(seed=5, people=2, size=(640, 360))
    return [Shot(scene.frame(i)[..., ::-1]) for i in np.linspace(0, scene.frames - 1, count).astype(int)]


def agreement(first: Detector, second: Detector, shots: Sequence[Shot]) -> tuple[int, int]:
    """Return in how many pictures both detectors find the same, and how many objects the first found."""
    from surveil.detect.canary import same  # noqa: PLC0415 - only there once the wheels are installed

    equal = objects = 0
    for shot in shots:
        ours, theirs = (
            d.detect([[d.prepare(shot, shot.whole)]], [d.floors(FLOOR)])[0] for d in (first, second)
        )
        equal += same(ours, theirs, FLOOR)
        objects += len(ours)
    return equal, objects


def race(first: Callable[[], object], second: Callable[[], object], seconds: float) -> tuple[float, float]:
    """Return the median seconds of a run of each; they take turns, so that other load hits both alike."""
    times: tuple[list[float], list[float]] = ([], [])
    first(), second()
    end = time.perf_counter() + 2 * seconds
    while time.perf_counter() < end or len(times[0]) < 3:
        for run, taken in zip((first, second), times, strict=True):
            start = time.perf_counter()
            run()
            taken.append(time.perf_counter() - start)
    return float(np.median(times[0])), float(np.median(times[1]))


def table(detector: Detector, shots: Sequence[Shot], seconds: float) -> list[tuple[int, float, float]]:
    """Return for each batch size: pictures/s through `detect`, and of a bare `session.run`."""
    rows = []
    for size in detector.batches.sizes:
        chosen = [shots[i % len(shots)] for i in range(size)]
        # The tensors stay valid: nobody prepares another picture meanwhile.
        looks = [[detector.prepare(shot, shot.whole)] for shot in chosen]
        batch = np.stack([look.tensor for (look,) in looks])
        ours, bare = race(partial(detector.detect, looks), partial(detector.run_bare, batch), seconds)
        rows.append((size, size / ours, size / bare))
    return rows


def overload(detector: Detector, shots: Sequence[Shot], seconds: float) -> float:
    """Return the pictures/s of the detect stage when more pictures wait than it can take."""
    from prometheus_client import CollectorRegistry  # noqa: PLC0415 - as above

    from surveil.clock import SystemClock  # noqa: PLC0415
    from surveil.metrics import Metrics  # noqa: PLC0415
    from surveil.pipeline.detect import DetectStage  # noqa: PLC0415
    from surveil.pipeline.work import Work  # noqa: PLC0415
    from surveil.ring import Slot  # noqa: PLC0415
    from surveil.vision.motion import MotionGate  # noqa: PLC0415
    from surveil.vision.regions import RegionPlanner  # noqa: PLC0415
    from surveil.vision.settings import MotionSettings  # noqa: PLC0415

    end = time.perf_counter() + seconds
    done: list[float] = []

    def again(slot: Any) -> None:
        now = time.perf_counter()
        if now < end or len(done) < ENOUGH:
            done.append(now)
            stage.inbox.put(slot)
        else:
            stage.inbox.close()

    gate = MotionGate(MotionSettings(), idle_interval_s=10.0)
    planner = RegionPlanner(input_px=detector.input.side, min_object_px=40, max_crops=1, idle_interval_s=10.0)
    stage = DetectStage(detector, again, again, Metrics(CollectorRegistry()), SystemClock())
    for i in range(4 * detector.most_frames):
        shot = shots[i % len(shots)]
        work = Work(camera=f"camera {i}", gate=gate, planner=planner)
        work.looks = (detector.prepare(shot, shot.whole),)
        stage.inbox.put(Slot(work.camera, work))
    threads = [Thread(target=stage.run, args=(lambda: None,)) for _ in range(stage.workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (len(done) - 1) / (done[-1] - done[0])


def report(seconds: float, require: bool) -> int:
    """Print everything; return the exit code."""
    from surveil.detect.session import CPU  # noqa: PLC0415 - as above
    from surveil.detect.settings import ModelSettings  # noqa: PLC0415
    from surveil.models.store import ModelStore, open_detector  # noqa: PLC0415

    gpu = open_detector(ModelSettings(provider="auto", require_gpu=require), ModelStore())
    cpu = open_detector(ModelSettings(provider="cpu"), ModelStore())
    on_gpu, proof = gpu.provider != CPU, gpu.canary
    print(f"model: {gpu.name}\nprovider in use: {gpu.provider}")
    if not on_gpu:
        print("no GPU: what follows compares the CPU with itself")
    elif proof.cpu_seconds:
        print(f"one picture: {proof.seconds * 1e3:.2f} ms, {proof.cpu_seconds * 1e3:.2f} ms on the CPU")
    shots = drawn(PICTURES)
    equal, objects = agreement(gpu, cpu, shots)
    print(f"same boxes as the CPU (1 px, 0.01): {equal} of {len(shots)} pictures, {objects} objects")
    gpu.batches.grow()
    print("\n| batch | one thread, pictures/s | bare session.run | ratio |\n|---|---|---|---|")
    rows = table(gpu, shots, seconds)
    for size, ours, bare in rows:
        print(f"| {size} | {ours:.1f} | {bare:.1f} | {ours / bare:.3f} |")
    ours, best = overload(gpu, shots, 2 * seconds), max(bare for _, _, bare in rows)
    print(f"\nthe detect stage under overload: {ours:.1f} pictures/s, {ours / best:.3f} of the best bare run")
    return 0 if equal == len(shots) and objects and (on_gpu or not require) else 1


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wheels", type=Path, help="folder of wheels to install first")
    parser.add_argument("--require", action="store_true", help="fail where there is no working GPU")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    options = parser.parse_args(arguments)
    if options.wheels:
        install(options.wheels)
    from surveil.errors import ModelError  # noqa: PLC0415 - only there once the wheels are installed

    try:
        return report(options.seconds, options.require)
    except ModelError as error:
        print(error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
