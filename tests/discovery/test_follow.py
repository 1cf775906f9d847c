"""A camera that got another address is read there, and the login goes to nobody more than once."""

import threading
import time
from contextlib import contextmanager
from urllib.parse import quote

import pytest
import structlog
from prometheus_client import CollectorRegistry

from surveil.app.camera_runtime import CameraRuntime
from surveil.capture.certificates import Pins
from surveil.capture.settings import StreamSettings
from surveil.clock import ManualClock, Stop, SystemClock
from surveil.config import load
from surveil.discovery.follow import Follower, Searcher
from surveil.metrics import Metrics
from surveil.ring import FrameRing
from surveil.threads import ThreadGroup
from tests.discovery.virtual import PASSWORD, USER, Local, Network, Virtual
from tests.rig.clips import make_clip
from tests.rig.rtsp_camera import Camera

pytestmark = pytest.mark.rig
LOGIN = f"{USER}:{quote(PASSWORD, safe='')}"


class World:
    """One follower of a camera that the configuration has at 127.0.7.90, where nobody is."""

    def __init__(self, serial, login=LOGIN):
        self.clock, self.found = ManualClock(), []
        self.searcher = Searcher(["127.0.0.1"], self.clock)
        self.settings = StreamSettings(url=f"rtsp://{login}@127.0.7.90:554/main?a=b", serial=serial)
        self.follower = Follower(
            "yard", self.settings, self.searcher, lambda: self.found.append(self.url), self.clock
        )

    @property
    def url(self):
        return self.follower.moved(self.settings).url

    def lose(self, cause="unreachable"):
        self.clock.advance(100)
        self.follower.lost(cause)


def test_a_camera_is_read_at_its_new_address_and_that_is_said_and_counted(tmp_path):
    clip = make_clip(tmp_path / "clip.mp4", gop=10)
    with Camera(clip, user=USER, password=PASSWORD) as camera, Network([Local(7), Virtual(8)]):
        file = tmp_path / "config.yaml"
        url = f"rtsp://{LOGIN}@127.0.7.90:{camera.port}/cam"
        file.write_text(f"version: 1\ncameras: {{yard: {{url: '{url}', serial: SN0007}}}}\n")
        its = load(file).cameras["yard"]
        registry, ring = CollectorRegistry(), FrameRing()
        metrics = Metrics(registry)
        metrics.add_camera("yard", ())
        follower = Follower(
            "yard",
            its.stream,
            Searcher(["127.0.0.1"]),
            metrics.address_changes.labels("yard").inc,
            SystemClock(),
        )
        runtime = CameraRuntime(camera=its)
        runtime.connect(ring, metrics, SystemClock(), Pins(), follower=follower)
        with structlog.testing.capture_logs() as told, threads(runtime):
            wait(lambda: runtime.state == "streaming")
        assert registry.get_sample_value("surveil_camera_address_changes_total", {"camera": "yard"}) == 1
    [line] = [line for line in told if "another address" in line["event"]]
    assert (line["camera"], line["was"], line["now"]) == ("yard", "127.0.7.90", "127.0.0.1")
    assert PASSWORD not in str(told)


@contextmanager
def threads(runtime):
    group = ThreadGroup(Stop())
    runtime.run(group)
    try:
        yield
    finally:
        runtime.stop.set()
        assert group.join_all(10, SystemClock()) == []


def wait(is_so):
    for _ in range(300):
        if is_so():
            return
        time.sleep(0.1)
    raise AssertionError("did not happen in 30 s")


def test_only_the_host_changes_and_only_of_the_camera_itself():
    world = World("SN0041")
    elsewhere = StreamSettings(url="rtsp://127.0.7.80/sub", serial="SN0041")
    with Network([Virtual(40), Virtual(41)]):
        world.lose()
    assert world.found == [f"rtsp://{LOGIN}@127.0.7.41:554/main?a=b"]
    assert world.follower.moved(elsewhere) is elsewhere


def test_a_camera_that_is_nowhere_any_more_is_expected_where_the_configuration_has_it():
    world = World("SN0042")
    with Network([Virtual(42)]):
        world.lose()
    with Network([Virtual(43)]):
        world.lose()
    assert world.url == world.settings.url
    assert len(world.found) == 1


def test_what_is_no_sign_of_another_address_searches_for_nothing():
    device = Virtual(44)
    world = World("SN0044")
    with Network([device]):
        for cause in ("stalled", "reset", "busy", "ended", "lease"):
            world.lose(cause)
    assert world.found == []


def test_a_search_is_made_once_a_minute():
    world = World("SN0045")
    world.lose()
    with Network([Virtual(45)]):
        world.follower.lost("timeout")
        assert world.found == []
        world.lose("timeout")
    assert len(world.found) == 1


def test_a_number_that_two_devices_have_leads_nowhere():
    twins = [Virtual(46), Virtual(47)]
    twins[1].serial = twins[0].serial
    world = World(twins[0].serial)
    with structlog.testing.capture_logs() as told, Network(twins):
        world.lose()
    assert world.found == []
    assert told[0]["addresses"] == ["127.0.7.46", "127.0.7.47"]


def test_a_device_that_refuses_the_login_is_not_asked_again():
    """Cameras lock an account after some attempts, and this device may be another camera."""
    other = Virtual(48)
    world = World("SN0049", login=f"{USER}:wrong")
    with Network([other, Virtual(49, login="none")]):
        for _ in range(3):
            world.lose()
    assert other.attempts == 1
    assert world.found == [f"rtsp://{USER}:wrong@127.0.7.49:554/main?a=b"]


def test_a_device_that_refuses_two_logins_is_left_alone_for_an_hour_and_told_once():
    other = Virtual(52)
    worlds = [World("SN0099", login=f"{USER}:wrong{n}") for n in range(3)]
    for world in worlds:
        world.searcher = world.follower._searcher = worlds[0].searcher

    def lose_all():
        for world in worlds:
            world.lose()

    with structlog.testing.capture_logs() as told, Network([other]):
        lose_all()
        assert other.attempts == 2
        worlds[0].clock.advance(3700)
        lose_all()
        assert other.attempts == 4
    assert [line["address"] for line in told] == [other.host]


@pytest.mark.parametrize("answers", ["slow", "head", "body"])
def test_devices_that_hang_hide_no_camera(answers):
    world = World("SN0053")
    with Network([*(Virtual(n, answers=answers, login="none") for n in (60, 61, 62)), Virtual(53)]):
        world.lose()
    assert world.found == [f"rtsp://{LOGIN}@127.0.7.53:554/main?a=b"]


def test_one_search_at_a_time():
    """The second camera searches at its next loss."""
    first, second = World("SN0050"), World("SN0051")
    second.follower._searcher = first.searcher
    thread = threading.Thread(target=first.lose)
    with Network([Virtual(50), Virtual(51)]):
        thread.start()
        wait(first.searcher._busy.locked)
        second.lose()
        assert second.found == []
        thread.join()
        second.follower.lost("refused")
    assert (len(first.found), len(second.found)) == (1, 1)


def test_a_camera_is_found_among_devices_that_make_no_sense():
    odd = [Virtual(70, date="nan-1-1"), Virtual(71, date="1e300-inf-1"), Virtual(72, date="9999-12-31")]
    world = World("SN0073")
    with structlog.testing.capture_logs() as told, Network([*odd, Virtual(73, path="/设备/服务")]):
        world.lose()
    assert world.found == [f"rtsp://{LOGIN}@127.0.7.73:554/main?a=b"]
    assert [line["event"] for line in told if line["log_level"] == "error"] == []
