"""The tracker on the labels of PETS 2009 S2.L1: `python -m benchmarks.tracking`.

Printed for 10, 5 and 2.5 frames/s: IDF1, MOTA and id switches (motmetrics, IoU 0.5) of surveil's tracker and, where
the package `trackers` is installed, of its ByteTrack with the same detections; and milliseconds a frame.
Needs the clip and its labels (SURVEIL_FOOTAGE), motmetrics, and a model: `--model FILE` or the default one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.people import footage, read
from surveil.capture.picture import ArrayPicture
from surveil.clock import SystemClock
from surveil.detect.settings import ModelSettings
from surveil.models.store import ModelStore, open_detector
from surveil.track.settings import TrackSettings
from surveil.track.tracker import Tracker
from surveil.types import Detections

if not hasattr(np, "asfarray"):
    # motmetrics 1.4 wants NumPy 1.
    setattr(np, "asfarray", np.asarray)  # noqa: B010 - NumPy 2 knows no such name
import motmetrics

FPS, EVERY = 10.0, 10
Tracks = NDArray[np.float64]
"""(n, 5): id, x1, y1, x2, y2."""


def detections(model: Path | None) -> list[Detections]:
    """People in every frame of the clip, the whole picture in one look."""
    settings = ModelSettings(file=model) if model else ModelSettings()
    detector = open_detector(settings, ModelStore(Path("/nonexistent")), SystemClock())
    people = detector.labels.index("person")
    found = []
    for frame in read(footage() / "vtest" / "vtest.avi"):
        height, width = frame.shape[:2]
        looks = [detector.prepare(ArrayPicture(frame), (0, 0, width, height))]
        (seen,) = detector.detect([looks])
        keep = (seen.classes == people) & (seen.scores >= 0.1)
        found.append(Detections(seen.boxes[keep], seen.scores[keep], np.zeros(keep.sum(), np.int32)))
    return found


def ours(frames: list[tuple[float, Detections]]) -> Iterator[Tracks]:
    tracker = Tracker(TrackSettings())
    for t, seen in frames:
        rows = [(track.id, *track.box) for track in tracker.update(seen, t, ["person"])]
        yield np.array(rows, float).reshape(-1, 5)


def bytetrack(frames: list[tuple[float, Detections]]) -> Iterator[Tracks]:
    import supervision  # noqa: PLC0415 - a peer that few have
    from trackers import ByteTrackTracker  # noqa: PLC0415

    fps = 1 / (frames[1][0] - frames[0][0])
    tracker = ByteTrackTracker(frame_rate=fps)
    for _, seen in frames:
        given = supervision.Detections(
            xyxy=seen.boxes.astype(float), confidence=seen.scores, class_id=seen.classes.astype(int)
        )
        out = tracker.update(given)
        ids = np.full(len(out), -1) if out.tracker_id is None else out.tracker_id
        yield np.c_[ids, out.xyxy][ids >= 0]


def score(tracks: dict[int, Tracks]) -> tuple[float, float, int]:
    """IDF1, MOTA and id switches; labels that are marked `ignore` count neither way."""
    labels = np.loadtxt(footage() / "vtest" / "pets09_s2l1_gt_every10.txt", delimiter=",")
    book = motmetrics.MOTAccumulator(auto_id=True)
    for frame in range(EVERY, int(labels[:, 0].max()) + 1, EVERY):
        if frame - 1 not in tracks:
            continue
        now = labels[labels[:, 0] == frame]
        real, ignored = now[now[:, 6] == 1], now[now[:, 6] == 0]
        found = tracks[frame - 1].copy()
        found[:, 3:] -= found[:, 1:3]
        distance = motmetrics.distances.iou_matrix
        if len(ignored) and len(found):
            on_ignored = ~np.isnan(distance(ignored[:, 2:6], found[:, 1:], max_iou=0.5)).all(axis=0)
            on_real = ~np.isnan(distance(real[:, 2:6], found[:, 1:], max_iou=0.5)).all(axis=0)
            found = found[on_real | ~on_ignored]
        book.update(real[:, 1], found[:, 0], distance(real[:, 2:6], found[:, 1:], max_iou=0.5))
    names = ["idf1", "mota", "num_switches"]
    row = motmetrics.metrics.create().compute(book, metrics=names, name="all").iloc[0]
    return float(row.idf1), float(row.mota), int(row.num_switches)


def measure(name: str, track: Callable[..., Iterator[Tracks]], seen: list[Detections], step: int) -> None:
    offset = (EVERY - 1) % step
    frames = [(k / FPS, seen[k]) for k in range(offset, len(seen), step)]
    began = time.perf_counter()
    tracks = {offset + i * step: found for i, found in enumerate(track(frames))}
    cost = (time.perf_counter() - began) / len(frames) * 1e3
    idf1, mota, switches = score(tracks)
    print(
        f"{FPS / step:5.1f} fps  {name:10} IDF1 {idf1:.3f}  MOTA {mota:.3f}  switches {switches:3d}  {cost:.2f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="an ONNX detector; by default the one inside the package")
    parser.add_argument("--detections", type=Path, help="keep the detections in this file (.npz)")
    args = parser.parse_args()
    seen = _kept(args.detections) or detections(args.model)
    if args.detections and not args.detections.exists():
        _keep(seen, args.detections)
    for step in (1, 2, 4):
        measure("surveil", ours, seen, step)
        try:
            measure("ByteTrack", bytetrack, seen, step)
        except ImportError:
            print("           ByteTrack  not measured: install `trackers`")


def _keep(seen: list[Detections], path: Path) -> None:
    counts = np.array([len(one) for one in seen])
    np.savez(
        path, counts=counts, boxes=np.concatenate([one.boxes for one in seen]),
        scores=np.concatenate([one.scores for one in seen]),
    )  # fmt: skip


def _kept(path: Path | None) -> list[Detections]:
    if path is None or not path.exists():
        return []
    with np.load(path) as kept:
        cuts = np.cumsum(kept["counts"])[:-1]
        pairs = zip(np.split(kept["boxes"], cuts), np.split(kept["scores"], cuts), strict=True)
        return [Detections(b.copy(), s.copy(), np.zeros(len(s), np.int32)) for b, s in pairs]


if __name__ == "__main__":
    main()
