"""Counting and things on labelled clips: `python -m benchmarks.counting [--only lines,visits,cars,things,cost]`.

Everything but `cars` goes through `surveil replay` at default settings. Printed: crossings of three lines of vtest
beside the labels; visits of the one-by-one clip, the error of their dwell times, and the worst start and end; cars
over the line of the car clip by motion blobs alone; left and removed things where there is one and where there is
none; and the CPU time of a replay with picture health, things and counting by one without (interleaved, children
included). Clips by SURVEIL_FOOTAGE.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.blobs import LABEL, Blobs
from benchmarks.people import footage, read
from surveil.features.counting.live import CameraCounts
from surveil.features.counting.settings import CountingSettings
from surveil.features.things.static_objects import ROWS
from surveil.geometry import iou
from surveil.track.settings import TrackSettings
from surveil.track.tracker import Tracker
from surveil.types import Bytes, Detections

ALL = {"all": [[0, 0], [1, 0], [1, 1], [0, 1]]}
LINES = {340: {"right": 14, "left": 18}, 300: {"right": 13, "left": 18}, 240: {"right": 8, "left": 12}}
VISITS = ((62, 196), (236, 448), (503, 690), (745, 864), (921, 1196), (1243, 1358))
"""First and last frame of each visit of the one-by-one clip, 10 frames/s, give or take 8."""
BAG = (452.0, 366.0, 502.0, 414.0)
BAG_FPS, BAG_DOWN, BAG_ALONE = 29.97, 385, 590
"""Frames a second of the bag clip; the frame from which the bag is down, and from which it is alone."""
THINGS = [{"type": "left_object", "after_s": 15}, {"type": "removed_object"}]
Line = dict[str, Any]


def replay(clip: Path, *words: str, **camera: object) -> tuple[Line, list[Line]]:
    """Run `surveil replay` with these settings of the camera; return its summary and its alerts."""
    with tempfile.TemporaryDirectory() as folder:
        config, alerts = Path(folder) / "config.yaml", Path(folder) / "alerts.jsonl"
        whole = {
            "version": 1,
            "cameras": {"clip": {"url": str(clip), **camera}},
            "state_dir": folder,
        }
        config.write_text(json.dumps(whole))
        command = [sys.executable, "-m", "surveil", "replay", str(clip), "-c", str(config), "--json"]
        done = subprocess.run(
            [*command, "--alerts", str(alerts), *words], check=True, capture_output=True, text=True
        )
        return json.loads(done.stdout), [json.loads(line) for line in alerts.read_text().splitlines()]


def crossings(clip: Path, **camera: object) -> dict[tuple[int, str], int]:
    """Count who crosses each of vtest's lines, by x and direction."""
    places = {f"x{x}": [[x / 768, 0], [x / 768, 1]] for x in LINES}
    summary, _ = replay(clip, lines=places, counting={"enabled": True}, **camera)
    return {(int(row["place"][1:]), row["direction"]): row["count"] for row in summary["counts"]}


def lines() -> None:
    found = crossings(footage() / "vtest" / "vtest.avi")
    for x, labels in LINES.items():
        told = ", ".join(f"{found[x, way]} to the {way} (labels {n})" for way, n in labels.items())
        print(f"vtest x = {x}: {told}", flush=True)


def visits() -> None:
    """Stays are told by the events of a loitering rule: counting keeps their sum."""
    rule = {"type": "loitering", "zone": "all", "after_s": 2}
    clip = footage() / "intel" / "one-by-one-person-detection.mp4"
    summary, alerts = replay(clip, zones=ALL, rules=[rule], counting={"enabled": True})
    stay = next(row for row in summary["counts"] if row["kind"] == "stay")
    told = [a for a in alerts if a["rule"] == "loitering"]
    begun = {a["event_id"]: a["t"] for a in told if a["phase"] == "start"}
    dwell = {a["event_id"]: a["details"]["duration_s"] for a in told if a["phase"] == "end"}
    labels, lengths = np.array(VISITS) / 10, [b / 10 - a / 10 for a, b in VISITS]
    print(
        f"one by one: {stay['count']} visits (labels {len(VISITS)}), mean stay {stay['mean']} s "
        f"(labels {np.mean(lengths):.2f}); each {list(dwell.values())}",
        flush=True,
    )
    if len(begun) == len(dwell) == len(VISITS):
        found = np.array([(t, t + dwell[event]) for event, t in begun.items()])
        mean = np.mean(np.abs(np.array(list(dwell.values())) - lengths))
        start, end = np.abs(found - labels).max(axis=0)
        print(
            f"one by one: mean error of a stay {mean:.2f} s, worst start {start:.2f} s, worst end {end:.2f} s"
        )


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
    print(f"cars by motion alone: {found['up']} up (labels 2), {found['down']} down (labels 2)", flush=True)


def things() -> None:
    _, alerts = replay(footage() / "abandoned_bag" / "video4.avi", rules=THINGS)
    for alert in alerts:
        if alert["phase"] == "start":
            # The event begins when the owner has gone; it is told when the bag has been alone for after_s.
            told = alert["t"] + alert["details"].get("alone_s", 0.0)
            print(
                f"abandoned bag: {alert['rule']} IoU {iou(tuple(alert['box']), BAG):.2f}, alone since frame "
                f"{alert['t'] * BAG_FPS:.0f}, told at frame {told * BAG_FPS:.0f} (not before {BAG_DOWN}, "
                f"by {BAG_ALONE + 20 * BAG_FPS:.0f})",
                flush=True,
            )
    ped2 = sorted((footage() / "ucsd_ped2" / "training" / "frames").iterdir())
    clips = [footage() / "vtest" / "vtest.avi", *sorted((footage() / "intel").glob("*.mp4")), *ped2]
    found = Counter()
    for clip in clips:
        _, alerts = replay(clip, rules=THINGS)
        found.update({clip.name: sum(alert["phase"] == "start" for alert in alerts)})
    print(f"left or removed in {len(clips)} clips without any: {+found or 'none'}", flush=True)


def cost(pairs: int) -> None:
    """Compare whole replays: decoding, gate, detector, tracks and a rule are in both."""
    clip, rule = footage() / "vtest" / "vtest.avi", {"type": "intrusion", "zone": "all"}
    lines = {f"x{x}": [[x / 768, 0], [x / 768, 1]] for x in LINES}
    with_all = {"rules": [rule, *THINGS, {"type": "picture"}], "lines": lines, "counting": {"enabled": True}}
    without = {"rules": [rule], "lines": lines, "health": {"enabled": False}}
    ratios = [_cpu(clip, with_all) / _cpu(clip, without) for _ in range(pairs)]
    print(f"CPU of a replay with all of it by one without: {np.median(ratios):.3f} ({sorted(ratios)})")


def _cpu(clip: Path, camera: dict[str, object]) -> float:
    """Return the CPU seconds of a replay, user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    replay(clip, zones=ALL, **camera)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _plane(frame: Bytes) -> Bytes:
    width = round(frame.shape[1] * ROWS / frame.shape[0] / 2) * 2
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(grey, (width, ROWS), interpolation=cv2.INTER_AREA), np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="lines,visits,cars,things,cost")
    parser.add_argument("--pairs", type=int, default=3)
    given = parser.parse_args()
    chosen = given.only.split(",")
    for name, part in {"lines": lines, "visits": visits, "cars": cars, "things": things}.items():
        if name in chosen:
            part()
    if "cost" in chosen:
        cost(given.pairs)


if __name__ == "__main__":
    main()
