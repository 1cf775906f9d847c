"""Rules that may not alert: by schedule, or because the operator said so, at the running daemon."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from surveil.demo.rtp import RtpClip
from surveil.demo.rtsp_server import RtspServer
from tests.integration.test_command_line import surveil
from tests.integration.world import Process, Webhook, config_text, samples, wait_for

pytestmark = [pytest.mark.rig, pytest.mark.slow]
RULES = [
    {"type": "intrusion", "zone": "yard", "after_s": 0.5, "linger_s": 0.5, "decode": "full"},
    {"type": "line_crossing", "line": "gate"},
]


@pytest.fixture
def camera(passing_clip):
    with RtspServer(RtpClip(passing_clip)) as server:
        yield server


def suppressed(daemon, rule, reason):
    labels = {("camera", "yard"), ("rule", rule), ("reason", reason)}
    key = ("surveil_signals_suppressed_total", frozenset(labels))
    return samples(daemon.get("/metrics")[1]).get(key, 0)


def shown(daemon, name):
    """Rule → value of a metric."""
    values = samples(daemon.get("/metrics")[1])
    return {dict(labels)["rule"]: v for (n, labels), v in values.items() if n == name}


def decoded(daemon):
    """How the camera is decoded, and why."""
    values = samples(daemon.get("/metrics")[1])
    (labels,) = [dict(labels) for (n, labels), v in values.items() if n == "surveil_decode_mode" and v]
    return labels["mode"], labels["why"]


def test_a_disarmed_rule_is_silent_counted_and_visible_also_after_a_restart(tmp_path, camera):
    path = tmp_path / "config.yaml"
    with Webhook() as hook:
        path.write_text(config_text(camera.url, tmp_path / "state", hook.url, rules=RULES))
        with Process(path) as daemon:
            wait_for(lambda: hook.starts("intrusion"), 60)
            assert decoded(daemon) == ("full", "rule")
            done = surveil("alerts", "disarm", "-c", path, "--rule", "intrusion", "--for", "2h", "--json")
            rows = {row["rule"]: row for row in json.loads(done.stdout)}
            assert (rows["intrusion"]["armed"], rows["line_crossing"]["armed"]) == (False, True)
            assert datetime.fromisoformat(rows["intrusion"]["changes"]) > datetime.now(UTC) + timedelta(
                hours=1
            )
            wait_for(lambda: suppressed(daemon, "intrusion", "disarmed"), 60)
            wait_for(lambda: decoded(daemon) == ("on_demand", "proven"), 60)
            assert shown(daemon, "surveil_rule_armed") == {
                "intrusion": 0,
                "line_crossing": 1,
                "camera_moved": 1,
            }
            wait_for(lambda: {a["event_id"] for a in hook.starts("intrusion")} == ended(hook, "intrusion"))
            assert daemon.end() == 0
        before = len(hook.starts("intrusion"))
        with Process(path) as daemon:
            wait_for(lambda: suppressed(daemon, "intrusion", "disarmed"), 60)
            wait_for(lambda: hook.starts("line_crossing"), 60)
            assert len(hook.starts("intrusion")) == before
            assert surveil("alerts", "arm", "-c", path).returncode == 0
            wait_for(lambda: len(hook.starts("intrusion")) > before, 60)
            wait_for(lambda: decoded(daemon) == ("full", "rule"), 60)
            assert shown(daemon, "surveil_rule_armed") == {
                "intrusion": 1,
                "line_crossing": 1,
                "camera_moved": 1,
            }
            assert daemon.end() == 0
    assert {"rule disarmed", "rule armed"} <= {r["event"] for r in daemon.records()}


def ended(hook, rule):
    return {a["event_id"] for a in hook.alerts if a["rule"] == rule and a["phase"] == "end"}


def test_a_rule_outside_its_schedule_is_silent_and_counted(tmp_path, camera):
    hours = [(datetime.now(UTC) + timedelta(hours=h)).strftime("%H:%M") for h in (-4, -2, 2)]
    top = {
        "schedules": {
            "over": {"windows": [f"{hours[0]}-{hours[1]}"]},
            "now": {"windows": [f"{hours[1]}-{hours[2]}"]},
        }
    }
    rules = [{**RULES[0], "schedule": "over"}, {**RULES[1], "schedule": "now"}]
    path = tmp_path / "config.yaml"
    with Webhook() as hook:
        path.write_text(config_text(camera.url, tmp_path / "state", hook.url, rules=rules, top=top))
        with Process(path) as daemon:
            wait_for(lambda: hook.starts("line_crossing"), 60)
            wait_for(lambda: suppressed(daemon, "intrusion", "schedule"), 60)
            assert shown(daemon, "surveil_rule_scheduled") == {
                "intrusion": 0,
                "line_crossing": 1,
                "camera_moved": 1,
            }
            assert not hook.starts("intrusion")
            assert daemon.end() == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--camera", "yrad"], "no camera 'yrad', did you mean 'yard'?"),
        (["--rule", "intrusoin"], "no rule 'intrusoin', did you mean 'intrusion'?"),
        (["--for", "soon"], "'soon' is not a duration; write for example 30m, 2h or 1d12h"),
    ],
)
def test_a_wrong_name_or_duration_changes_nothing_and_is_told(tmp_path, words, said):
    path = tmp_path / "config.yaml"
    path.write_text(config_text("rtsp://127.0.0.1:9/cam", tmp_path / "state"))
    done = surveil("alerts", "disarm", "-c", path, *words, COLUMNS="200")
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_without_a_daemon_that_ran_once_it_is_said_that_there_is_no_outbox(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(config_text("rtsp://127.0.0.1:9/cam", tmp_path / "state"))
    done = surveil("alerts", "armed", "-c", path)
    assert done.returncode == 1
    assert "no outbox found" in done.stderr
