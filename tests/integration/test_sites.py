"""Cameras of one site in a running daemon: one notification, also through a reload."""

import pytest

from surveil.demo.rtp import RtpClip
from surveil.demo.rtsp_server import RtspServer
from tests.integration.reloading import File, camera, metrics, reload
from tests.integration.world import Process, Webhook, wait_for

pytestmark = [pytest.mark.rig, pytest.mark.slow]
RULE = {"type": "intrusion", "zone": "yard", "after_s": 0.5, "linger_s": 600}


def test_what_two_cameras_of_a_site_see_is_one_notification_that_is_updated(tmp_path, passing_clip):
    with RtspServer(RtpClip(passing_clip)) as stream, Webhook() as hook:
        cameras = {
            name: camera(f"{stream.url}?{name}", rules=[RULE], site="house") for name in ("gate", "yard")
        }
        sinks = {"ops": {"type": "webhook", "url": hook.url}}
        file = File(tmp_path, cameras, sinks, incidents={"within_s": 600})
        with Process(file.path) as daemon:
            wait_for(lambda: len(hook.alerts) == 2, 60)
            start, update = hook.alerts
            assert update["reason"] == "update"
            assert update["event_id"] == start["event_id"]
            assert {one["camera"] for one in update["details"]["events"]} == {"gate", "yard"}
            listed = metrics(daemon, "surveil_event_open")
            assert sum(listed.values()) == 2
            file.whole["cameras"]["yard"]["site"] = ""
            file.write()
            assert reload(daemon)["changes"] == {"cameras_changed": ["yard"]}
            assert daemon.end() == 0
        assert [(one["phase"], one["event_id"]) for one in hook.alerts[2:]] == [("end", start["event_id"])]
        assert {one["camera"] for one in hook.alerts[2]["details"]["events"]} == {"gate", "yard"}
