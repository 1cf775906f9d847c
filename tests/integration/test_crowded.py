"""A crowd of connections at the web port, and a log that nobody reads: alerts go out and cameras come back."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from surveil.demo.rtp import RtpClip
from surveil.demo.rtsp_server import RtspServer
from tests.integration.world import Process, Webhook, config_text, wait_for

pytestmark = [pytest.mark.rig, pytest.mark.slow]
CROWD = 1000


@pytest.fixture
def camera(passing_clip):
    with RtspServer(RtpClip(passing_clip)) as server:
        yield server


@contextlib.contextmanager
def crowd(pages, sent):
    """Hold a thousand connections to the pages open."""
    host, _, port = pages.removeprefix("http://").rpartition(":")
    with contextlib.ExitStack() as stack:
        for _ in range(CROWD):
            one = stack.enter_context(socket.create_connection((host, int(port)), timeout=10))
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                one.sendall(sent)
        yield


@pytest.mark.parametrize("sent", [b"", b"GET /metrics HTTP/1.1\r\nHost: "], ids=["idle", "half a head"])
def test_a_thousand_connections_keep_no_alert_and_no_camera_away(tmp_path, camera, sent):
    path = tmp_path / "config.yaml"
    with Webhook() as hook:
        path.write_text(
            config_text(camera.url, tmp_path / "state", hook.url, top={"outbox": {"backoff_max_s": 1}})
        )
        hook.answer = 503
        with Process(path) as daemon:
            wait_for(lambda: '"pending":0' not in daemon.get("/status")[1].replace(" ", ""), 60)
            with crowd(daemon.pages(), sent):
                assert [daemon.get(page)[0] for page in ("/livez", "/metrics", "/status")] == [200] * 3
                assert len(list(Path(f"/proc/{daemon.child.pid}/fd").iterdir())) < 300
                camera.close_clients(reset=True)
                hook.answer = 204
                wait_for(lambda: hook.starts("intrusion"), 60)
                wait_for(lambda: daemon.get("/readyz")[0] == 200, 60)
            assert daemon.end() == 0


@pytest.mark.parametrize("reader", ["never reads", "has gone"])
def test_a_log_without_a_reader_keeps_no_alert_away(tmp_path, camera, reader):
    path = tmp_path / "config.yaml"
    with Webhook() as hook:
        text = config_text(camera.url, tmp_path / "state", hook.url, top={"log": {"level": "debug"}})
        path.write_text(text)
        read, write = os.pipe()
        os.set_blocking(write, False)
        with contextlib.suppress(BlockingIOError):
            while reader == "never reads":
                os.write(write, b"x" * 4096)
        os.set_blocking(write, True)
        if reader == "has gone":
            os.close(read)
        command = [sys.executable, "-m", "surveil", "run", "-c", str(path)]
        with subprocess.Popen(command, stdout=write, stderr=write) as daemon:
            os.close(write)
            wait_for(lambda: hook.starts("intrusion"), 60)
            daemon.send_signal(signal.SIGHUP)
            camera.close_clients(reset=True)
            seen = len(hook.alerts)
            wait_for(lambda: len(hook.alerts) > seen, 60)
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(20) == 0
        if reader == "never reads":
            os.close(read)
