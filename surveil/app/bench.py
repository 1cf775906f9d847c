"""Benchmark of this machine: the cost of each part of a camera beside the bare library call."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from surveil.capture.picture import AvPicture
from surveil.demo.clip import write_clip
from surveil.demo.scene import DrawnScene
from surveil.detect.detector import Detector
from surveil.vision.motion import MotionGate, plane_size
from surveil.vision.settings import MotionSettings

_FPS = 15
"""Of the stream that the last row reckons with."""


@dataclass(frozen=True, slots=True)
class BenchRow:
    """One part of the cost."""

    what: str
    milliseconds: float
    """CPU time, median."""
    bare_milliseconds: float | None = None
    """The same without surveil around it, measured in turn with it."""

    @property
    def ratio(self) -> float | None:
        """How much surveil adds to the bare call."""
        return None if self.bare_milliseconds is None else self.milliseconds / self.bare_milliseconds


def bench(detector: Detector, size: tuple[int, int] = (1280, 720), rounds: int = 40) -> Iterator[BenchRow]:
    """Measure decoding, the gate, preparing a crop and detecting, on a drawn yard with people in it."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "yard.mp4"
        write_clip(clip, DrawnScene.default(size=size, fps=_FPS, seconds=4.0))
        frames, decode_ms = _decoded(clip)
    yield BenchRow(f"decode a frame, {size[0]}×{size[1]} H.264, one thread", decode_ms)
    pictures = [AvPicture(frame) for frame in frames]
    yield BenchRow("small brightness plane and motion gate", _gate_ms(pictures, size))
    crop = (0, 0, *size)
    prepare = _median_ms(
        lambda i: detector.release([detector.prepare(pictures[i % len(pictures)], crop)]), rounds
    )
    yield BenchRow("fit one crop into the model's input", prepare)
    yield _detect(detector, pictures, rounds)


def _decoded(clip: Path) -> tuple[list[av.VideoFrame], float]:
    with av.open(str(clip)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        start = _cpu_s()
        frames = list(container.decode(video=0))
        return frames, (_cpu_s() - start) / len(frames) * 1000


def _gate_ms(pictures: list[AvPicture], size: tuple[int, int]) -> float:
    gate, plane = MotionGate(MotionSettings(), idle_interval_s=10.0), plane_size(*size, 40.0)
    return _median_ms(lambda i: gate.update(pictures[i].luma(*plane), i / 5, size, ()), len(pictures))


def _detect(detector: Detector, pictures: list[AvPicture], rounds: int) -> BenchRow:
    """Time `detect` and the bare session in turn: A B A B, so that the machine's moods hit both."""
    crop = (0, 0, pictures[0].width, pictures[0].height)
    ours, bare = [], []
    for i in range(rounds):
        look = detector.prepare(pictures[i % len(pictures)], crop)
        tensor = look.tensor[None].copy()
        ours.append(_once_ms(lambda look=look: detector.detect([[look]])))  # type: ignore[misc]
        bare.append(_once_ms(lambda tensor=tensor: detector.run_bare(tensor)))  # type: ignore[misc]
    return BenchRow(f"detect in one crop, {detector.name}", float(np.median(ours)), float(np.median(bare)))


def _median_ms(work: Callable[[int], object], rounds: int) -> float:
    return float(np.median([_once_ms(lambda i=i: work(i)) for i in range(rounds)]))  # type: ignore[misc]


def _once_ms(work: Callable[[], object]) -> float:
    start = _cpu_s()
    work()
    return (_cpu_s() - start) * 1000


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
