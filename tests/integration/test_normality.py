"""Learned normality in the daemon's own stages: when it may learn, and when it may not."""

import json
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from surveil.alerts.outbox import Outbox
from surveil.alerts.payload import to_json
from surveil.app.assembly import make_pipeline
from surveil.app.evidence_store import EvidenceStore
from surveil.app.replay import START_WALL, Replay
from surveil.capture.picture import ArrayPicture
from surveil.clock import ManualClock, Stop
from surveil.config import load
from surveil.features.base import Shared
from surveil.features.normality.draw import TITLE
from surveil.features.normality.learning import PauseReason
from surveil.features.normality.result import NormalityState
from surveil.features.normality.scene import Scenes
from surveil.features.normality.settings import NormalitySettings
from surveil.lane import Lost
from surveil.metrics import Metrics
from surveil.types import Frame
from tests.integration.world import config_text
from tests.normality.drawn import WALKERS, Walker, model, picture

pytestmark = pytest.mark.slow
GENEROUS = 2000.0
"""A budget that a minute and a half of footage supports."""
RUNNER = (*WALKERS, Walker(0, 110, 110))


def configured(tmp_path, url="rtsp://127.0.0.1/yard", **camera):
    path = tmp_path / "config.yaml"
    path.write_text(config_text(url, tmp_path / "state", **camera))
    return load(path)


class Stages:
    """The daemon's stages for one camera, called one after another."""

    def __init__(self, config, detector, folder, loaded=None):
        self.clock = ManualClock(wall=START_WALL)
        self.metrics = Metrics(CollectorRegistry())
        self.outbox = Outbox.open(folder / "surveil.db", [], self.clock, config.outbox)
        archive = EvidenceStore(folder, self.outbox, config.storm, self.metrics, self.clock, clips=False)
        archive.keep(config.cameras["yard"])
        shared = Shared(self.metrics, self.clock)
        camera = config.cameras["yard"]
        self.scene = shared.get(Scenes).of("yard", camera.section(NormalitySettings))
        self.alerts = []
        self.pipeline = make_pipeline(
            config,
            detector,
            archive.writer,
            shared,
            on_alerts=self.alerts.extend,
        )
        if loaded:
            self.scene.offer(loaded)
        self._seq = 0

    def see(self, grey, t):
        bgr = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
        self._seq += 1
        self.pipeline.ring.put(
            Frame(camera="yard", seq=self._seq, t=t, t_wall=START_WALL + t, picture=ArrayPicture(bgr))
        )
        self._run()

    def watch(self, seconds, start, draw=picture, fps=5.0):
        for i in range(round(seconds * fps)):
            self.see(draw(start + i / fps), start + i / fps)

    def lose(self, t):
        self.pipeline.ring.lose(Lost(camera="yard", t=t, t_wall=START_WALL + t, cause="network"))
        self._run()

    def _run(self):
        slot = self.pipeline.ring.take(Stop())
        self.pipeline.prepare.process(slot)
        if len(self.pipeline.detect.inbox):
            self.pipeline.detect.process(self.pipeline.detect.inbox.take(1))
        for item in self.pipeline.analyse.inbox.take(64):
            self.pipeline.analyse.process(item)
        while len(self.pipeline.commit.inbox):
            self.pipeline.commit.process(self.pipeline.commit.inbox.take(1))

    def value(self, name, **labels):
        return self.metrics.registry.get_sample_value(name, {"camera": "yard", **labels})

    def held(self, reason):
        return self.value("surveil_normality_held_seconds_total", reason=reason.value)


@pytest.fixture
def stages(tmp_path, detector):
    made = []

    def make(rules, loaded=None, **normality):
        settings = {"enabled": True, "budget": GENEROUS} | normality
        config = configured(tmp_path, rules=rules, normality=settings, detect={"fps": 30})
        made.append(Stages(config, detector, tmp_path, loaded))
        return made[-1]

    yield make
    for one in made:
        one.outbox.close()


def test_nothing_is_learned_while_an_event_of_another_rule_is_open(
    detector, passing_clip, tmp_path, monkeypatch
):
    monkeypatch.setattr("surveil.features.normality.learning.SKETCH", 2)
    config = configured(tmp_path, str(passing_clip), normality={"enabled": True})
    replay = Replay(config, "yard", detector, tmp_path)
    result = replay.run([passing_clip])
    ends = [a for a in result.alerts if a.phase == "end" and a.rule == "intrusion"]
    # It is open from `after_s` on until it has not been signalled for `linger_s`.
    rule = next(r for r in config.cameras["yard"].rules if r.type == "intrusion")
    open_s = sum(a.details["duration_s"] - rule.after_s + rule.linger_s for a in ends)
    values = replay.metrics.registry.get_sample_value
    held = values("surveil_normality_held_seconds_total", {"camera": "yard", "reason": "alarm"})
    assert held == pytest.approx(open_s, rel=0.15)
    learned = values("surveil_normality_learned_seconds", {"camera": "yard"})
    assert 0 < learned <= result.seconds - held + 1.0


def test_an_alarm_explains_itself_and_stays_in_the_count(stages, tmp_path):
    yard = stages([{"type": "anomaly"}], model())
    yard.watch(4, 200, lambda t: picture(t, RUNNER), fps=10)
    (alert,) = [a for a in yard.alerts if a.phase == "start"]
    assert alert.rule == "anomaly"
    assert re.fullmatch(
        r"(.+ the usual speed here|moves .+|.+ hardly any); (once in|nothing like it) .+", alert.text
    )
    assert alert.details["model_sha256"] == model().sha256
    assert alert.details["measured"] > alert.details["usual"]
    shown = cv2.imread(str(tmp_path / alert.evidence["explained"]))
    # Two pictures of 360 rows beside each other, with two lines of text.
    assert shown.shape == (360 + 2 * TITLE, 2 * 480, 3)
    picture_part = shown[2 * TITLE :, :480].astype(int)
    red = (picture_part[..., 2] > 200) & (picture_part[..., 0] < 80) & (picture_part[..., 1] < 80)
    box = np.array(alert.box) * 1.5
    rows, columns = np.nonzero(red)
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == pytest.approx(box, abs=4)
    assert json.loads(to_json(alert))["details"]["model"] == model().name
    assert yard.scene.learning.holding is None
    assert yard.scene.learning.freeze().seen.seconds == pytest.approx(3.9, abs=0.2)


def test_a_lost_camera_learns_nothing_across_the_hole(stages):
    yard = stages([{"type": "anomaly"}], model())
    yard.watch(4, 200)
    before = yard.scene.learning.freeze().seen.seconds
    yard.lose(204.2)
    assert yard.scene.learning.holding.reason is PauseReason.LOST
    yard.watch(4, 504.2)
    learned = yard.scene.learning.freeze()
    assert yard.scene.learning.holding is None
    assert learned.seen.seconds == pytest.approx(2 * before, abs=0.3)
    assert [b.follows for b in learned.blocks if b.frames] == [True, False]


def test_a_covered_camera_is_neither_learned_from_nor_judged_and_keeps_its_model(stages):
    yard = stages([{"type": "anomaly"}, {"type": "picture"}], model())
    yard.watch(15, 200)
    covered = np.full((240, 320), 60, np.uint8)
    cv2.randn(noise := np.zeros_like(covered, np.int16), 0, 2)
    yard.watch(80, 215, lambda _t: np.clip(covered + noise, 0, 255).astype(np.uint8))
    assert {a.rule for a in yard.alerts} == {"picture"}
    assert yard.scene.learning.holding.reason is PauseReason.PICTURE
    assert yard.held(PauseReason.PICTURE) > 60
    assert yard.value("surveil_normality_state", state="invalid") == 1
    assert yard.value("surveil_normality_alerting") == 0
    yard.watch(12, 295)
    assert yard.scene.learning.holding is None
    assert yard.value("surveil_normality_alerting") == 1, "the model was kept"


def test_excluded_hours_are_counted_by_their_reason(stages):
    yard = stages([{"type": "anomaly"}], model(), exclude_hours=["00:00-12:00", "12:00-24:00"])
    yard.watch(3, 200)
    assert yard.held(PauseReason.HOURS) == pytest.approx(2.8, abs=0.3)
    with pytest.raises(ValueError, match="nothing to learn from"):
        yard.scene.learning.freeze()


def test_how_far_it_is_can_be_seen(stages):
    yard = stages([{"type": "anomaly"}], budget=0.5)
    yard.watch(3, 0)
    assert yard.value("surveil_normality_state", state=NormalityState.LEARNING.value) == 1
    assert yard.value("surveil_normality_progress_ratio") == 0
    assert yard.value("surveil_normality_threshold") == float("inf")
    loaded = model()
    yard.scene.offer(replace(loaded))
    yard.watch(3, 3)
    seen = loaded.model.seen.seconds
    assert yard.value("surveil_normality_learned_seconds") == pytest.approx(seen + 3, abs=1.5)
    assert yard.value("surveil_normality_progress_ratio") == pytest.approx(seen / (40 * 86400), rel=0.1)
