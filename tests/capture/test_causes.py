"""What FFmpeg raises has a name of ours."""

from __future__ import annotations

import errno
import os
import re
import socket
import threading
from pathlib import Path

import av.error
import pytest

from surveil.capture.causes import open_error
from surveil.capture.opening import make_source
from surveil.capture.settings import StreamSettings
from surveil.errors import Cause, SourceError
from tests.capture.watch import Watch
from tests.rig.clips import make_clip
from tests.rig.rtsp_camera import Camera

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.EIO, Cause.RESET),
        (errno.ECONNABORTED, Cause.RESET),
        (errno.ENETRESET, Cause.RESET),
        (errno.EHOSTUNREACH, Cause.UNREACHABLE),
        (errno.ENETUNREACH, Cause.UNREACHABLE),
        (errno.ECONNREFUSED, Cause.REFUSED),
        (errno.ETIMEDOUT, Cause.TIMEOUT),
        (errno.EPIPE, Cause.RESET),
    ],
)
def test_errors_of_the_network_have_a_name(number, cause) -> None:
    error = open_error(OSError(number, os.strerror(number)), "http://192.0.2.1/x", ())
    assert error.cause is cause
    assert os.strerror(number) not in str(error)


def test_a_stream_that_breaks_off_has_ended() -> None:
    logs = [(16, "http", "Stream ends prematurely at 1200, should be 99999")]
    error = open_error(OSError(errno.EIO, "Input/output error"), "http://192.0.2.1/x", logs)
    assert (error.cause, str(error)) == (Cause.ENDED, "http://192.0.2.1/x: the camera closed the stream")


def test_an_error_of_the_disk_says_so() -> None:
    error = open_error(OSError(errno.EIO, "Input/output error"), "/mnt/film.mp4", ())
    assert "check the disk" in str(error)


def test_ffmpeg_s_own_error_of_reading_is_one_of_the_network() -> None:
    error = av.error.OSError(errno.EIO, "Input/output error")
    assert open_error(error, "rtmp://192.0.2.1/x", ()).cause is Cause.RESET


@pytest.mark.rig
def test_a_film_over_http_that_breaks_off_has_a_cause(tmp_path) -> None:
    film = make_clip(tmp_path / "a.ts", seconds=2.0).read_bytes()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nContent-Length: 99999999\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(4096)
                client.sendall(head + film)

        thread = threading.Thread(target=serve)
        thread.start()
        source = make_source(StreamSettings(url=f"http://127.0.0.1:{listener.getsockname()[1]}/a.ts"))
        source.open()
        with pytest.raises(SourceError) as error:
            list(iter(source.read, None))
        source.close()
        thread.join()
    assert error.value.cause in {Cause.ENDED, Cause.RESET}


def test_the_runbook_has_every_cause() -> None:
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \|", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    assert {word for row in rows for word in re.findall(r"`(\w+)`", row)} >= {cause.value for cause in Cause}


@pytest.mark.rig
@pytest.mark.parametrize("size", [(2560, 1440), (2048, 1536)])
def test_mjpeg_that_is_too_wide_for_rtp_is_named(tmp_path, size) -> None:
    clip = make_clip(tmp_path / "wide.avi", "mjpeg", size=size, fps=5, seconds=0.6)
    with Camera(clip) as camera, Watch(camera.url) as watch:
        watch.until_lost("unsupported")
        assert "MJPEG over RTSP cannot carry pictures wider" in watch.loop.status.error
        assert watch.frames == []
