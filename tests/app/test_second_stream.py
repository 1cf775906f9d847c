"""A second stream that cannot be read is told: nothing is recorded from it, though the camera itself is well."""

import json

import pytest

from surveil.app.daemon import Daemon
from surveil.config import load
from surveil.demo.rtp import RtpClip
from surveil.demo.rtsp_server import RtspServer
from surveil.detect.settings import ModelSettings
from surveil.models.store import ModelStore, open_detector
from tests.integration.world import config_text, wait_for
from tests.rig.clips import make_clip, still

pytestmark = pytest.mark.rig


def test_what_a_second_stream_lacks_is_among_the_errors_of_its_camera(tmp_path):
    """Before, /readyz and the console showed no error, and the log said that the camera was lost."""
    path = tmp_path / "config.yaml"
    with RtspServer(RtpClip(make_clip(tmp_path / "still.mp4", scene=still))) as stream:
        whole = json.loads(config_text("", tmp_path / "state", evidence={"clip": True}))
        yard = whole["cameras"]["yard"]
        yard["streams"] = {"detect": stream.url, "record": "rtsp://127.0.0.1:9/high"}
        del yard["url"]
        path.write_text(json.dumps(whole))
        daemon = Daemon(load(path), open_detector(ModelSettings(), ModelStore(tmp_path / "models")))
        daemon.start()
        try:
            wait_for(lambda: daemon.cameras.states() == {"yard": "streaming"} and daemon.cameras.errors())
            good, told = daemon.status.readiness()
        finally:
            assert daemon.end()
    assert good
    assert told["errors"]["yard"].startswith(
        "second stream (clips, recordings): rtsp://127.0.0.1:9/high: connection refused"
    )
