"""Somebody who stands on a line for an hour: `python -m benchmarks.standing [--minutes 60] [--seed 1]`.

Boxes of a person whose foot is on the line go through tracker and rule at their defaults, at 2.5, 5 and 10 looks a
second, over an upright and a level line. From look to look all sides of the box are off by a normal error of a share of
the height; in some cases the legs are hidden in every fifth look or for seconds, or looks miss him. Printed: the
crossings of each, of which there should be none, and that he is still counted when he goes to the other side at last.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from surveil.engine import CameraEngine
from surveil.rules.base import Places
from surveil.rules.line_crossing import LineCrossing, LineCrossingSettings
from surveil.track.settings import TrackSettings
from surveil.track.tracker import Tracker
from surveil.types import Detections, Findings, Frame, GateDecision, Motion, Observation

SIZE = (1280, 720)
HEIGHT, WIDTH = 240.0, 90.0
LINES = {"upright": ((0.5, 0.0), (0.5, 1.0)), "level": ((0.0, 0.6), (1.0, 0.6))}
FOOT = (640.0, 432.0)
"""On both lines."""
LEAVES_S = 12.0
HIDDEN = 0.4
"""Share of the height that is hidden with the legs."""
CASES = ("plain", "legs hidden in every fifth look", "legs hidden for seconds", "missed in every third look")


def boxes(case: str, jitter: float, seconds: float, fps: float, seed: int) -> Iterator[NDArray[np.float32]]:
    """Yield the boxes of each look: first beside the line, then on it, at the end beyond it."""
    dice = np.random.default_rng(seed)
    for number in range(round(seconds * fps)):
        t = number / fps
        shift = (min(t, LEAVES_S) - LEAVES_S) / LEAVES_S + max(0.0, t - seconds + LEAVES_S) / LEAVES_S
        x, y = FOOT[0] + 200 * shift, FOOT[1] + 200 * shift
        hidden = (case == CASES[1] and number % 5 == 0) or (case == CASES[2] and t % 20 > 16)
        if case == CASES[3] and dice.random() < 1 / 3:
            yield np.zeros((0, 4), np.float32)
            continue
        box = np.array([x - WIDTH / 2, y - HEIGHT, x + WIDTH / 2, y - HIDDEN * HEIGHT * hidden])
        yield (box + dice.normal(0, jitter * HEIGHT, 4)).astype(np.float32)[None]


def crossings(line: str, looks: Iterator[NDArray[np.float32]], fps: float) -> list[float]:
    """Return when crossings were signalled, s."""
    rule = LineCrossing(LineCrossingSettings(line=line), Places({}, LINES))
    engine = CameraEngine("gate", [rule], Tracker(TrackSettings()), labels=("person",))
    crossed = []
    for number, found in enumerate(looks):
        t = number / fps
        frame = Frame(camera="gate", seq=number, t=t, t_wall=t, picture=None)
        seen = Detections(found, np.full(len(found), 0.9, np.float32), np.zeros(len(found), np.int32))
        motion = Motion(GateDecision.MOTION, found, 0.1)
        step = engine.step(Observation(frame, *SIZE, detections=seen, motion=motion, findings=Findings([])))
        crossed += [t for alert in step.alerts if alert.phase == "start"]
    return crossed


def main() -> None:
    """Print the crossings of every case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fps", type=float, nargs="*", default=[2.5, 5.0, 10.0])
    asked = parser.parse_args()
    seconds = asked.minutes * 60
    for fps, jitter in product(asked.fps, (0.025, 0.05, 0.075, 0.10)):
        for case, line in product(CASES, LINES):
            crossed = crossings(line, boxes(case, jitter, seconds, fps, asked.seed), fps)
            false = sum(t < seconds - LEAVES_S for t in crossed)
            print(
                f"{fps:4g} looks/s, jitter {jitter:6.1%}, {line:7} line, {case:33} "
                f"{false} false crossings, {len(crossed) - false} when he leaves",
                flush=True,
            )


if __name__ == "__main__":
    main()
