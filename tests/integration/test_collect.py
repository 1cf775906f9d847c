"""`surveil collect` from running cameras: a real RTSP camera, interrupted and taken up again."""

import json
import threading
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from surveil.capture.settings import StreamSettings
from surveil.cli.root import app
from surveil.clock import Stop, SystemClock
from surveil.demo.rtp import RtpClip
from surveil.demo.rtsp_server import RtspServer
from surveil.features.normality.settings import NormalitySettings
from surveil.offline.normality.collect import Bounds, FootageCollector, learn_collected
from surveil.offline.normality.live import FootageSource, collect_live
from tests.integration.world import config_text

pytestmark = [pytest.mark.rig, pytest.mark.slow]
ALL_DAY = ("00:00-12:00", "12:00-24:00")


@pytest.fixture
def server(passing_clip):
    with RtspServer(RtpClip(passing_clip)) as server:
        yield server


@pytest.fixture(autouse=True)
def short_sketch(monkeypatch):
    monkeypatch.setattr("surveil.offline.normality.collect.SKETCH", 3)


def source(name, url, folder, seconds=3.0, **more):
    collector = FootageCollector(name, folder / name, Bounds(hours=seconds / 3600))
    return FootageSource(name=name, stream=StreamSettings(url=url), collector=collector, **more)


def test_several_cameras_are_watched_until_each_has_its_hours(server, tmp_path):
    told = []
    sources = [source(name, server.url, tmp_path) for name in ("door", "yard")]
    found = collect_live(sources, Stop(), SystemClock(), lambda camera, _found: told.append(camera))
    assert set(found) == set(told) == {"door", "yard"}
    for name, one in found.items():
        assert 3.0 <= one.seconds < 4.0
        chunk = np.load(tmp_path / name / "000001.npz")
        assert abs(float(chunk["wall"]) - time.time()) < 120
        assert (tmp_path / name / "000001.npz").stat().st_mode & 0o777 == 0o640
    assert learn_collected("door", tmp_path / "door").model.seen.last_wall > time.time() - 120


def test_what_an_interrupted_run_has_is_kept_and_gone_on_from(server, tmp_path):
    stop = Stop()
    threading.Timer(6.0, stop.set).start()
    first = collect_live([source("yard", server.url, tmp_path, 3600)], stop, SystemClock())["yard"]
    assert first.seconds > 0
    second = collect_live([source("yard", server.url, tmp_path, first.seconds + 2)], Stop(), SystemClock())
    assert second["yard"].seconds >= first.seconds + 2
    assert second["yard"].chunks > first.chunks


def test_a_camera_that_cannot_be_reached_keeps_nobody_from_stopping(tmp_path):
    stop = Stop()
    threading.Timer(1.0, stop.set).start()
    found = collect_live([source("yard", "rtsp://127.0.0.1:9/none", tmp_path)], stop, SystemClock())
    assert found["yard"].seconds == 0


def test_excluded_hours_are_left_out(server, tmp_path):
    stop = Stop()
    threading.Timer(4.0, stop.set).start()
    settings = NormalitySettings(exclude_hours=ALL_DAY)
    found = collect_live([source("yard", server.url, tmp_path, normality=settings)], stop, SystemClock())
    assert found["yard"].seconds == 0


def config(tmp_path, url):
    path = tmp_path / "config.yaml"
    path.write_text(config_text(url, tmp_path / "state"))
    return str(path)


def test_the_command_watches_a_camera_and_learns_from_it(server, tmp_path):
    path = config(tmp_path, server.url)
    run = CliRunner().invoke(app, ["collect", "yard", "-c", path, "--hours", str(4 / 3600), "--json"])
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["yard"]["seconds"] >= 4
    learned = CliRunner().invoke(app, ["normality", "learn", "yard", "-c", path])
    assert learned.exit_code == 0, learned.output
    assert "learned from 4 seconds" in learned.stdout


@pytest.mark.parametrize(
    ("targets", "says"),
    [
        (["yard", "nothing.mp4"], "nothing.mp4: is neither a camera of the configuration nor a file"),
        (["{clip}"], "name it"),
    ],
)
def test_what_is_neither_camera_nor_file_is_refused(targets, says, tmp_path, passing_clip):
    targets = [target.format(clip=passing_clip) for target in targets]
    run = CliRunner().invoke(app, ["collect", *targets, "-c", config(tmp_path, "rtsp://127.0.0.1/yard")])
    assert run.exit_code != 0
    assert says in str(run.exception) + run.output
