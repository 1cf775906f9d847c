"""A stream is measured as it is, and fails for the same cause as in the daemon."""

from __future__ import annotations

import socket

import pytest

from surveil.app.probe.stream import probe_stream
from surveil.capture.settings import StreamSettings
from surveil.clock import Stop, SystemClock
from tests.capture.watch import QUICK, Watch
from tests.rig.fixtures import PASSWORD
from tests.rig.rtsp_camera import Camera

pytestmark = [pytest.mark.rig, pytest.mark.usefixtures("no_file_left_open")]


def probed(url, seconds=1.5, *, decode=True, **settings):
    stream = StreamSettings(url=str(url), **settings)
    return probe_stream(stream, SystemClock(), Stop(), seconds=seconds, decode=decode)[0]


@pytest.mark.parametrize("codec", ["h264", "hevc", "mjpeg"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_what_a_stream_is(clips, codec, transport) -> None:
    with Camera(clips[codec]) as camera:
        report = probed(camera.url, transport=transport)
    assert (report.ok, report.state, report.cause, report.message) == (True, "streaming", None, "")
    assert (report.reachable, report.login) == (True, "none")
    assert (report.codec, report.transport, report.decoder) == (codec, transport, "software")
    assert (report.width, report.height) == (320, 240)
    # How fast a camera sends on a busy machine is its own affair: rates are tried in test_rates.
    assert report.fps > 1
    assert report.gop_frames == (1 if codec == "mjpeg" else 10)
    assert report.gop_s == pytest.approx(report.gop_frames / report.fps, rel=0.1)
    assert 0 < report.open_s <= report.first_picture_s
    assert report.damage == 0
    assert report.cpu_ms > 0
    assert report.key_cpu_ms > 0
    assert report.bits_per_second > 1000


def test_the_profile_and_the_login_are_told(camera) -> None:
    report = probed(camera.url)
    assert (report.profile, report.login) == ("Constrained Baseline", "accepted")
    assert PASSWORD not in repr(report)


def test_the_camera_s_clock_is_compared_with_ours(camera) -> None:
    camera("skew 90")
    assert probed(camera.url).clock_skew_s == pytest.approx(90, abs=2)


@pytest.mark.parametrize("rate", [0.0, 0.4, 1.0])
def test_how_fast_the_stamps_run_is_measured_and_nothing_is_late(camera, rate) -> None:
    camera(f"rate {rate}")
    report = probed(camera.url, seconds=1.5)
    assert report.stamp_rate == pytest.approx(rate, abs=0.15)
    assert (report.state, report.damage) == ("streaming", 0)
    assert report.lag_s < 0.5


def test_loss_on_udp_is_seen(camera) -> None:
    camera("drop 0.1")
    assert probed(camera.url, transport="udp").damage > 0


def test_a_second_key_frame_that_does_not_come_is_told(clips) -> None:
    with Camera(clips["long_gop"]) as camera:
        report = probed(camera.url, seconds=0.5)
    assert (report.ok, report.gop_frames, report.gop_s) == (True, None, None)
    assert report.gop_longer_than_s >= 0.9


def test_of_the_stream_for_clips_only_key_frames_are_decoded(camera) -> None:
    report = probed(camera.url, decode=False)
    assert (report.ok, report.width, report.cpu_ms) == (True, 320, None)
    assert 0 < report.pictures < 10
    assert report.fps > 1


def test_a_recording_is_read_as_far_as_it_needs(clips) -> None:
    report = probed(clips["h264"])
    assert (report.ok, report.reachable, report.login, report.transport) == (True, None, None, "file")
    assert (report.fps, report.gop_frames, report.clock_skew_s) == (15.0, 10, None)


# The same cause as in the daemon.


def wrong_password(camera, _folder):
    return camera.plain_url.replace("//", "//joe:wrong@")


def no_login(camera, _folder):
    return camera.plain_url


def unknown_path(camera, _folder):
    return camera.url.replace("/cam", "/nope")


def closed_port(_camera, _folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"rtsp://127.0.0.1:{free.getsockname()[1]}/cam"


def hung_host(camera, _folder):
    camera("hang")
    return camera.url


def stall(camera, _folder):
    camera("freeze")
    return camera.url


def no_tls(camera, _folder):
    return camera.url.replace("rtsp://", "rtsps://")


def unknown_host(_camera, _folder):
    return "rtsp://camera.invalid/cam"


def missing_file(_camera, folder):
    return folder / "none.mp4"


def empty_folder(_camera, folder):
    (folder / "empty").mkdir()
    return folder / "empty"


def no_video(_camera, folder):
    (folder / "notes.mp4").write_text("this is no video")
    return folder / "notes.mp4"


def no_webcam(_camera, _folder):
    return "/dev/video99"


CAUSES = {
    wrong_password: "unauthorized",
    no_login: "unauthorized",
    unknown_path: "not_found",
    closed_port: "refused",
    hung_host: "timeout",
    stall: "stalled",
    no_tls: "tls",
    unknown_host: "unreachable",
    missing_file: "not_found",
    empty_folder: "no_video",
    no_video: "damaged",
    no_webcam: "not_found",
}


@pytest.mark.parametrize("fault", CAUSES, ids=lambda fault: fault.__name__)
def test_a_fault_has_the_cause_that_the_daemon_names(camera, tmp_path, fault) -> None:
    url = str(fault(camera, tmp_path))
    report = probed(url, **QUICK)
    assert (report.ok, report.state, report.cause) == (False, "lost", CAUSES[fault])
    with Watch(url) as daemon:
        daemon.until_lost(CAUSES[fault])
        assert report.message == daemon.loop.status.error
    assert PASSWORD not in report.message


def test_only_silence_is_unreachable(camera, tmp_path) -> None:
    found = {
        fault.__name__: probed(fault(camera, tmp_path), **QUICK) for fault in (closed_port, wrong_password)
    }
    assert {name: (r.reachable, r.login) for name, r in found.items()} == {
        "closed_port": (False, None),
        "wrong_password": (True, "refused"),
    }


def test_the_end_that_is_asked_for_comes_at_once(camera) -> None:
    stop = Stop()
    stop.set()
    report, _ = probe_stream(StreamSettings(url=camera.url), SystemClock(), stop, seconds=60)
    assert report.pictures == 0
