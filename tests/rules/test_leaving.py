"""Who appears near a line, sets off, crosses it and leaves the picture at once is counted.

Nothing is known yet of how much his box jitters: that he sets off and that more of him is seen from look to look is
none.
"""

from dataclasses import replace

import numpy as np
import pytest

from surveil.rules.base import Places
from surveil.rules.line_crossing import LineCrossing, LineCrossingSettings
from tests.scenes import scene, track

WALKERS, HEIGHT = 40, 100.0
SETS_OFF_S, ENTERS_S = 1.2, 0.6


def walk(seed, fps, heights_s, looks_beyond):
    """The looks (t, foot in heights beyond the line, share of him that is seen) at one who leaves soon after."""
    dice, beyond, look = np.random.default_rng(seed), 0, 0
    start, sets_off, since = dice.uniform(0.15, 0.9), dice.uniform(0.3, SETS_OFF_S), dice.uniform(0, 1 / fps)
    speed = dice.uniform(*heights_s)
    while beyond < looks_beyond:
        t = since + look / fps
        away = speed * (t * t / (2 * sets_off) if t < sets_off else t - sets_off / 2) - start
        yield look / fps, away, min(1.0, 0.35 + t / ENTERS_S)
        beyond, look = beyond + (away > 0.1), look + 1


def crossings(seed, fps, heights_s, looks_beyond, enters):
    """How often one who comes from the left is signalled; his box is off by 1.5 % of his height from look to look."""
    rule = LineCrossing(LineCrossingSettings(line="door"), Places({}, {"door": ((0.5, 0.0), (0.5, 1.0))}))
    dice, scenes, t = np.random.default_rng(seed + 1000), [], 0.0
    for t, away, share in walk(seed, fps, heights_s, looks_beyond):
        width, right = 40.0 * (share if enters else 1.0), 520.0 + HEIGHT * away
        box = np.array([right - width, 250.0, right, 350.0]) + dice.normal(0, 0.015 * HEIGHT, 4)
        scenes.append(scene(t, replace(track(1, 0.5, 0.7), box=tuple(box.tolist()))))
    scenes += [scene(t + after) for after in (1.0, 2.0, 3.0)]
    return sum(len(list(rule.signals(one))) for one in scenes)


WALKS, RUNS = (0.5, 1.2), (1.5, 3.0)


@pytest.mark.parametrize(
    ("fps", "heights_s", "whole", "entering"),
    [
        (2.5, WALKS, 40, 39),
        (5.0, WALKS, 31, 26),
        (10.0, WALKS, 10, 10),
        (2.5, RUNS, 38, 36),
        (5.0, RUNS, 40, 37),
        (10.0, RUNS, 38, 35),
    ],
)
def test_whoever_sets_off_and_leaves_after_two_looks_beyond_has_crossed(fps, heights_s, whole, entering):
    for enters, least in ((False, whole), (True, entering)):
        times = [crossings(seed, fps, heights_s, 2, enters) for seed in range(WALKERS)]
        assert max(times) == 1
        assert sum(times) >= least


@pytest.mark.parametrize("fps", [2.5, 5.0])
def test_three_looks_beyond_are_enough_for_nearly_everybody(fps):
    assert sum(crossings(seed, fps, WALKS, 3, enters=False) for seed in range(WALKERS)) >= WALKERS - 2
