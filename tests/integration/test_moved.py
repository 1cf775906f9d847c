"""A camera that somebody turns: what stands on its view is held, somebody is told, and the operator may accept."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from surveil.alerts.outbox import Outbox
from surveil.app.replay import Replay
from surveil.clock import SystemClock
from surveil.config import load
from surveil.demo.clip import write_clip
from surveil.demo.rtp import RtpClip
from surveil.demo.rtsp_server import RtspServer
from surveil.demo.scene import DrawnScene
from surveil.detect.settings import ModelSettings
from surveil.features.counting.report import counted
from surveil.models.store import ModelStore, open_detector
from tests.integration.test_command_line import surveil
from tests.integration.world import Process, Webhook, config_text, wait_for

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Turned:
    """A scene whose camera looks elsewhere from and to these times, s."""

    scene: DrawnScene
    away: tuple[float, float]

    def __getattr__(self, name):
        return getattr(self.scene, name)

    def frame(self, i):
        picture = self.scene.frame(i)
        if not self.away[0] <= i / self.scene.fps < self.away[1]:
            return picture
        shift = np.array([[1, 0, 0.15 * picture.shape[1]], [0, 1, 0]], np.float32)
        return cv2.warpAffine(picture, shift, picture.shape[1::-1], borderMode=cv2.BORDER_REFLECT_101)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory):
    """Four people cross the picture; the camera is turned while the second one does."""
    folder = tmp_path_factory.mktemp("moved")
    scene = DrawnScene.passing(seed=3, people=4, size=(640, 360), fps=10)
    second = scene.walkers[1]
    write_clip(folder / "clip.mp4", Turned(scene, (second.arrives, second.leaves)))
    config = folder / "config.yaml"
    window = {"window": {"points": [[0.0, 0.0], [0.1, 0.0], [0.1, 0.1], [0.0, 0.1]], "hide": "store"}}
    config.write_text(
        config_text(str(folder / "clip.mp4"), folder / "state", counting={"enabled": True}, masks=window)
    )
    detector = open_detector(ModelSettings(), ModelStore(folder / "models"))
    result = Replay(load(config), "yard", detector, folder / "state").run([folder / "clip.mp4"])
    return folder / "state", result.alerts, scene


def test_who_crosses_while_it_looks_elsewhere_is_held_and_counted_as_held(replayed):
    state, alerts, scene = replayed
    crossed = [a.t for a in alerts if a.rule == "line_crossing" and a.phase == "start"]
    truth = [c.t for c in scene.crossings("gate")]
    # The third one comes at the moment from which the picture is sure to be back: either is right.
    told = [any(t == pytest.approx(true, abs=1.0) for t in crossed) for true in truth]
    assert (told[0], told[1], told[3]) == (True, False, True)
    assert len(crossed) == sum(told)
    outbox = Outbox.open(state / "surveil.db", [], SystemClock())
    held = {e.rule: n for e, n in outbox.ledger.totals().items() if e.reason == "moved"}
    outbox.close()
    assert held["line_crossing"] >= 1
    assert held["intrusion"] > 10


def test_it_is_told_once_though_no_rule_asks_for_it(replayed):
    state, alerts, scene = replayed
    told = [a for a in alerts if a.rule == "camera_moved"]
    assert [a.phase for a in told] == ["start", "end"]
    assert 0 <= told[0].t - scene.walkers[1].arrives <= 5.0
    assert told[0].text.startswith("the camera was turned or shifted by 15%")
    before, both = (cv2.imread(str(state / told[0].evidence[kind])) for kind in ("before", "snapshot"))
    assert before.shape == (360, 640, 3)
    assert both.shape[1] > 1280


def test_nothing_is_stored_of_a_view_in_which_what_must_not_be_is_somewhere_else(replayed):
    state, alerts, _ = replayed
    told = next(a for a in alerts if a.rule == "camera_moved")
    now, before = (cv2.imread(str(state / told.evidence[kind])) for kind in ("clean", "before"))
    assert now.max() == 0
    assert before[5:30, 5:55].std() < 5
    assert before[100:].std() > 20


def test_nobody_is_counted_where_the_places_do_not_fit(replayed):
    state, *_ = replayed
    assert sum(row.count for row in counted(state) if row.kind == "crossing") == 2


@pytest.mark.rig
def test_the_operator_accepts_the_new_view_of_a_running_daemon(tmp_path):
    # The camera goes on whether or not anybody looks: the daemon may come in either view.
    scene = DrawnScene.still(size=(640, 360), fps=10, seconds=50)
    write_clip(tmp_path / "clip.mp4", Turned(scene, (25.0, 50.0)))
    with RtspServer(RtpClip(tmp_path / "clip.mp4")) as camera, Webhook() as hook:
        config = tmp_path / "config.yaml"
        config.write_text(config_text(camera.url, tmp_path / "state", hook.url))
        with Process(config) as daemon:
            start = wait_for(lambda: hook.starts("camera_moved"), 90)[0]
            done = surveil("cameras", "accept", "yard", "-c", config)
            assert (done.returncode, done.stderr) == (0, "")
            end = wait_for(lambda: [a for a in hook.alerts if a["phase"] == "end"], 30)[0]
            assert daemon.end() == 0
    assert end["event_id"] == start["event_id"]
    messages = [record["event"] for record in daemon.records()]
    told = [m for m in messages if "reference" in m]
    assert [m.split(":")[0] for m in told[:3]] == [
        "camera view differs from the reference",
        "accepted the current view as the new reference",
        "camera view matches the reference again, rules resumed",
    ]


def test_accepting_without_a_daemon_or_a_camera_is_told(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(config_text("rtsp://127.0.0.1:9/a", tmp_path / "state"))
    Outbox.open(tmp_path / "state" / "surveil.db", [], SystemClock()).close()
    done = surveil("cameras", "accept", "yard", "-c", config)
    assert done.returncode == 1
    assert "no running daemon has taken it" in done.stderr
    done = surveil("cameras", "accept", "yrad", "-c", config)
    assert done.returncode == 78
    assert "did you mean 'yard'?" in done.stderr
