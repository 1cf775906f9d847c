"""A busy camera: how often the detector looks, and what comes of it. `python -m benchmarks.busy FOOTAGE`.

Films in which somebody is about all the time are played 5 times a second through gate, planner of crops, model,
tracker and rules, as in the daemon. Printed: crops a frame; the events of `intrusion`, `presence`, `loitering` and
`line_crossing`; for vtest IDF1, MOTA and id switches (motmetrics, IoU 0.5) and crossings beside the labels; for the
one-by-one film its visits. `--keep FILE` writes the events; `--beside FILE` compares with those of another build: run
the file with the PYTHONPATH of each. `--looks FOLDER` keeps what the model said of each crop.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.people import read
from benchmarks.sitting import Looks
from surveil.capture.picture import ArrayPicture
from surveil.clock import SystemClock
from surveil.demo.scene import DrawnScene
from surveil.demo.walks import passers_by
from surveil.detect.detector import Detector
from surveil.detect.settings import DetectSettings, ModelSettings
from surveil.engine import CameraEngine
from surveil.features.registry import RULES, build_rules
from surveil.models.store import ModelStore, open_detector
from surveil.track.settings import TrackSettings
from surveil.track.tracker import Tracker
from surveil.types import Alert, Bytes, Doubles, Findings, Frame, Observation, Track
from surveil.view import FrameView
from surveil.vision.motion import MotionGate, plane_size
from surveil.vision.regions import RegionPlanner, as_boxes
from surveil.vision.settings import MotionSettings
from surveil.vision.unchanged import UnchangedPlaces

try:
    from surveil.vision.foresight import Foresight
except ImportError:  # builds before it
    Foresight = None  # type: ignore[assignment, misc]

FPS = 5.0
LINES_AT = (340, 300, 240)
LABELLED = {340: (14, 18), 300: (13, 18), 240: (8, 12)}
"""Crossings of vtest to the right and to the left."""
WIDTH = 768
ZONES = {"all": ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))}
RULE_LIST: list[dict[str, object]] = [
    {"type": "intrusion", "zone": "all", "classes": ["person"]},
    {"type": "presence", "classes": ["person"]},
    {"type": "loitering", "zone": "all", "after_s": 2},
    *({"type": "line_crossing", "line": f"x{x}", "name": f"x{x}"} for x in LINES_AT),
]


@dataclass(frozen=True, slots=True)
class Played:
    """What a film led to."""

    alerts: list[Alert]
    tracks: dict[int, tuple[Track, ...]]
    """By number of the frame in the film."""
    crops: int

    @property
    def crops_a_frame(self) -> float:
        """Looks of the model for each analysed frame."""
        return self.crops / max(1, len(self.tracks))


def play(frames: Iterator[tuple[int, float, Bytes]], looks: Looks, detector: Detector) -> Played:
    """Play (number, stream time in s, BGR picture)."""
    detect = DetectSettings()
    gate = MotionGate(MotionSettings(), idle_interval_s=detect.idle_interval_s)
    planner = RegionPlanner(
        input_px=detector.input.side, min_object_px=detect.min_object_px,
        max_crops=detect.max_crops, idle_interval_s=detect.idle_interval_s,
    )  # fmt: skip
    lines = {f"x{x}": ((x / WIDTH, 0.0), (x / WIDTH, 1.0)) for x in LINES_AT}
    made = [RULES[str(rule["type"])].settings(**rule) for rule in RULE_LIST]
    engine = CameraEngine(
        "yard", build_rules(made, ZONES, lines), Tracker(TrackSettings()), labels=detector.labels
    )
    foresight = () if Foresight is None else (Foresight(ZONES.values(), lines.values()),)
    places = UnchangedPlaces(detect.min_object_px)
    alerts: list[Alert] = []
    seen: dict[int, tuple[Track, ...]] = {}
    tracks: tuple[Track, ...] = ()
    followed: tuple[Track, ...] = ()
    for number, t, image in frames:
        picture = ArrayPicture(image)
        size = (picture.width, picture.height)
        frame = Frame(camera="yard", seq=number, t=t, t_wall=t, picture=picture)
        view = FrameView(frame, tracks)
        plane = view.luma(*plane_size(*size, detect.min_object_px))
        motion = view.motion = gate.update(plane, t, size, followed)
        unchanged = places.observe(view)
        crops = planner.plan(motion, followed, size, t, *foresight)
        step = engine.step(
            Observation(
                frame, *size, motion=motion, findings=Findings([unchanged]),
                detections=looks.at(number, picture, crops) if crops else None,
                regions=as_boxes(crops) if crops else None, closest=planner.closest,
            )
        )  # fmt: skip
        alerts += step.alerts
        tracks = seen[number] = step.tracks
        followed = (*tracks, *step.doubtful)
    alerts += engine.finish(engine.t, engine.t_wall, "stop").alerts
    looks.keep()
    return Played(alerts, seen, looks.crops)


def film(path: Path, size: tuple[int, int] | None = None) -> Iterator[tuple[int, float, Bytes]]:
    """Yield every second picture of a film of 10 pictures a second, those of vtest's labels among them."""
    for number, picture in enumerate(read(path)):
        if number % 2:
            shown = picture if size is None else cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
            yield number, number / 10, np.asarray(shown, np.uint8)


def drawn(seconds: float = 120.0) -> Iterator[tuple[int, float, Bytes]]:
    """Yield a drawn yard in which one person after the other walks through, with grain."""
    walkers = passers_by(0, 6)
    scene = DrawnScene(
        walkers=walkers, size=(1280, 720), fps=5, seconds=min(seconds, walkers[-1].leaves), seed=0
    )
    noise = np.random.default_rng(3)
    grain = noise.normal(0, 3, (4, 720, 1280, 1))
    for number in range(scene.frames):
        picture = np.clip(scene.frame(number) + grain[number % 4], 0, 255)
        yield number, number / FPS, np.asarray(picture, np.uint8)


def mirrored(frames: Iterator[tuple[int, float, Bytes]]) -> Iterator[tuple[int, float, Bytes]]:
    """Yield the pictures with left and right exchanged: a second sample of the same labels."""
    for number, t, picture in frames:
        yield number, t, np.ascontiguousarray(picture[:, ::-1])


def told(alerts: Sequence[Alert]) -> list[dict[str, object]]:
    """Return what tells an event from another."""
    return [
        {"rule": a.rule, "key": a.key, "phase": a.phase, "t": round(a.t, 2), "reason": a.reason}
        for a in alerts
    ]


def scored(name: str, played: Played) -> str:
    """Return the figures of a film beside its labels."""
    starts = [a for a in played.alerts if a.phase == "start"]
    if name.startswith("vtest"):
        from benchmarks.tracking import score  # noqa: PLC0415 - it needs motmetrics

        rows = {
            number: np.array([(t.id, *t.box) for t in tracks if t.label == "person"], float).reshape(-1, 5)
            for number, tracks in played.tracks.items()
        }
        if name == "vtest-mirrored":
            rows = {number: _mirrored(found) for number, found in rows.items()}
        idf1, mota, switches = score(rows)
        ways = Counter((a.line, a.direction) for a in starts if a.type == "line_crossing")
        lines = ", ".join(
            f"x={x} {ways[f'x{x}', 'right']} {ways[f'x{x}', 'left']} (labels {right} {left})"
            for x, (right, left) in LABELLED.items()
        )
        return f"IDF1 {idf1:.3f} MOTA {mota:.3f} switches {switches}; crossings → ←: {lines}"
    ends = [a for a in played.alerts if a.phase == "end" and a.type == "loitering"]
    stays = [(round(a.t - float(str(a.details["duration_s"])), 1), a.details["duration_s"]) for a in ends]
    return f"stays (from, s): {stays}"


def _mirrored(rows: Doubles) -> Doubles:
    """Return (id, x1, y1, x2, y2) of a mirrored picture in the picture."""
    return np.asarray(np.c_[rows[:, 0], WIDTH - rows[:, 3], rows[:, 2], WIDTH - rows[:, 1], rows[:, 4]])


def main() -> None:
    """Play what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("footage", type=Path)
    parser.add_argument("--only", nargs="*", default=["vtest", "one-by-one", "one-by-one-720p", "drawn"])
    parser.add_argument("--looks", type=Path, help="keep what the model says of each crop in this folder")
    parser.add_argument("--keep", type=Path, help="write the events here")
    parser.add_argument("--beside", type=Path, help="events to compare with")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    os.environ.setdefault("SURVEIL_FOOTAGE", str(given.footage))
    one = given.footage / "intel" / "one-by-one-person-detection.mp4"
    films = {
        "vtest": lambda: film(given.footage / "vtest" / "vtest.avi"),
        "vtest-mirrored": lambda: mirrored(film(given.footage / "vtest" / "vtest.avi")),
        "one-by-one": lambda: film(one),
        "one-by-one-720p": lambda: film(one, (1280, 720)),
        "drawn": drawn,
    }
    kept: dict[str, list[dict[str, object]]] = {}
    with tempfile.TemporaryDirectory() as work:
        detector = open_detector(ModelSettings(), ModelStore(Path(work)), SystemClock())
        for name in given.only:
            played = play(films[name](), Looks(detector, given.looks, name), detector)
            kept[name] = told(played.alerts)
            print(
                f"{name}: {len(played.tracks)} frames, {played.crops_a_frame:.3f} crops a frame, "
                f"{sum(a.phase == 'start' for a in played.alerts)} events; {scored(name, played)}",
                flush=True,
            )
    if given.keep:
        given.keep.write_text(json.dumps(kept, indent=1))
    if given.beside:
        compare(json.loads(given.beside.read_text()), kept)


def compare(before: dict[str, list[dict[str, object]]], after: dict[str, list[dict[str, object]]]) -> None:
    """Print which events are the same, and each that is not."""
    for name, events in after.items():
        rest = list(events)
        same = shifted = 0
        for event in before.get(name, []):
            alike = [e for e in rest if all(e[k] == event[k] for k in ("rule", "key", "phase"))]
            near = min(alike, key=lambda e: abs(float(str(e["t"])) - float(str(event["t"]))), default=None)
            apart = abs(float(str(near["t"])) - float(str(event["t"]))) if near else 99.0
            if near is None or apart > 2.0:
                print(f"   {name}: missing {event}")
                continue
            rest.remove(near)
            same += apart < 1e-9
            shifted += apart >= 1e-9
            if apart > 1 / FPS + 1e-6:
                print(f"   {name}: {event}: at {near['t']}")
        for event in rest:
            print(f"   {name}: added {event}")
        print(f"{name}: {same} at the same time, {shifted} within 2 s")


if __name__ == "__main__":
    main()
