"""Each setting changes what it says it changes: those that no other test turns are turned here.

`python -m tests.test_settings_turned` prints the table: every setting, and the tests that turn it.
"""

from __future__ import annotations

import json
import random
import re
import threading
from collections import defaultdict
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from surveil.alerts.courier import Courier
from surveil.alerts.delivery import Context, Delivery
from surveil.alerts.outbox import Outbox
from surveil.alerts.settings import OutboxSettings
from surveil.alerts.sinks import make_sink
from surveil.alerts.sinks.base import BaseSink
from surveil.alerts.sinks.file import FileSinkSettings
from surveil.alerts.sinks.grafana import GrafanaSettings
from surveil.alerts.sinks.webhook import WebhookSettings
from surveil.clock import ManualClock
from surveil.detect.batches import planned_sizes
from surveil.detect.merge import suppress
from surveil.detect.session import RunOn, _cuda_options
from surveil.detect.settings import ModelSettings
from surveil.detect.spec import InputSpec, Preprocess
from surveil.errors import RetryLater
from surveil.features.counting.live import CameraCounts
from surveil.features.counting.settings import CountingSettings
from surveil.features.registry import RULES, build_rules
from surveil.track.settings import TrackSettings
from surveil.track.tracker import Tracker
from surveil.types import Detections, GateDecision
from surveil.vision.background import Background
from tests import scenes
from tests.alerts.helpers import Receiver, alert
from tests.alerts.servers import Grafana, make_certificate, server_tls
from tests.rules.test_moves import ARROW, drive, rule_of
from tests.rules.test_things import found, person, scene
from tests.rules.test_things import rule_of as thing_rule
from tests.schema import setting_names
from tests.vision.drawn import Camera
from tests.vision.test_health import SCENE, Watch, covered, shifted, usual
from tests.vision.test_motion import gate, run

TESTS = Path(__file__).parent


def faults(watch: Watch) -> set[str]:
    return {state.value for state in watch.raised}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "turned", "picture"),
    [
        ("dark", {"dark_below": 80.0}, SCENE * 0.3),
        ("bright", {"bright_above": 120.0}, SCENE * 0.3 + 140),
        ("blurred", {"sharpness_below": 0.95}, cv2.GaussianBlur(SCENE, (0, 0), 1.6)),
        ("covered", {"covered_above": 0.08}, covered(0.18)),
        ("moved", {"moved_above": 0.004}, shifted(0.008)),
    ],
)
def test_a_threshold_of_picture_health_decides(fault, turned, picture):
    assert fault not in faults(usual().see(8.0, picture))
    assert fault in faults(usual(**turned).see(8.0, picture))


@pytest.mark.slow
def test_the_noise_and_the_grain_that_are_tolerated_are_settings():
    assert faults(Watch(noise=6.0).see(10.0, SCENE)) == set()
    assert faults(Watch(noise=6.0, noise_above=1.0).see(10.0, SCENE)) == {"noise"}

    def calmer(**settings):
        watch = Watch(noise=1.0, **settings).see(60.0, SCENE)
        watch.camera = Camera(noise=0.6)
        return faults(watch.see(20.0, SCENE))

    assert "frozen" not in calmer()
    assert "frozen" in calmer(frozen_share=0.9)


def test_what_stands_still_becomes_background_as_fast_as_told():
    empty = np.full((90, 160), 120, np.uint8)
    parked = empty.copy()
    parked[30:60, 60:100] = 40

    def change_when_it_leaves(absorb_s):
        background = Background(empty, 8, absorb_s=absorb_s)
        for plane in [empty] * 20 + [parked] * 25:
            background.update(plane, 0.2)
        mask = background.update(empty, 0.2).mask
        return 0 if mask is None else np.count_nonzero(mask)

    assert change_when_it_leaves(0.5) > change_when_it_leaves(120.0) == 0


def test_how_much_of_the_picture_must_change_to_be_a_change_of_light_is_a_setting():
    half = SCENE.copy()
    half[:, :640] = np.clip(half[:, :640] * 1.8, 0, 255)
    said = {
        share: {m.gate for m in run(gate(global_share=share), [SCENE] * 20 + [half] * 3)[20:]}
        for share in (0.3, 0.9)
    }
    assert GateDecision.CLOSED_GLOBAL in said[0.3]
    assert GateDecision.CLOSED_GLOBAL not in said[0.9]


def test_how_far_from_the_arrow_is_wrong_is_a_setting():
    across = {
        degrees: drive(rule_of("wrong_way", way=ARROW, tolerance_deg=degrees), (0.0, 0.2), start=(0.6, 0.1))
        for degrees in (70, 170)
    }
    assert across[70] != []
    assert across[170] == []


def test_who_attends_a_thing_and_from_where_are_settings():
    alone = [scene(float(t), person(7, 700)) for t in range(15)]
    assert found(thing_rule("left_object", attended_radius=0.5), alone) != []
    assert found(thing_rule("left_object", attended_radius=5.0), alone) == []
    dog = [scene(float(t), person(7, 400, label="dog")) for t in range(15)]
    assert found(thing_rule("left_object"), dog) != []
    assert found(thing_rule("left_object", attended_by=("dog",)), dog) == []


def test_the_anchor_says_which_part_of_a_box_counts():
    high = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5))
    tall = scenes.track(1, 0.5, 0.6, height=200)  # foot at .6, centre at .4 of the picture's height
    for anchor, inside in (("foot", False), ("centre", True)):
        made = RULES["intrusion"].settings(type="intrusion", zone="high", anchor=anchor, after_s=0.0)
        (rule,) = build_rules([made], {"high": high}, {})
        signals = [s for i in range(10) for s in rule.signals(scenes.scene(i / 5, tall))]
        assert bool(signals) is inside
        counts = CameraCounts(CountingSettings(enabled=True, anchor=anchor), {"high": high}, {})
        assert bool(counts.update([tall], scenes.SIZE, 0.0).occupancy["high", "person"]) is inside


def one_box(score: float, x: float = 100.0) -> Detections:
    box = np.array([[x, 100.0, x + 40, 200.0]], np.float32)
    return Detections(box, np.array([score], np.float32), np.array([0], np.int32))


def tracked(script, **settings) -> list[int]:
    """How many tracks there are after each (t, score or None) of somebody who does not move."""
    tracker = Tracker(TrackSettings(**settings))
    nothing = Detections.empty()
    return [
        len(tracker.update(nothing if score is None else one_box(score), t, ("person",)))
        for t, score in script
    ]


@pytest.mark.parametrize(
    ("turned", "script", "then", "now"),
    [
        ({"certain_score": 0.5}, [(0.0, 0.55), (0.2, 0.55)], 0, 1),
        ({"confirm_within_s": 4.0}, [(0.0, 0.9), (1.5, None), (1.8, 0.9)], 0, 1),
        ({"low_score": 0.05}, [(0.0, 0.9), (0.2, 0.9), (0.6, 0.1), (1.0, 0.1)], 0, 1),
    ],
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else "",
)
def test_a_score_or_time_of_the_tracker_decides(turned, script, then, now):
    assert (tracked(script)[-1], tracked(script, **turned)[-1]) == (then, now)


def test_a_walker_who_is_missed_counts_for_as_long_as_told():
    def there(**settings):
        tracker = Tracker(TrackSettings(**settings))
        for i in range(10):
            tracker.update(one_box(0.9, 100 + 15 * i), i / 5, ("person",))
        tracker.update(Detections.empty(), 2.0, ("person",))
        return len(tracker.update(Detections.empty(), 2.4, ("person",)))

    assert (there(coast_s=0.1), there(coast_s=2.0)) == (0, 1)


def test_a_missed_track_keeps_its_id_for_as_long_as_told():
    def ids(**settings):
        tracker = Tracker(TrackSettings(**settings))
        times = [0.0, 0.2, 0.4, 5.4, 5.6, 5.8]
        boxes = [one_box(0.9, 100 + 20 * t) for t in times]
        return {
            t.id for at, box in zip(times, boxes, strict=True) for t in tracker.update(box, at, ("person",))
        }

    assert len(ids(lost_s=1.0)) == 2
    assert len(ids(lost_s=20.0)) == 1


def test_how_far_two_boxes_may_overlap_is_a_setting():
    two = Detections(
        np.array([[0, 0, 100, 100], [40, 0, 140, 100]], np.float32),
        np.array([0.9, 0.8], np.float32),
        np.array([0, 0], np.int32),
    )
    assert [len(suppress(two, ModelSettings(overlap=most).overlap)) for most in (0.3, 0.6)] == [1, 2]


def test_the_memory_of_a_gpu_is_limited_where_told():
    assert "gpu_mem_limit" not in _cuda_options(RunOn())
    assert _cuda_options(RunOn(gpu_memory_mb=512))["gpu_mem_limit"] == str(512 * 2**20)


def test_the_largest_batch_of_a_gpu_is_a_setting():
    spec = InputSpec(
        name="x", width=32, height=32, layout="nchw", dtype="float32", batch=None, preprocess=Preprocess()
    )
    for most in (8, 2):
        settings = ModelSettings(max_batch=most)
        assert max(planned_sizes(spec, "CUDAExecutionProvider", settings.max_batch)) == most


def test_the_first_pause_of_a_sink_is_a_setting(tmp_path):
    clock = ManualClock()
    with closing(Outbox.open(tmp_path / "outbox.db", ["ops"], clock)) as outbox:
        outbox.committer.commit([alert(0)])
        pauses = {}
        for first in (2.0, 16.0):
            sink, told = Refusing(Context()), OutboxSettings(backoff_s=first)
            courier = Courier("ops", sink, outbox, clock, told, rng=random.Random(1))
            courier.run_once()
            pauses[first] = courier.waits_s()
    assert pauses[16.0] == pytest.approx(8 * pauses[2.0], rel=0.01)


class Refusing(BaseSink):
    """A sink that takes nothing."""

    def deliver(self, delivery: Delivery) -> None:
        raise RetryLater("no")

    def close(self) -> None:
        pass


def test_an_annotation_belongs_to_the_dashboard_that_is_named():
    grafana = Grafana()
    with Receiver(answer=grafana) as api:
        for n, more in enumerate(({}, {"dashboard_uid": "abc"})):
            settings = GrafanaSettings(url=api.url.removesuffix("/hook"), token="t0ken", **more)
            make_sink(settings, Context()).deliver(Delivery(alert(n)))
    assert [one.get("dashboardUID") for one in grafana.annotations] == [None, "abc"]


@pytest.mark.parametrize("sync", [True, False])
def test_lines_of_a_file_are_synced_where_told(tmp_path, monkeypatch, sync):
    synced: list[int] = []
    monkeypatch.setattr("os.fdatasync", synced.append)
    sink = make_sink(FileSinkSettings(path=Path("alerts.jsonl"), sync=sync), Context(state_dir=tmp_path))
    sink.deliver(Delivery(alert(0)))
    sink.close()
    assert bool(synced) is sync


def test_a_certificate_that_nobody_vouches_for_is_taken_only_where_told(tmp_path):
    tls = server_tls(*make_certificate(tmp_path))
    server = HTTPServer(("127.0.0.1", 0), Answering)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        url = f"https://127.0.0.1:{server.server_address[1]}/"
        with pytest.raises(RetryLater, match=r"(?i)certificate"):
            make_sink(WebhookSettings(url=url), Context(state_dir=tmp_path)).deliver(Delivery(alert(0)))
        make_sink(WebhookSettings(url=url, verify_tls=False), Context(state_dir=tmp_path)).deliver(
            Delivery(alert(0))
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Answering(BaseHTTPRequestHandler):
    """Says yes to every alert."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


# The table.

UNTURNED = {"version", "defaults"}
"""Of the file itself: what they say is tried by every test that loads a file."""


def turned_by() -> dict[str, list[str]]:
    """Return for every setting the files of tests that give it a value."""
    given = re.compile(r'"(\w+)"|\b(\w+)=|(?:^ *|[{,] *)(\w+): ', re.MULTILINE)
    wanted, table = setting_names(), defaultdict[str, list[str]](list)
    for path in sorted(TESTS.rglob("*.py")):
        words = {next(filter(None, match.groups())) for match in given.finditer(path.read_text())}
        for name in words & wanted:
            table[name].append(str(path.relative_to(TESTS)))
    return {name: table[name] for name in sorted(wanted)}


def test_every_setting_is_turned_by_a_test():
    assert {name for name, files in turned_by().items() if not files} - UNTURNED == set()


if __name__ == "__main__":
    print(json.dumps(turned_by(), indent=1))
