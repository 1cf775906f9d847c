"""What a camera has learned is in use where it moves to: alerts come again without anything being learned there."""

import time

import cv2
import numpy as np
import pytest

from surveil.features.normality.store import NormalityStore
from surveil.fleet.shelf import Shelf
from tests.fleet.judge import Judge
from tests.fleet.machines import Fleet
from tests.integration.world import Webhook, wait_for
from tests.normality.drawn import FRAME, WALKERS, Walker, model, picture
from tests.rig.clips import make_clip

pytestmark = [pytest.mark.rig, pytest.mark.slow, pytest.mark.timeout(450)]
FPS = 8
RUNNER = (*WALKERS, Walker(0, 110, 110))
LEARNS = {
    "detect": {"fps": FPS},
    # The budget is one that a minute of footage supports.
    "normality": {"enabled": True, "budget": 2000.0},
    "rules": [{"type": "anomaly"}],
}
AGAIN_S = 60.0
"""Far less than learning takes."""


def running(number, _width, _height):
    grey = picture(number / FPS, RUNNER)
    return np.ascontiguousarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB))


def parts_in(store):
    entry = Shelf(store, "learned/yard").newest()
    return entry.parts if entry else {}


def test_alerts_on_what_is_unusual_come_again_within_a_minute_of_a_move(tmp_path):
    clip = make_clip(tmp_path / "yard.mp4", size=FRAME, fps=FPS, seconds=12.0, gop=FPS, scene=running)
    with (
        Webhook() as hook,
        Judge(clip, ["yard"]) as judge,
        Fleet(tmp_path, judge, "stop", hook.url, machines=2, more=LEARNS) as fleet,
    ):

        def alerts_of(epoch):
            return [alert for alert in hook.starts("anomaly") if alert["details"]["epoch"] == epoch]

        fleet.settle()
        first = fleet.owner("yard")
        epoch = fleet.epoch("yard")
        NormalityStore(first.state, "yard").deploy(model(40.0, t_wall=time.time() - AGAIN_S).model)
        wait_for(lambda: alerts_of(epoch), AGAIN_S)
        wait_for(lambda: "normality" in parts_in(fleet.store))
        first.kill()
        fleet.moved("yard", first)
        wait_for(lambda: alerts_of(fleet.epoch("yard")), AGAIN_S)
        second = NormalityStore(fleet.owner("yard").state, "yard")
        assert second.path().read_bytes() == NormalityStore(first.state, "yard").path().read_bytes()
