"""Learned normality of a camera of which only key frames are looked at: it learns as much, and alerts as soon."""

import cv2
import numpy as np
import pytest

from benchmarks.normality_on_demand import scene_of
from benchmarks.rehearsal import INTERVAL_S, differences, play_both
from surveil.ring import Drop
from tests.normality.drawn import FRAME, Walker, model, picture
from tests.rig.clips import make_clip

FPS, RUNS_S = 10, 16.3
RUNNER = (Walker(-110 * RUNS_S - 20, 110, 110),)


def yard(number, _width, _height):
    """Nobody is there, until somebody runs through."""
    t = number / FPS
    grey = picture(t, RUNNER if RUNS_S <= t < RUNS_S + 3.0 else ())
    noise = np.random.default_rng(number).normal(0, 2, grey.shape)
    return cv2.cvtColor(np.clip(grey + noise, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2RGB)


@pytest.mark.slow
def test_normality_learns_as_much_and_alerts_as_soon_on_demand_as_in_full(detector, tmp_path):
    clip = make_clip(tmp_path / "clip.mp4", "h264", FRAME, fps=FPS, seconds=22.0, gop=FPS, scene=yard)
    scenes = []

    def ready(rehearsal):
        scenes.append(scene_of(rehearsal))
        scenes[-1].offer(model())

    settings = {"normality": {"enabled": True, "budget": 2000}, "health": {"enabled": False}}
    demand, full = play_both(clip, detector, ready, rules=[{"type": "anomaly"}], **settings)
    assert full.alerts
    assert differences(demand, full) == []
    assert demand.books.dropped[Drop.IDLE] > 60
    learned = [scene.learning.seconds for scene in scenes]
    assert learned[0] >= learned[1] - INTERVAL_S - 0.01
