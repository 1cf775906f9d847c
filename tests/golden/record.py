"""Recordings of detections: what a detector said about a drawn scene, frame by frame.

`python -m tests.golden.record` writes `*.detections.json` and `*.alerts.jsonl` anew; review the difference.
"""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from surveil.engine import CameraEngine
from surveil.features.registry import RULES, build_rules
from surveil.track.settings import TrackSettings
from surveil.track.tracker import Tracker
from surveil.types import Detections, Frame, Observation

HERE = Path(__file__).parent
LABELS = ("person", "car", "dog")
START_WALL = 1_700_000_000.0
SIZE = (1280, 720)

ZONES = {
    "yard": ((0.3, 0.3), (0.9, 0.3), (0.9, 1.0), (0.3, 1.0)),
    "gate": ((0.0, 0.3), (0.2, 0.3), (0.2, 1.0), (0.0, 1.0)),
}
LINES = {"door": ((0.5, 0.0), (0.5, 1.0)), "kerb": ((0.0, 0.7), (1.0, 0.7))}
SCALE = {"points": [[0, 0], [1, 0], [1, 1], [0, 1]], "metres": [[0, 0], [16, 0], [16, 9], [0, 9]]}
ROOM = [
    {"type": "intrusion", "zone": "yard", "after_s": 1.0},
    {"type": "line_crossing", "line": "door"},
    {"type": "line_crossing", "line": "kerb", "direction": "down", "name": "to_street"},
    {"type": "loitering", "zone": "yard", "after_s": 8.0},
    {"type": "crowding", "zone": "yard", "count": 3, "after_s": 2.0},
    {"type": "presence", "classes": ["dog"], "cooldown_s": 15.0},
    {"type": "speed", "zone": "yard", "scale": SCALE, "min_kmh": 9.0, "name": "running"},
    {"type": "wrong_way", "zone": "gate", "way": [[0.0, 0.5], [0.2, 0.5]]},
]


def walker(start, end, begin, until, label=0, height=160.0):
    """Somebody who goes from `start` to `end` (feet, px) between two times; returns where he is at t."""

    def at(t):
        if not begin <= t <= until:
            return None
        share = (t - begin) / (until - begin)
        x, y = (a + (b - a) * share for a, b in zip(start, end, strict=True))
        width = height * (1.6 if label else 0.4)
        return [x - width / 2, y - height, x + width / 2, y], label

    return at


SCENES = {
    "yard": [
        walker((40, 500), (1240, 500), 1.0, 21.0),
        walker((1240, 560), (700, 560), 4.0, 12.0),
        walker((700, 560), (702, 560), 12.2, 30.0),
        walker((640, 420), (640, 700), 14.0, 22.0),
        walker((100, 650), (1200, 650), 24.0, 29.0),
        walker((220, 400), (10, 400), 30.0, 36.0),
        walker((900, 640), (300, 640), 5.0, 9.0, label=2, height=60.0),
        walker((300, 640), (900, 640), 14.0, 18.0, label=2, height=60.0),
    ],
}


def draw(people, fps=5.0, until=40.0, seed=7):
    """Detections [t, [[x1, y1, x2, y2, score, class], …]] with jitter, misses, weak and false ones."""
    rng = np.random.default_rng(seed)
    frames = []
    for i in range(round(until * fps)):
        t, found = round(i / fps, 3), []
        for at in people:
            here = at(t)
            if here is None or rng.random() < 0.06:
                continue
            box = (np.array(here[0]) + rng.normal(0, 1.5, 4)).clip(0, [*SIZE, *SIZE])
            score = 0.35 if rng.random() < 0.1 else rng.uniform(0.6, 0.95)
            found.append([*(round(float(v), 1) for v in box), round(float(score), 2), here[1]])
        if rng.random() < 0.03:
            found.append([1000.0, 100.0, 1040.0, 190.0, 0.5, 0])
        frames.append([t, found])
    return frames


def observation(t, found):
    rows = np.array(found, np.float32).reshape(-1, 6)
    frame = Frame(camera="yard", seq=round(t * 5), t=t, t_wall=START_WALL + t, picture=None)
    seen = Detections(rows[:, :4].copy(), rows[:, 4].copy(), rows[:, 5].astype(np.int32))
    return Observation(frame, *SIZE, detections=seen)


def replay(frames, rules=ROOM):
    """Alerts of a recording, as plain values."""
    made = [RULES[rule["type"]].settings(**rule) for rule in rules]
    engine = CameraEngine("yard", build_rules(made, ZONES, LINES), Tracker(TrackSettings()), labels=LABELS)
    alerts = [alert for t, found in frames for alert in engine.step(observation(t, found)).alerts]
    alerts += engine.finish(engine.t, engine.t_wall, "stop").alerts
    return [plain(alert) for alert in alerts]


def plain(alert):
    """An alert as JSON has it; boxes to a tenth of a pixel, scores to a thousandth."""
    values = {name: value for name, value in asdict(alert).items() if value not in ("", None, {}, False)}
    if alert.box:
        values["box"] = [round(v, 1) for v in alert.box]
    values["score"] = round(alert.score, 3)
    values["t"], values["t_wall"] = round(alert.t, 3), round(alert.t_wall, 3)
    return json.loads(json.dumps(values))


def main():
    for name, people in SCENES.items():
        frames = draw(people)
        lines = ",\n".join(json.dumps(frame) for frame in frames)
        (HERE / f"{name}.detections.json").write_text(f"[\n{lines}\n]\n")
        alerts = "".join(json.dumps(alert) + "\n" for alert in replay(frames))
        (HERE / f"{name}.alerts.jsonl").write_text(alerts)


if __name__ == "__main__":
    main()
