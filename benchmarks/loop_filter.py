"""What `skip_loop_filter: true` saves, and what detections and learned normality lose by it.

    python -m benchmarks.loop_filter

vtest and UCSD Ped2 are encoded as a camera would (H.264, GOP 30, no B frames, a constant rate) and decoded with and
without the deblocking filter: CPU of a bare decode, crossings of three lines of vtest through `surveil replay`
at default settings, and frame AUC of Ped2. Footage in SURVEIL_FOOTAGE; some 10 minutes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.counting import LINES, crossings
from benchmarks.normality import ped2
from benchmarks.people import footage, read
from surveil.offline.normality.dataset import Dataset, LabelledClip
from surveil.offline.normality.evaluate import evaluate
from surveil.types import Bytes

FPS = 10
BITS_A_PIXEL = 0.15
"""What 2 Mbit/s are at 720p and 15 frames a second."""


def encode(pictures: Iterator[Bytes], path: Path) -> None:
    """Write BGR pictures as a camera's stream."""
    with av.open(str(path), "w") as out:
        stream = None
        for picture in pictures:
            if stream is None:
                stream = out.add_stream("libx264", rate=FPS)
                stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], "yuv420p"
                stream.bit_rate, stream.gop_size = int(picture[..., 0].size * FPS * BITS_A_PIXEL), 30
                stream.time_base = Fraction(1, FPS)
                stream.options = {"preset": "veryfast", "bf": "0", "sc_threshold": "0"}
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        if stream is not None:
            out.mux(stream.encode())


def decode(path: Path, *, skip: bool) -> Iterator[av.VideoFrame]:
    """Yield the frames of a clip, decoded on one thread as `surveil.capture.avsource` does."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        if skip:
            stream.codec_context.options = {"skip_loop_filter": "all"}
        yield from container.decode(stream)


def decode_s(path: Path, *, skip: bool) -> float:
    """Return the CPU seconds of a bare decode."""
    start = time.process_time()
    for _ in decode(path, skip=skip):
        pass
    return time.process_time() - start


def told(clip: Path, *, skip: bool) -> str:
    """Say who crosses vtest's lines."""
    found = crossings(clip, skip_loop_filter=skip)
    return ", ".join(
        f"x = {x}: {found[x, 'right']} → {found[x, 'left']} ← (labels {ways['right']}, {ways['left']})"
        for x, ways in LINES.items()
    )


def decoded(clips: Sequence[Path], folder: Path, *, skip: bool) -> list[Path]:
    """Encode folders of images and write what comes out of the decoder; return the new folders."""
    made = []
    for clip in clips:
        target = folder / f"{clip.parent.parent.name}-{clip.name}-{skip}"
        target.mkdir()
        encode((cv2.imread(str(p)) for p in sorted(clip.iterdir())), folder / "clip.mp4")
        for i, frame in enumerate(decode(folder / "clip.mp4", skip=skip)):
            cv2.imwrite(str(target / f"{i:05}.png"), frame.to_ndarray(format="gray"))
        made.append(target)
    return made


def normality(dataset: Dataset, *, skip: bool) -> float:
    """Return the frame AUC on Ped2."""
    with tempfile.TemporaryDirectory() as name:
        normal = decoded(dataset.normal, Path(name), skip=skip)
        tested = decoded([clip.path for clip in dataset.clips], Path(name), skip=skip)
        clips = [LabelledClip(c.name, p, c.labels) for c, p in zip(dataset.clips, tested, strict=True)]
        report = evaluate(Dataset(dataset.name, dataset.fps, tuple(normal), tuple(clips)))
        return float(report.figures["frame_auc"].value)


def main() -> None:
    """Print each figure with the filter and without."""
    with tempfile.TemporaryDirectory() as name:
        clip = Path(name) / "vtest.mp4"
        encode(iter(read(footage() / "vtest" / "vtest.avi")), clip)
        pairs = [(decode_s(clip, skip=False), decode_s(clip, skip=True)) for _ in range(7)]
        print(f"decoding vtest without the filter by with it: {np.median([b / a for a, b in pairs]):.2f}")
        for skip in (False, True):
            print(f"vtest, skip_loop_filter {skip}: {told(clip, skip=skip)}")
            sys.stdout.flush()
    if dataset := ped2():
        for skip in (False, True):
            print(f"Ped2 encoded, skip_loop_filter {skip}: frame AUC {normality(dataset, skip=skip):.4f}")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
