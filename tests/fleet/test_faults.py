"""Faults of a fleet of three daemons, judged by the cameras: who reads, and for how long nobody does.

`python -m tests.system.fleet` draws many more of them.
"""

from __future__ import annotations

import pytest

from tests.fleet.desk import Loss
from tests.fleet.judge import Judge
from tests.fleet.machines import Fleet, frozen
from tests.integration.world import Webhook, wait_for
from tests.rig.clips import make_clip

pytestmark = [pytest.mark.rig, pytest.mark.slow]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clip") / "yard.mp4", fps=8, seconds=4.0, gop=8)


def test_a_killed_a_frozen_and_a_cut_off_node_lose_their_cameras_and_no_camera_has_two_readers(
    tmp_path, clip
):
    with (
        Webhook() as hook,
        Judge(clip, ["gate", "yard", "dock"]) as judge,
        Fleet(tmp_path, judge, "stop", hook.url) as fleet,
    ):
        fleet.settle(90)
        hung = fleet.owner("gate")
        with frozen(hung.daemon.child):
            fleet.moved("gate", hung)
        killed = fleet.owner("yard")
        killed.kill()
        fleet.moved("yard", killed)
        killed.restart()
        cut = fleet.owner("dock")
        cut.line.loses = Loss.EVERYTHING
        fleet.moved("dock", cut)
        cut.line.loses = Loss.NOTHING
        # Who returns gets a camera: each node has one then.
        wait_for(lambda: cut in map(fleet.owner, judge.cameras), 60)
        fleet.settle()
        owners = {name: fleet.owner(name).name for name in judge.cameras}
        fleet.desk.begin()
        wait_for(lambda: all(fleet.targets().values()), 60)
        assert fleet.targets() == owners, "a new coordinator moves nothing"
        assert judge.overlap_s() == 0
