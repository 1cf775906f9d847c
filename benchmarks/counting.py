"""Counting on labelled clips: `python -m benchmarks.counting`.

Printed: crossings of three lines of vtest with the default model beside the labels, visits of the one-by-one
clip and the error of their dwell times, cars over the line of the car clip by motion blobs alone, and the cost
of counting and of looking for left things. The whole way of a frame but threads; clips by SURVEIL_FOOTAGE.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from benchmarks.people import footage, read
from surveil.capture.picture import ArrayPicture
from surveil.clock import SystemClock
from surveil.counting.live import CameraCounts
from surveil.counting.settings import CountingSettings
from surveil.detect.detector import Detector
from surveil.detect.settings import ModelSettings
from surveil.models.store import ModelStore, open_detector
from surveil.track.settings import TrackSettings
from surveil.track.tracker import Tracker
from surveil.types import Bytes, Detections, Track
from surveil.vision.blobs import LABEL, Blobs
from surveil.vision.motion import MotionGate, plane_size
from surveil.vision.regions import RegionPlanner, as_boxes
from surveil.vision.settings import MotionSettings
from surveil.vision.static_objects import ROWS, StaticObjects

ALL = {"all": ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))}
LINES = {340: {"right": 14, "left": 18}, 300: {"right": 13, "left": 18}, 240: {"right": 8, "left": 12}}
VISITS = (13.4, 21.2, 18.7, 11.9, 27.5, 11.5)
Seen = tuple[float, tuple[Track, ...], tuple[int, int]]


def watched(clip: Path, fps: float, step: int, detector: Detector) -> Iterator[Seen]:
    """Tracks of every `step`-th frame: gate, crops, detector, tracker."""
    gate, tracker = MotionGate(MotionSettings(), idle_interval_s=10.0), Tracker(TrackSettings())
    planner = RegionPlanner(
        input_px=detector.input.side, min_object_px=40.0, max_crops=4, idle_interval_s=10.0
    )
    tracks: tuple[Track, ...] = ()
    for i, frame in enumerate(read(clip, step)):
        picture, t, size = ArrayPicture(frame), i * step / fps, (frame.shape[1], frame.shape[0])
        motion = gate.update(picture.luma(*plane_size(*size, 40.0)), t, size, tracks)
        crops = planner.plan(motion, tracks, size, t)
        found: Detections | None = None
        if crops:
            (found,) = detector.detect([[detector.prepare(picture, crop) for crop in crops]])
        tracks = tracker.update(found, t, detector.labels, as_boxes(crops) if crops else None)
        yield t, tracks, size


def lines(detector: Detector) -> None:
    places = {str(x): ((x / 768, 0.0), (x / 768, 1.0)) for x in LINES}
    counter, found = CameraCounts(CountingSettings(), {}, places), Counter()
    for t, tracks, size in watched(footage() / "vtest" / "vtest.avi", 10.0, 2, detector):
        for crossing in counter.update(tracks, size, t).crossings:
            found[int(crossing.line), crossing.direction] += 1
    for x, labels in LINES.items():
        told = ", ".join(f"{found[x, way]} to the {way} (labels {n})" for way, n in labels.items())
        print(f"vtest x = {x}: {told}")


def visits(detector: Detector) -> None:
    counter, stays = CameraCounts(CountingSettings(), ALL, {}), []
    clip = footage() / "intel" / "one-by-one-person-detection.mp4"
    for t, tracks, size in watched(clip, 10.0, 2, detector):
        stays += counter.update(tracks, size, t).stays
    stays += counter.finish().stays
    dwell = [round(stay.dwell_s, 1) for stay in stays]
    error = np.mean(np.abs(np.array(dwell) - VISITS)) if len(dwell) == len(VISITS) else float("nan")
    print(f"one by one: {len(dwell)} visits (labels {len(VISITS)}) of {dwell} s, mean error {error:.2f} s")


def cars() -> None:
    settings = CountingSettings(classes=(LABEL,), anchor="centre")
    counter, found = CameraCounts(settings, {}, {"road": ((0.0, 0.5), (1.0, 0.5))}), Counter()
    blobs, tracker = Blobs(), Tracker(TrackSettings())
    for i, frame in enumerate(read(footage() / "intel" / "car-detection.mp4", 2)):
        t, size = i * 2 / 12.5, (frame.shape[1], frame.shape[0])
        boxes = blobs.update(_plane(frame), t, size)
        n = len(boxes)
        tracks = tracker.update(
            Detections(boxes, np.full(n, 0.9, np.float32), np.zeros(n, np.int32)), t, [LABEL]
        )
        found.update(c.direction for c in counter.update(tracks, size, t).crossings)
    print(f"cars by motion alone: {found['up']} up (labels 2), {found['down']} down (labels 2)")


def cost(detector: Detector) -> None:
    places = {str(x): ((x / 768, 0.0), (x / 768, 1.0)) for x in LINES}
    counter, clip = CameraCounts(CountingSettings(), ALL, places), footage() / "vtest" / "vtest.avi"
    seen = list(watched(clip, 10.0, 2, detector))
    began = time.perf_counter()
    for t, tracks, size in seen:
        counter.update(tracks, size, t)
    counting = (time.perf_counter() - began) / len(seen) * 1e3
    planes, things = [_plane(frame) for frame in read(clip, 2)], StaticObjects()
    began = time.perf_counter()
    for i, plane in enumerate(planes[::3]):
        things.update(plane, i * 0.6, (768, 576), [])
    static = (time.perf_counter() - began) / len(planes[::3]) * 1e3
    print(
        f"cost: counting {counting:.2f} ms a frame; left and removed things {static:.2f} ms, twice a second"
    )


def _plane(frame: Bytes) -> Bytes:
    width = round(frame.shape[1] * ROWS / frame.shape[0] / 2) * 2
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(grey, (width, ROWS), interpolation=cv2.INTER_AREA), np.uint8)


def main() -> None:
    detector = open_detector(ModelSettings(), ModelStore(Path("/nonexistent")), SystemClock())
    lines(detector)
    visits(detector)
    cars()
    cost(detector)


if __name__ == "__main__":
    main()
