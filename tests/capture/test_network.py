"""Every fault of a network camera: the right cause and state, and recovery when the world recovers."""

from __future__ import annotations

import io
import logging
import socket
import statistics
from itertools import pairwise
from math import inf

import pytest
import structlog

from surveil.capture.packets import PacketRing, mux
from tests.alerts.servers import make_certificate
from tests.capture.watch import QUICK, Watch
from tests.rig.fixtures import PASSWORD
from tests.rig.rtsp_camera import Camera
from tests.rig.tls_front import TlsFront

pytestmark = [pytest.mark.rig, pytest.mark.usefixtures("no_file_left_open")]
STALL_BAR_S = 5.0
SKEW = "surveil_camera_clock_skew_seconds"


@pytest.fixture
def log():
    """Everything that is logged, by structlog and by the standard library."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(stream), cache_logger_on_first_use=False)
    return stream


# Streams that are well.


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("codec", ["h264", "hevc", "mjpeg"])
def test_every_codec_comes_over_both_transports(clips, codec, transport) -> None:
    with Camera(clips[codec]) as camera, Watch(camera.url, transport=transport) as watch:
        watch.until_frames(12)
        assert camera("stats")["modes"] == [transport]
        assert watch.shown_states() == ["streaming"]
        steps = [b.t - a.t for a, b in pairwise(watch.frames)]
        # `t` follows arrival within 5 %: a loaded machine may stretch single steps, never their order or median.
        assert min(steps) > 0
        assert statistics.median(steps) == pytest.approx(1 / 15, abs=0.02)
        assert not any(f.damaged for f in watch.frames)
        labels = {"codec": codec, "resolution": "320x240", "decoder": "software", "transport": transport}
        assert watch.value("surveil_capture_info", **labels) == 1
        assert watch.value("surveil_capture_bytes_total") > 0


@pytest.mark.parametrize("auth", ["basic", "digest"])
def test_both_ways_of_logging_in_work(clips, auth) -> None:
    with (
        Camera(clips["h264"], user="joe", password=PASSWORD, auth=auth) as camera,
        Watch(camera.url) as watch,
    ):
        watch.until_frames(1)


def test_the_first_picture_does_not_wait_for_probing(camera) -> None:
    """FFmpeg's defaults read for two seconds before they show anything."""
    with Watch(camera.url) as watch:
        began = watch.clock.monotonic()
        watch.until_frames(1)
        assert watch.frames[0].arrived - began < 1.5


def test_waiting_for_a_key_frame_is_not_a_stall(clips) -> None:
    with Camera(clips["long_gop"]) as camera, Watch(camera.url) as first:
        first.until_frames(1)
        with Watch(camera.url, read_timeout_s=0.2) as late:
            late.until(lambda: late.shown_states() == ["waiting_for_keyframe"], "the state")
            late.until_frames(1)
            assert late.losses == []
            assert late.value("surveil_camera_connects_total") == 1


def test_the_camera_s_clock_dates_pictures_only_when_it_can_be_right(camera) -> None:
    for skew, trusted in ((0.8, True), (-500_000.0, False)):
        camera(f"skew {skew}")
        with Watch(camera.url) as watch:
            watch.until(lambda w=watch, s=skew: abs(w.value(SKEW) - s) < 0.5, "skew")
            watch.until_frames(3)
            ahead = watch.frames[-1].t_wall - watch.clock.wall()
            assert (0.2 < ahead < 1.0) if trusted else (-1.0 < ahead <= 0.0)


# Streams that cannot be had.


def test_a_wrong_password_is_unauthorized(camera) -> None:
    with Watch(camera.plain_url.replace("//", "//joe:wrong@")) as watch:
        watch.until_lost("unauthorized")
        assert watch.shown_states() == ["lost"]
        assert watch.value("surveil_camera_disconnects_total", cause="unauthorized") >= 1


def test_an_unknown_path_is_not_found(camera) -> None:
    with Watch(camera.url.replace("/cam", "/other")) as watch:
        watch.until_lost("not_found")


def test_a_closed_port_is_refused_and_the_camera_is_taken_when_it_comes_up(clips) -> None:
    with Camera(clips["h264"]) as camera:
        camera("down")
        with Watch(camera.url) as watch:
            watch.until_lost("refused")
            camera("up")
            watch.until_frames(1)
            assert watch.shown_states() == ["streaming"]


def test_a_host_that_never_answers_times_out(camera) -> None:
    camera("hang")
    with Watch(camera.url) as watch:
        watch.until_lost("timeout")
        camera("unhang")
        watch.until_frames(1)


def test_a_host_that_is_not_known_is_unreachable() -> None:
    with Watch("rtsp://no-such-host.invalid/cam") as watch:
        watch.until_lost("unreachable")


def test_no_tls_where_tls_is_asked_for_is_said_so(camera) -> None:
    with Watch(camera.url.replace("rtsp:", "rtsps:")) as watch:
        watch.until_lost("tls")


def test_a_stream_comes_through_tls(camera, tmp_path) -> None:
    with TlsFront(camera.port, make_certificate(tmp_path)) as front:
        url = camera.url.replace("rtsp:", "rtsps:").replace(str(camera.port), str(front.port))
        with Watch(url) as watch:
            watch.until_frames(5)
            assert watch.shown_states() == ["streaming"]
            camera("kick")
            watch.until_lost("ended")
            watch.until_frames(8)


def test_a_port_that_speaks_something_else_is_an_error_with_a_cause() -> None:
    body = b"this is not a video\n" * 500
    header = f"HTTP/1.0 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with socket.create_server(("127.0.0.1", 0)) as listener, Watch(_http(listener)) as watch:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(header + body)
            watch.until_lost("damaged")


def _http(listener):
    return f"http://127.0.0.1:{listener.getsockname()[1]}/x"


# Streams that are lost.


def test_a_stall_shows_within_five_seconds_and_ends_with_the_first_picture(camera) -> None:
    with Watch(camera.url, read_timeout_s=1.5) as watch:
        watch.until_frames(3)
        camera("freeze")
        lost = watch.until_lost("stalled")
        assert lost.t - watch.frames[-1].t < STALL_BAR_S
        camera("thaw")
        watch.until_frames(3)
        assert watch.shown_states() == ["streaming"]


@pytest.mark.parametrize(("command", "cause"), [("kick", "ended"), ("reset", "reset")])
def test_a_closed_connection_is_named_and_opened_again(camera, command, cause) -> None:
    with Watch(camera.url) as watch:
        watch.until_frames(3)
        camera(command)
        lost = watch.until_lost(cause)
        watch.until_frames(3)
        assert watch.frames[-1].t > lost.t
        assert [f.seq for f in watch.frames] == list(range(len(watch.frames)))


def test_a_reboot_is_survived(clips) -> None:
    with Camera(clips["h264"]) as camera, Watch(camera.url) as watch:
        watch.until_frames(3)
        camera("down")
        watch.until(lambda: "refused" in [lost.cause for lost in watch.losses], "refusal")
        camera("up")
        watch.until_frames(3)
        assert watch.loop.status.error == ""


def test_another_size_in_mid_stream_is_a_change_and_goes_on_at_once(clips) -> None:
    with Camera(clips["h264"]) as camera, Watch(camera.url) as watch:
        watch.until_frames(20)
        camera(f"switch {clips['large']}")
        watch.until_lost("changed")
        watch.until_frames(1)
        assert watch.frames[-1].picture.width == 640
        gap = watch.frames[-1].t - watch.losses[-1].t
        assert gap < 2.0


def test_another_codec_in_mid_stream_is_opened_anew(clips) -> None:
    with Camera(clips["h264"]) as camera, Watch(camera.url, undecodable_s=0.5) as watch:
        watch.until_frames(3)
        camera(f"switch {clips['hevc']}")
        watch.until_lost("damaged")
        watch.until_frames(3)
        labels = {"resolution": "320x240", "decoder": "software", "transport": "tcp"}
        assert watch.value("surveil_capture_info", codec="hevc", **labels) == 1
        assert watch.value("surveil_capture_info", codec="h264", **labels) == 0


# Streams that are damaged.


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_loss_on_udp_damages_until_the_next_key_frame(clips, codec) -> None:
    with Camera(clips[codec]) as camera, Watch(camera.url, transport="udp", degraded_after_s=1.0) as watch:
        watch.until_frames(10)
        camera("drop 0.1")
        watch.until(lambda: any(f.damaged for f in watch.frames), "damage")
        assert watch.value("surveil_capture_damage_total") >= 1
        camera("drop 0")
        watch.until(lambda: not watch.frames[-1].damaged, "recovery")
        watch.until(lambda: watch.shown_states() == ["streaming"], "streaming")
        assert watch.losses == []


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_thirty_percent_corrupt_payloads_are_degraded_and_heal(clips, codec) -> None:
    settings = {"degraded_after_s": 1.0, "undecodable_s": 20.0}
    with Camera(clips[codec]) as camera, Watch(camera.url, **settings) as watch:
        watch.until_frames(10)
        camera("corrupt 0.9")
        watch.until(lambda: any(f.degraded for f in watch.frames), "degraded")
        assert watch.shown_states() == ["degraded"]
        camera("corrupt 0.3")
        watch.until_frames(5)
        camera("corrupt 0")
        watch.until(lambda: not watch.frames[-1].damaged, "recovery")


def test_garbage_in_the_framing_is_survived(camera) -> None:
    with Watch(camera.url) as watch:
        watch.until_frames(3)
        camera("garbage 100000")
        watch.until_frames(3)
        watch.until(
            lambda: watch.shown_states() == ["streaming"] and not watch.frames[-1].damaged, "recovery"
        )


def test_a_jump_of_the_camera_s_clock_does_not_step_time(camera) -> None:
    with Watch(camera.url) as watch:
        watch.until_frames(10)
        for jump in ("100", "-100"):
            camera(f"jump {jump}")
            watch.until_frames(10)
        steps = [b.t - a.t for a, b in pairwise(watch.frames)]
        assert min(steps) > 0
        assert max(steps) < 1.0
        assert watch.losses == []


@pytest.mark.parametrize(
    "fault", ["rate 0", "rate 0.011", "rate 0.4", "rate 0.84", "stray -9800", "stray 37600"]
)
def test_a_clock_that_runs_slow_or_strays_costs_no_picture(camera, fault) -> None:
    camera(fault)
    with Watch(camera.url, catch_up_lag_s=0.2, max_lag_s=1.0) as watch:
        watch.until_frames(45)
        assert watch.losses == []
        assert watch.value("surveil_capture_damage_total") == 0
        assert [f.seq for f in watch.frames] == list(range(len(watch.frames)))
        assert "catching_up" not in watch.states
        span = watch.frames[-1].t - watch.frames[0].t
        assert span == pytest.approx(watch.frames[-1].arrived - watch.frames[0].arrived, abs=0.5)


# Clips, secrets, ends.


def test_a_clip_is_cut_from_what_the_camera_sent(clips, tmp_path) -> None:
    import av

    ring = PacketRing(5.0)
    with Camera(clips["h264"]) as camera, Watch(camera.url, packets=ring) as watch:
        watch.until_frames(40)
        start, end = watch.frames[12].arrived, watch.frames[35].arrived
    packets = ring.clip(start, end)
    mux(packets, tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        frames = list(container.decode(video=0))
    assert frames[0].key_frame
    assert 24 <= len(frames) == len(packets) <= 34


def covers(ring, seconds):
    """Whether the ring holds more than so many seconds."""
    packets = ring.clip(-inf, inf)
    return len(packets) > 1 and packets[-1].arrived - packets[0].arrived > seconds


def test_a_stream_for_clips_only_is_not_decoded_and_does_not_speak_for_its_camera(camera) -> None:
    ring = PacketRing(5.0)
    with Watch(camera.url, packets=ring, roles=("record",)) as watch:
        watch.until(lambda: covers(ring, 0.5), "packets")
        assert watch.frames == []
        assert watch.shown_states() == []


def test_no_password_is_seen_anywhere(camera, log) -> None:
    urls = [
        camera.url,
        camera.url.replace("/cam", "/other"),
        camera.url.replace("rtsp:", "rtsps:"),
        camera.url.replace(str(camera.port), "1"),
        camera.plain_url.replace("//", "//joe:secret-wrong@"),
    ]
    seen = []
    for url in urls:
        with Watch(url) as watch:
            watch.until(lambda w=watch: w.frames or w.losses, "anything")
            if watch.frames:
                camera("kick")
                watch.until_lost("ended")
            seen += [watch.loop.status.error, str(watch.losses), repr(watch.loop._settings)]
    text = log.getvalue() + "".join(seen)
    assert "camera lost" in text
    assert "***@127.0.0.1" in text
    for secret in (PASSWORD, "p%40ss", "w%2Frd", "w/rd", "secret-wrong"):
        assert secret not in text


def test_a_capture_ends_soon_whatever_the_camera_does(camera) -> None:
    for command in ("thaw", "freeze", "hang"):
        camera("thaw")
        with Watch(camera.url, open_timeout_s=3.0, read_timeout_s=1.5) as watch:
            if command != "hang":
                watch.until_frames(1)
            camera(command)
            began = watch.clock.monotonic()
        assert watch.clock.monotonic() - began < STALL_BAR_S - 1.0
        camera("unhang")
    assert QUICK["read_timeout_s"] < 1.5


@pytest.mark.parametrize("command", ["hang", "delay 0.7"])
def test_a_capture_that_is_to_end_while_it_opens_tells_nothing_of_how_that_ended(camera, command) -> None:
    """Another may read the camera by then: the loss was taken for its own, and the analysis got no more pictures."""
    camera(command)
    with Watch(camera.url) as watch:
        watch.until(lambda: camera("stats")["clients"], "a connection")
    camera("unhang")
    camera("delay 0")
    assert (watch.losses, watch.shown_states()) == ([], ["connecting"])
    assert watch.value("surveil_camera_disconnects_total", cause="timeout") == 0
    assert watch.value("surveil_camera_connects_total") == 0
