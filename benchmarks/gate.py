"""What the motion gate and the planner of crops find, and what they cost.

`python -m benchmarks.gate` prints three tables: the gate's recall of people by size, contrast and speed in
H.264 pictures; the detector's recall of people of 40, 60 and 80 px in 1080p and 4K pictures through gate and
planner, beside the same people in crops at native scale; and milliseconds per frame.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.people import Image, Walker, empty_scene, footage, mosaic, paste, read, walkers
from surveil.capture.picture import ArrayPicture
from surveil.detect.detector import Detector
from surveil.detect.settings import ModelSettings
from surveil.models.store import ModelStore, open_detector
from surveil.types import Detections, Motion
from surveil.vision.motion import MotionGate, plane_size
from surveil.vision.regions import Crop, RegionPlanner
from surveil.vision.settings import MotionSettings

Boxes = list[NDArray[np.float64]]
FPS = 5
HEIGHTS = (40, 60, 80)
SCORE = 0.4


@dataclass
class Scene:
    """People walking through an empty scene of any size, each on a line of his own."""

    empty: Image
    people: list[Walker]
    size: tuple[int, int]
    heights: tuple[int, ...]
    count: int = 9
    contrast: float = 1.0
    speed: float = 0.8
    """Body heights a second."""
    noise: float = 3.0
    seed: int = 0
    _feet: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        w, h = self.size
        xs = np.linspace(0.1, 0.9, self.count) * w + rng.uniform(-0.02, 0.02, self.count) * w
        self._feet = [
            (float(x), float(y)) for x, y in zip(xs, rng.uniform(0.3, 0.9, self.count) * h, strict=True)
        ]
        self._base = mosaic(self.empty, w, h)
        self._grain = [
            np.round(rng.normal(0, self.noise, (h + 64, w + 64))).astype(np.int16) for _ in range(4)
        ]
        self._rng = rng

    def frames(self, seconds: float, fps: float, lead_s: float = 2.0) -> Iterator[tuple[Image, Boxes]]:
        """Yield pictures and boxes; in the first `lead_s` there is nobody."""
        for i in range(round((seconds + lead_s) * fps)):
            t = i / fps - lead_s
            picture = self._base.copy()
            yield self._grained(picture, self._draw(picture, t) if t >= 0 else [], i)

    def _draw(self, picture: Image, t: float) -> Boxes:
        boxes = []
        for j, (x, y) in enumerate(self._feet):
            height = self.heights[j % len(self.heights)]
            way = self.speed * height * t * (1 if j % 2 else -1)
            step = int(t * 10 * min(1.0, self.speed / 0.8))
            who = self.people[(j + self.seed) % len(self.people)]
            boxes.append(paste(picture, who, step, (x + way, y), height, contrast=self.contrast))
        return boxes

    def _grained(self, picture: Image, boxes: Boxes, i: int) -> tuple[Image, Boxes]:
        dy, dx = self._rng.integers(0, 64, 2)
        grain = self._grain[i % len(self._grain)][dy : dy + picture.shape[0], dx : dx + picture.shape[1]]
        return cv2.add(picture, cv2.merge([grain] * 3), dtype=cv2.CV_8U), boxes


def through_h264(
    pictures: Iterable[tuple[Image, Boxes]], size: tuple[int, int], bit_rate: int
) -> list[Image]:
    """Encode at 15 fps as a camera does, decode, and return every third picture."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=15)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = *size, "yuv420p", bit_rate
        stream.options = {
            "preset": "veryfast",
            "tune": "zerolatency",
            "g": "30",
            "maxrate": str(bit_rate),
            "bufsize": str(bit_rate),
        }
        for picture, _ in pictures:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        out.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer) as clip:
        return [f.to_ndarray(format="bgr24") for i, f in enumerate(clip.decode(video=0)) if i % 3 == 0]


def overlaps(boxes: NDArray[np.float32], one: NDArray[np.float64], least: float = 0.0) -> bool:
    """Tell whether any of `boxes` overlaps `one` by more than `least` (intersection over union)."""
    if not len(boxes):
        return False
    low, high = np.maximum(boxes[:, :2], one[:2]), np.minimum(boxes[:, 2:], one[2:])
    inner = np.prod(np.clip(high - low, 0, None), axis=1)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(one[2:] - one[:2])
    return bool((inner / (area - inner) > least).any())


class Gated:
    """Gate and planner of one camera, with the time they take."""

    def __init__(self, size: tuple[int, int], input_px: int = 320) -> None:
        self.size = size
        self.gate = MotionGate(MotionSettings(), idle_interval_s=5.0)
        self.planner = RegionPlanner(input_px=input_px, min_object_px=40, max_crops=4, idle_interval_s=5.0)
        self.gate_s: list[float] = []
        self.plan_s: list[float] = []

    def step(self, picture: Image, t: float) -> tuple[Motion, tuple[Crop, ...]]:
        plane = ArrayPicture(picture).luma(*plane_size(*self.size, 40))
        a = time.perf_counter()
        motion = self.gate.update(plane, t, self.size)
        b = time.perf_counter()
        crops = self.planner.plan(motion, (), self.size, t)
        self.gate_s.append(b - a)
        self.plan_s.append(time.perf_counter() - b)
        return motion, crops


def look(detector: Detector, picture: Image, crops: Iterable[Crop]) -> Detections:
    shot = ArrayPicture(picture)
    return detector.detect([[detector.prepare(shot, crop) for crop in crops]])[0]


def people_of(found: Detections, label: int) -> NDArray[np.float32]:
    return found.boxes[(found.scores >= SCORE) & (found.classes == label)]


def gate_table(empty: Image, people: list[Walker], size: tuple[int, int] = (1920, 1080)) -> None:
    """Recall of the gate in 1080p H.264 of 4 Mbit/s, after two seconds of an empty scene."""
    print("gate: share of analysed frames in which a moving box lies on the person (1080p, H.264)")
    print("contrast  speed  " + "".join(f"{h:>6} px" for h in HEIGHTS) + "   open while empty")
    for contrast in (1.0, 0.5, 0.25):
        for speed in (0.8, 0.3, 0.1):
            scene = Scene(empty, people, size, HEIGHTS, contrast=contrast, speed=speed)
            known = [boxes for i, (_, boxes) in enumerate(scene.frames(5, 15)) if i % 3 == 0]
            scene = Scene(empty, people, size, HEIGHTS, contrast=contrast, speed=speed)
            hits, still = gate_hits(through_h264(scene.frames(5, 15), size, 4_000_000), known, size)
            print(
                f"{contrast:8} {speed:6}  " + "".join(f"{h:9.2f}" for h in hits) + f"   {still:.2f}",
                flush=True,
            )


def gate_hits(pictures: list[Image], known: list[Boxes], size: tuple[int, int]) -> tuple[list[float], float]:
    gated, hits, still = Gated(size), [[] for _ in HEIGHTS], []
    for i, (picture, boxes) in enumerate(zip(pictures, known, strict=False)):
        motion, _ = gated.step(picture, i / FPS)
        if not boxes:
            still.append(len(motion.boxes) > 0)
        for j, box in enumerate(boxes if known[i - 1] else []):
            hits[j % len(HEIGHTS)].append(overlaps(motion.boxes, box))
    return [float(np.mean(h)) for h in hits], float(np.mean(still))


def recall_table(empty: Image, people: list[Walker], detector: Detector, count: int) -> None:
    """Recall through gate and planner beside crops at native scale around the same people."""
    label = list(detector.labels).index("person")
    print(f"\ndetector: recall of {count} walking people, through gate and planner : at native scale = ratio")
    for size in ((1920, 1080), (3840, 2160)):
        for height in HEIGHTS:
            gated, ours, native, crops = Gated(size, detector.input.side), 0, 0, []
            total = 0
            for seed in range(4):
                scene = Scene(empty, people, size, (height,), count=count, seed=seed)
                gated.gate = Gated(size).gate
                for i, (picture, boxes) in enumerate(scene.frames(3, FPS)):
                    _, chosen = gated.step(picture, i / FPS)
                    if not boxes:
                        continue
                    found = (
                        people_of(look(detector, picture, chosen), label)
                        if chosen
                        else np.zeros((0, 4), np.float32)
                    )
                    crops.append(len(chosen))
                    for box in boxes:
                        total += 1
                        ours += overlaps(found, box, 0.4)
                        around = centred(box, detector.input.side, size)
                        native += overlaps(people_of(look(detector, picture, [around]), label), box, 0.4)
            print(
                f"{size[0]}x{size[1]} {height} px: {ours / total:.3f} : {native / total:.3f}"
                f" = {ours / max(1, native):.2f}"
                f"   crops/frame {np.mean(crops):.2f}   gate {np.median(gated.gate_s) * 1e3:.2f} ms"
                f"   plan {np.median(gated.plan_s) * 1e3:.2f} ms",
                flush=True,
            )


def centred(box: NDArray[np.float64], side: int, size: tuple[int, int]) -> Crop:
    x = int(np.clip((box[0] + box[2]) / 2 - side / 2, 0, size[0] - side))
    y = int(np.clip((box[1] + box[3]) / 2 - side / 2, 0, size[1] - side))
    return (x, y, x + side, y + side)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="", help="an ONNX file; empty: the default model")
    parser.add_argument("--people", type=int, default=2, help="people in a picture")
    parser.add_argument("--only", choices=("gate", "recall"), default=None)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    clip = footage() / "vtest"
    frames = read(clip / "vtest.avi")
    empty = empty_scene(frames)
    people = walkers(frames, empty, clip / "pets09_s2l1_gt_every10.txt")
    if options.only != "recall":
        gate_table(empty, people)
    if options.only != "gate":
        settings = ModelSettings(threads=1, **({"file": Path(options.model)} if options.model else {}))
        with tempfile.TemporaryDirectory() as folder:
            recall_table(empty, people, open_detector(settings, ModelStore(Path(folder))), options.people)


if __name__ == "__main__":
    main()
