"""The daemon as its user runs it: a real RTSP camera, a real model, a real receiver."""

import signal

import av
import pytest

from surveil.demo.rtp import RtpClip
from surveil.demo.rtsp_server import Access, RtspServer
from tests.integration.world import PASSWORD, Process, Webhook, config_text, fetch, samples, wait_for

pytestmark = [pytest.mark.rig, pytest.mark.slow]


@pytest.fixture
def camera(passing_clip):
    with RtspServer(RtpClip(passing_clip), access=Access("user", PASSWORD)) as server:
        yield server


def written(tmp_path, camera, webhook, **more):
    url = camera.url.split("@")[-1].removeprefix("rtsp://")
    path = tmp_path / "config.yaml"
    path.write_text(config_text(f"rtsp://user:${{env:CAM_PW}}@{url}", tmp_path / "state", webhook, **more))
    return path


def ended(hook, start):
    """The alerts that end the event of `start`."""
    return [a for a in hook.alerts if a["event_id"] == start["event_id"] and a["phase"] == "end"]


def balance(page):
    """What is left of received − processed − dropped − waiting, by camera."""
    values = samples(page)
    one = frozenset({("camera", "yard")})
    dropped = sum(v for (name, _), v in values.items() if name == "surveil_frames_dropped_total")
    received = values["surveil_frames_received_total", one]
    return (
        received
        - values["surveil_frames_processed_total", one]
        - dropped
        - values["surveil_frames_waiting", one]
    )


def test_people_become_alerts_that_open_and_close_at_the_webhook(tmp_path, camera):
    with Webhook() as hook, Process(written(tmp_path, camera, hook.url), CAM_PW=PASSWORD) as daemon:
        start = wait_for(lambda: hook.starts("intrusion"), 60)[0]
        wait_for(lambda: hook.starts("line_crossing"), 60)
        wait_for(
            lambda: [a for a in hook.alerts if a["event_id"] == start["event_id"] and a["phase"] == "end"], 60
        )
        status, page = daemon.get("/metrics")
        assert (status, balance(page)) == (200, 0)
        assert daemon.get("/livez")[0] == 200
        assert daemon.get("/readyz")[0] == 200
        picture = start["evidence"]["snapshot"]
        assert fetch(f"{daemon.pages()}/{picture}")[0] == 200
        assert daemon.get("/evidence/latest?camera=yard&rule=intrusion")[0] == 200
        assert daemon.get("/evidence/latest?camera=yard&at=1000")[0] == 404
        assert daemon.get("/evidence/latest?camera=yard&at=then")[0] == 400
        assert (tmp_path / "state" / picture).read_bytes()[:2] == b"\xff\xd8"
        assert daemon.end() == 0
    assert start["label"] == "person"
    assert hook.keys == [alert["id"] for alert in hook.alerts]
    surfaces = daemon.log.read_text() + page
    assert PASSWORD not in surfaces


def test_events_left_open_by_kill_9_are_ended_at_the_next_start(tmp_path, camera):
    with Webhook() as hook:
        config = written(
            tmp_path, camera, hook.url, rules=[{"type": "intrusion", "zone": "yard", "linger_s": 600}]
        )
        with Process(config, CAM_PW=PASSWORD) as daemon:
            start = wait_for(lambda: hook.starts("intrusion"), 60)[0]
            daemon.end(signal.SIGKILL)
        with Process(config, CAM_PW=PASSWORD) as daemon:
            end = wait_for(lambda: [a for a in hook.alerts if a["phase"] == "end"], 60)[0]
            assert daemon.end() == 0
    assert (end["event_id"], end["reason"]) == (start["event_id"], "restart")


def test_a_camera_that_reboots_comes_back_without_a_restart(tmp_path, camera):
    with Process(written(tmp_path, camera, None), CAM_PW=PASSWORD) as daemon:
        wait_for(lambda: daemon.get("/readyz")[0] == 200, 40)
        camera.close_listener()
        camera.close_clients(reset=True)
        wait_for(lambda: daemon.get("/readyz")[0] == 503, 20)
        camera.listen()
        wait_for(lambda: daemon.get("/readyz")[0] == 200, 40)
        assert balance(daemon.get("/metrics")[1]) == 0
        assert daemon.end() == 0


def test_a_wrong_password_is_a_named_cause_and_the_daemon_goes_on(tmp_path, camera):
    with Process(written(tmp_path, camera, None), CAM_PW="wrong-one") as daemon:
        key = ("surveil_camera_disconnects_total", frozenset({("camera", "yard"), ("cause", "unauthorized")}))
        wait_for(lambda: samples(daemon.get("/metrics")[1])[key] >= 1, 40)
        assert daemon.get("/livez")[0] == 200
        assert daemon.end() == 0
    assert "wrong-one" not in daemon.log.read_text()


def test_a_lost_camera_is_an_alert_that_ends_when_it_is_back(tmp_path, camera):
    quick = {"camera_lost": {"after_s": 0.5, "back_after_s": 0.5}}
    with (
        Webhook() as hook,
        Process(written(tmp_path, camera, hook.url, top=quick), CAM_PW=PASSWORD) as daemon,
    ):
        wait_for(lambda: daemon.get("/readyz")[0] == 200, 40)
        camera.close_listener()
        camera.close_clients(reset=True)
        start = wait_for(lambda: hook.starts("camera_lost"), 30)[0]
        camera.listen()
        ends = wait_for(
            lambda: [a for a in hook.alerts if a["event_id"] == start["event_id"] and a["phase"] == "end"], 40
        )
        assert daemon.end() == 0
    assert len(ends) == 1


def test_an_event_has_a_clip_of_the_camera_s_own_packets(tmp_path, camera):
    evidence = {"clip": True, "pre_s": 1.0, "post_s": 1.0}
    with (
        Webhook() as hook,
        Process(written(tmp_path, camera, hook.url, evidence=evidence), CAM_PW=PASSWORD) as daemon,
    ):
        start = wait_for(lambda: hook.starts("intrusion"), 60)[0]
        end = wait_for(lambda: ended(hook, start), 60)[0]
        assert daemon.end() == 0
    with av.open(str(tmp_path / "state" / end["evidence"]["clip"])) as clip:
        frames = list(clip.decode(video=0))
        assert clip.streams.video[0].codec_context.name == "h264"
    assert frames[0].key_frame
    assert frames[-1].time - frames[0].time >= end["details"]["duration_s"] + 1.0
