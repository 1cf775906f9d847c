"""Recording by the daemon: a real camera, kill -9, reload, and what is found on the disk afterwards."""

import signal
from contextlib import closing

import av
import pytest

from surveil.demo.rtp import RtpClip
from surveil.demo.rtsp_server import RtspServer
from surveil.recording.boxes import extent
from surveil.recording.files import verify
from surveil.recording.index import DATABASE, Index
from surveil.recording.reasons import Gap
from tests.integration.reloading import File, metrics, reload
from tests.integration.world import Process, wait_for
from tests.rig.clips import make_clip

pytestmark = [pytest.mark.rig, pytest.mark.slow]


@pytest.fixture(scope="module")
def cameras(tmp_path_factory):
    """A small stream to analyse and a larger one to record, both with a key frame a second."""
    folder = tmp_path_factory.mktemp("clips")
    small = make_clip(folder / "small.mp4", fps=5, gop=5)
    large = make_clip(folder / "large.mp4", size=(640, 480), fps=10, gop=10)
    with RtspServer(RtpClip(small)) as one, RtspServer(RtpClip(large)) as other:
        yield {"detect": one.url, "record": other.url}


def file(tmp_path, streams, **record):
    return File(tmp_path, {"yard": {"streams": streams, "record": record}})


def recorded(daemon):
    return sum(metrics(daemon, "surveil_recording_bytes_total").values())


def segments(tmp_path):
    with closing(Index(tmp_path / "state" / DATABASE, reading=True)) as index:
        assert not verify(index, tmp_path / "state")
        return index.all()


def sizes(tmp_path, segment):
    with av.open(str(tmp_path / "state" / segment.path)) as container:
        return {(frame.width, frame.height) for frame in container.decode(video=0)}


def test_what_was_recorded_before_kill_9_plays_and_the_next_start_goes_on(tmp_path, cameras):
    config = file(tmp_path, cameras, mode="continuous")
    with Process(config.path) as daemon:
        wait_for(lambda: recorded(daemon) > 60_000, 60)
        daemon.end(signal.SIGKILL)
    [cut_off] = (tmp_path / "state" / "recordings").rglob("*.mp4")
    whole = extent(cut_off)
    assert whole.fragments >= 1
    with Process(config.path) as daemon:
        wait_for(lambda: recorded(daemon) > 60_000, 60)
        assert daemon.end() == 0
    first, second = segments(tmp_path)
    assert (first.state, first.bytes, second.state) == ("cut", whole.bytes, "whole")
    assert second.gap == Gap.KILLED
    assert sizes(tmp_path, first) == sizes(tmp_path, second) == {(640, 480)}


def test_recording_is_switched_on_and_off_by_a_reload(tmp_path, cameras):
    config = file(tmp_path, cameras)
    with Process(config.path) as daemon:
        wait_for(lambda: metrics(daemon, "surveil_camera_state", state="streaming").get(("yard",)), 60)
        assert metrics(daemon, "surveil_recording_active") == {}
        config.whole["cameras"]["yard"]["record"] = {"mode": "continuous"}
        config.write()
        assert reload(daemon)["good"]
        wait_for(lambda: recorded(daemon) > 60_000, 60)
        assert metrics(daemon, "surveil_recording_active") == {("yard",): 1}
        config.whole["cameras"]["yard"]["record"] = {"mode": "off"}
        config.write()
        assert reload(daemon)["good"]
        wait_for(lambda: [one.state for one in segments(tmp_path)] == ["whole"], 30)
        assert daemon.end() == 0


def test_a_camera_that_hides_something_is_not_recorded(tmp_path, cameras):
    config = file(tmp_path, cameras, mode="continuous")
    yard = config.whole["cameras"]["yard"]
    yard["masks"] = {"window": {"points": [[0, 0], [0.2, 0], [0.2, 0.2]], "hide": "store"}}
    config.write()
    with Process(config.path) as daemon:
        wait_for(lambda: metrics(daemon, "surveil_camera_state", state="streaming").get(("yard",)), 60)
        assert daemon.end() == 0
    assert not (tmp_path / "state" / DATABASE).exists()


def test_what_was_recorded_is_at_the_second_place_once_it_is_whole(tmp_path, cameras):
    there = tmp_path / "there"
    there.mkdir()
    config = file(tmp_path, cameras, mode="continuous")
    config.whole["offsite"] = {"path": str(there), "same_disk": True}
    config.write()
    with Process(config.path) as daemon:
        wait_for(lambda: recorded(daemon) > 60_000, 60)
        assert daemon.end() == 0
    [whole] = segments(tmp_path)
    with Process(config.path) as daemon:
        wait_for(lambda: sum(metrics(daemon, "surveil_offsite_bytes_total").values()) == whole.bytes, 60)
        assert daemon.end() == 0
    assert (there / whole.path).read_bytes() == (tmp_path / "state" / whole.path).read_bytes()
