"""A camera that cannot follow a reload goes on as before, and so do the others."""

import sqlite3

import pytest

from surveil.app.daemon import Daemon
from surveil.config import load
from surveil.demo.rtp import RtpClip
from surveil.demo.rtsp_server import RtspServer
from surveil.detect.settings import ModelSettings
from surveil.models.store import ModelStore, open_detector
from tests.integration.reloading import File, camera
from tests.integration.world import wait_for
from tests.rig.clips import make_clip, still

pytestmark = pytest.mark.rig


def test_a_recording_that_cannot_begin_stops_no_camera(tmp_path):
    """Before, no camera with a new stream was read again, not even after the next reload: no alert told of it."""
    with RtspServer(RtpClip(make_clip(tmp_path / "still.mp4", scene=still))) as stream:
        file = File(tmp_path, {"a": camera(stream.url), "b": camera(stream.url + "?b")})
        daemon = Daemon(load(file.path), open_detector(ModelSettings(), ModelStore(tmp_path / "models")))
        daemon.start()
        try:
            connected(daemon)
            other = sqlite3.connect(tmp_path / "state" / "recordings.db", isolation_level=None)
            other.execute("BEGIN EXCLUSIVE")
            file.whole["cameras"]["a"]["url"] += "?a"
            file.whole["cameras"]["b"]["record"] = {"mode": "continuous"}
            file.write()
            result = daemon.reloader.reload()
            other.close()
            assert not result.good
            assert "locked" in result.messages[0]
            connected(daemon)
            again = daemon.reloader.reload()
            assert (again.good, again.changes) == (True, {"cameras_reconnected": ["b"]})
            connected(daemon)
        finally:
            assert daemon.end()


def connected(daemon):
    """Wait until every camera has brought three more frames."""

    def received():
        return {name: books.received for name, books in daemon.pipeline.ring.books().items()}

    before = received()
    wait_for(lambda: all(count > before[name] + 3 for name, count in received().items()))
    assert daemon.cameras.states() == {"a": "streaming", "b": "streaming"}
