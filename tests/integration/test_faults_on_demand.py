"""A camera of which only key frames are looked at tells of a frozen picture hardly later than one decoded in full."""

import numpy as np
import pytest

from benchmarks.rehearsal import play_both
from surveil.detect.settings import ModelSettings
from surveil.models.store import ModelStore, open_detector
from surveil.ring import Drop
from tests.rig.clips import background, make_clip

FPS, SIZE = 10, (320, 240)


def freezes_at(moment):
    """Return a scene with grain that stands still from a moment on, s."""

    def drawn(number, width, height):
        noise = np.random.default_rng(min(number, round(moment * FPS))).normal(0, 2.5, (height, width, 1))
        return np.clip(background(width, height) + noise, 0, 255).astype(np.uint8)

    return drawn


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return open_detector(ModelSettings(), ModelStore(tmp_path_factory.mktemp("models")))


@pytest.mark.slow
def test_a_frozen_picture_is_told_at_most_a_group_of_pictures_later(detector, tmp_path):
    film = {"fps": FPS, "seconds": 50.0, "gop": 2 * FPS, "scene": freezes_at(40.2)}
    clip = make_clip(tmp_path / "clip.mp4", "h264", SIZE, **film)
    demand, full = play_both(clip, detector, rules=[{"type": "picture"}], idle_reaction_s=2.0)
    assert demand.books.dropped[Drop.IDLE] > 200
    told = [
        next(a.t + late for a, late in zip(p.alerts, p.late_s, strict=True) if a.key == "frozen")
        for p in (demand, full)
    ]
    assert 40.2 < told[1] <= told[0] <= told[1] + 2.0
