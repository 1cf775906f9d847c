"""Scripted scenes: what tests of rules, events and the engine are fed with."""

import numpy as np

from surveil.types import Detections, Findings, Frame, Observation, Scene, Track

SIZE = (1000, 500)
START_WALL = 1_700_000_000.0


def observation(t, boxes=(), scores=None, classes=None, looked=True, findings=(), **kind):
    """An observation at `t` with detections `boxes` (x1 y1 x2 y2 px), or of a frame nobody looked at."""
    frame = Frame(camera="gate", seq=round(t * 5), t=t, t_wall=START_WALL + t, picture=None, **kind)
    found = Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array([0.9] * len(boxes) if scores is None else scores, np.float32),
        np.array([0] * len(boxes) if classes is None else classes, np.int32),
    )
    return Observation(frame, *SIZE, detections=found if looked else None, findings=Findings(findings))


def track(number, x, y, label="person", height=100, score=0.9):
    """A track whose foot stands at x, y (fractions of the frame)."""
    px, py = x * SIZE[0], y * SIZE[1]
    return Track(
        id=number, label=label, box=(px - 20, py - height, px + 20, py), score=score, t_first=0.0, t_last=0.0
    )


def scene(t, *tracks):
    return Scene(observation(t), tracks)
