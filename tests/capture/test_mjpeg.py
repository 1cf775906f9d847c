"""MJPEG over HTTP carries no time: the rate is what arrives, whatever FFmpeg makes up."""

from __future__ import annotations

import av
import pytest

from surveil.capture.packets import PacketRing, mux
from surveil.demo.rtp import RtpClip
from tests.capture.watch import Watch
from tests.rig.mjpeg_camera import MjpegCamera

pytestmark = [pytest.mark.rig, pytest.mark.usefixtures("no_file_left_open")]


def rate(watch: Watch) -> float:
    """Frames a second by `t`, without the first, which were waiting in a buffer."""
    frames = watch.frames[10:]
    return (len(frames) - 1) / (frames[-1].t - frames[0].t)


@pytest.mark.parametrize("fps", [10, 30])
@pytest.mark.parametrize("path", ["/video", "/raw"])
def test_a_stream_keeps_up_at_its_own_rate(path, fps) -> None:
    """FFmpeg stamps such pictures at 25 a second: at 10 the camera seemed 3 s behind after 5 s."""
    with MjpegCamera(fps) as camera, Watch(camera.at(path), max_lag_s=1.0, catch_up_lag_s=0.5) as watch:
        watch.until_frames(10 + 4 * fps)
        assert watch.losses == []
        assert watch.shown_states() == ["streaming"]
        assert watch.value("surveil_capture_lag_seconds") < 0.3
        assert rate(watch) == pytest.approx(fps, rel=0.1)
        assert not any(frame.damaged for frame in watch.frames)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_bare_stream_of_another_codec_keeps_up_as_well(clips, codec) -> None:
    clip = RtpClip(clips[codec])
    units = [clip._units[index] for index in range(len(clip))]
    with MjpegCamera(10, units) as camera, Watch(camera.at("/raw"), max_lag_s=1.0) as watch:
        watch.until_frames(50)
        assert watch.losses == []
        assert rate(watch) == pytest.approx(10, rel=0.1)


@pytest.mark.parametrize("fps", [10, 30])
def test_a_clip_of_it_plays_as_fast_as_it_came(tmp_path, fps) -> None:
    ring = PacketRing(60.0)
    with MjpegCamera(fps) as camera, Watch(camera.url, packets=ring) as watch:
        watch.until_frames(10 + 3 * fps)
        since, until = watch.frames[10].arrived, watch.frames[-1].arrived
    packets = ring.clip(since, until)
    mux(packets, tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as clip:
        times = [float(frame.time) for frame in clip.decode(video=0)]
    assert (len(times) - 1) / (times[-1] - times[0]) == pytest.approx(fps, rel=0.1)


@pytest.mark.parametrize(("path", "cause"), [("/locked", "unauthorized"), ("/none", "not_found")])
def test_what_the_server_answers_is_the_cause(path, cause) -> None:
    with MjpegCamera(10) as camera, Watch(camera.at(path)) as watch:
        watch.until_lost(cause)
