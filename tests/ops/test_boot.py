"""The installed service under a real systemd: start, reload, stop, credential, privacy, watchdog, bad file, kill -9."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from surveil.demo.clip import write_clip
from surveil.demo.scene import DrawnScene
from tests.ops.container import Container, wait, why_not
from tests.train.pictures import fill

ROOT = Path(__file__).parents[2]
SECRET = "cr3dential-Pa55"
pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(300)]


def config():
    zone = [[0.0, 0.3], [1.0, 0.3], [1.0, 1.0], [0.0, 1.0]]
    return {
        "version": 1,
        "cameras": {
            "yard": {
                "url": "/opt/share/clip.mp4",
                "repeat": True,
                "zones": {"yard": zone},
                "rules": [{"type": "intrusion", "zone": "yard", "after_s": 0.2, "linger_s": 600}],
            }
        },
        "sinks": {
            "archive": {"type": "file", "path": "/var/lib/surveil/alerts.jsonl"},
            "hook": {
                "type": "webhook",
                "url": "http://127.0.0.1:9/alerts",
                "headers": {"authorization": "Bearer ${credential:hook}"},
            },
        },
    }


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    """A booted machine with surveil installed, configured and not started."""
    if reason := why_not():
        if os.environ.get("CI") == "true" and "missing" in reason:
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("boot")
    with Container(folder) as container:
        clip = folder / "clip.mp4"
        write_clip(clip, DrawnScene.passing(seed=3, people=2, size=(640, 360)))
        shutil.copy(clip, container.share)
        # A state that this machine has shows through the overlay, and systemd cannot move it there.
        container("rm -rf /var/lib/surveil /var/lib/private/surveil")
        container("/opt/share/surveil install --systemd --program /opt/share/surveil")
        container(f"mkdir -p /etc/surveil/credentials && echo -n {SECRET} > /etc/surveil/credentials/hook")
        container(
            "mkdir -p /etc/systemd/system/surveil.service.d && printf '[Service]\\nLoadCredential=hook:"
            "/etc/surveil/credentials/hook\\n' > /etc/systemd/system/surveil.service.d/secret.conf"
        )
        container("systemd-tmpfiles --create && systemctl daemon-reload")
        yield container


@pytest.fixture
def service(box):
    """The service, started by a good file."""
    write(box, config())
    box("systemctl reset-failed surveil; systemctl start surveil")
    yield box
    box("systemctl stop surveil", check=False)


def write(box, content):
    (box.share / "config.yaml").write_text(json.dumps(content, indent=1))
    box("install -m 0640 -g surveil /opt/share/config.yaml /etc/surveil/config.yaml")


def processed(box, port=9108):
    found = re.search(
        r'^surveil_frames_processed_total\{camera="yard"\} (\S+)', box.page("/metrics", port), re.MULTILINE
    )
    return float(found[1]) if found else 0.0


def alerts(box):
    done = box("cat /var/lib/surveil/alerts.jsonl", check=False)
    return [json.loads(line) for line in done.stdout.splitlines()]


def open_events(box):
    """The events of which the archive has the start and not the end."""
    told = alerts(box)
    return {a["event_id"] for a in told if a["phase"] == "start"} - {
        a["event_id"] for a in told if a["phase"] == "end"
    }


def test_it_starts_is_ready_and_stops_within_its_time(service):
    assert service.show("ActiveState", "SubState", "NRestarts") == ["active", "running", "0"]
    wait(lambda: processed(service) > 0)
    wait(lambda: "1/1 cameras up" in service.show("StatusText")[0])
    # ONNX Runtime reads it, and says so where it cannot.
    assert "cpuinfo" not in service.journal()
    service("systemctl stop surveil", timeout_s=20)
    assert service.show("ActiveState", "Result", "ExecMainStatus") == ["inactive", "success", "0"]


def test_the_shipped_file_starts_without_a_camera_and_the_console_adds_one_that_is_adopted(box):
    shutil.copy(ROOT / "config.yaml", box.share)
    box("install -m 0640 -g surveil /opt/share/config.yaml /etc/surveil/config.yaml")
    box("systemctl reset-failed surveil; systemctl start surveil")
    try:
        assert "no camera is configured: add one in the console" in box.page("/readyz")
        assert '"first_start":true' in box.page("/api/v1/me")
        assert box.show("ActiveState", "SubState", "NRestarts") == ["active", "running", "0"]
        wait(lambda: "0/0 cameras up" in box.show("StatusText")[0])
        added = asked(box, "POST", "/cameras", {**CAMERA, "password": SECRET})
        assert added["applied"], added
        wait(lambda: "0/1 cameras up" in box.show("StatusText")[0])
        login = box("stat -c '%a %U' /var/lib/private/surveil/console/logins/porch-*").stdout.split()
        assert login == ["600", "surveil"]
        box("/opt/share/surveil config adopt -c /etc/surveil/config.yaml")
        kept = box(
            "stat -c '%a %U %G' /etc/surveil/passwords /etc/surveil/passwords/porch-*"
        ).stdout.splitlines()
        assert kept == ["750 root surveil", "640 root surveil"]
        assert not box("ls /var/lib/private/surveil/console/logins").stdout
        box("systemctl restart surveil")
        assert "porch" in box.page("/readyz")
        assert SECRET not in box.journal() + box("cat /etc/surveil/config.yaml").stdout
    finally:
        box("systemctl stop surveil")


CAMERA = {"id": "porch", "url": "rtsp://127.0.0.1:9/1", "user": "ada"}


def asked(box, method, path, body):
    """What the API of the console answers."""
    csrf = json.loads(box("curl -s http://127.0.0.1:9108/api/v1/me").stdout)["csrf"]
    (box.share / "body.json").write_text(json.dumps(body))
    return json.loads(
        box(
            f"curl -s -X {method} -H 'x-csrf-token: {csrf}' -d @/opt/share/body.json http://127.0.0.1:9108/api/v1{path}"
        ).stdout
    )


def test_the_state_is_private_and_the_credential_is_read_and_never_told(service):
    wait(lambda: alerts(service))
    owner = service("stat -c '%a %U' /var/lib/private/surveil").stdout.split()
    assert owner == ["700", "surveil"]
    seen = service("setpriv --reuid=nobody --regid=nogroup --clear-groups ls /var/lib/surveil/", check=False)
    assert seen.returncode != 0
    # Without the credential it would not have started: the file names it.
    told = service.journal() + service.page("/metrics") + service.page("/status")
    assert SECRET not in told
    [pid] = service.show("MainPID")
    assert (
        SECRET
        not in service(f"tr '\\0' ' ' < /proc/{pid}/cmdline; tr '\\0' ' ' < /proc/{pid}/environ").stdout
    )


def test_reload_follows_a_good_file_and_refuses_a_bad_one(service):
    [pid] = service.show("MainPID")
    changed = config()
    changed["cameras"]["yard"]["zones"]["yard"] = [[0.0, 0.2], [1.0, 0.2], [1.0, 1.0]]
    write(service, changed)
    service("systemctl reload surveil")
    wait(lambda: "configuration reloaded cameras_changed" in service.journal())
    write(service, {**changed, "modell": {}})
    refused = service("systemctl reload surveil", check=False)
    assert refused.returncode != 0
    wait(lambda: "configuration refused problem=/etc/surveil/config.yaml:" in service.journal())
    assert service.show("ActiveState", "MainPID", "NRestarts") == ["active", pid, "0"]
    wait(lambda: "rejected" in service.show("StatusText")[0])


def test_a_second_instance_runs_beside_it_with_a_user_and_a_state_of_its_own(service):
    gate = {**config(), "http": {"listen": "127.0.0.1:9109"}, "state_dir": "/var/lib/surveil-gate"}
    gate["sinks"]["archive"]["path"] = "/var/lib/surveil-gate/alerts.jsonl"
    del gate["sinks"]["hook"]
    (service.share / "gate.yaml").write_text(json.dumps(gate))
    service("install -m 0640 -g surveil /opt/share/gate.yaml /etc/surveil/gate.yaml")
    service("systemctl start surveil@gate")
    try:
        wait(lambda: processed(service, 9109) > 0)
        wait(lambda: processed(service) > 0)
        owner = service("stat -c '%a %U' /var/lib/private/surveil-gate").stdout.split()
        assert owner == ["700", "surveil-gate"]
        service("test -s /var/lib/surveil-gate/surveil.db")
        service("systemctl reload surveil@gate")
        wait(lambda: "nothing has changed" in service.journal("surveil@gate"))
    finally:
        service("systemctl stop surveil@gate", timeout_s=20)
    told = service.show("ActiveState", "Result", "ExecMainStatus", unit="surveil@gate")
    assert told == ["inactive", "success", "0"]
    assert service.show("ActiveState") == ["active"]


def test_a_bad_file_at_the_start_does_not_restart_over_and_over(box):
    write(box, {**config(), "modell": {}})
    assert box("systemctl start surveil", check=False).returncode != 0
    assert "did you mean 'model'?" in box.journal()
    state, restarts = box.show("ActiveState", "NRestarts")
    assert (state, restarts) == ("failed", "0")


def test_after_a_kill_it_is_back_and_no_alert_is_lost(service):
    opened = wait(lambda: open_events(service))
    [pid] = service.show("MainPID")
    started = service("date +%s.%N").stdout
    service(f"kill -KILL {pid}")
    wait(lambda: service.show("MainPID")[0] not in (pid, "0"))
    wait(lambda: processed(service) > 0)
    took = float(service("date +%s.%N").stdout) - float(started)
    print(f"from SIGKILL to the first analysed frame: {took:.1f} s")
    # What was open is ended once and told: nothing is open that the process before had opened.
    wait(lambda: opened <= {a["event_id"] for a in alerts(service) if a["reason"] == "restart"})
    checked = service(
        "CREDENTIALS_DIRECTORY=/etc/surveil/credentials /opt/share/surveil alerts check -c /etc/surveil/config.yaml",
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_wedged_stage_is_killed_by_the_watchdog_and_restarted(service):
    wait(lambda: processed(service) > 0)
    [pid] = service.show("MainPID")
    # Every thread but the main one stops at its next system call: the process lives and its stages stop.
    service(
        f"exec </dev/null >/dev/null 2>&1; for t in /proc/{pid}/task/*; do t=${{t##*/}}; "
        f"[ $t = {pid} ] || setsid strace -qq -o /dev/null -p $t & done; sleep 2; pkill -STOP -x strace"
    )
    wait(lambda: "Watchdog timeout" in service.journal(), 90, every_s=2.0)
    service("pkill -KILL -x strace", check=False)
    wait(lambda: service.show("MainPID")[0] not in (pid, "0"), 60)
    wait(lambda: processed(service) > 0, 60)
    assert service.show("NRestarts") == ["1"]


def api(box, method, path, csrf="", body=""):
    """What the console's API of the service answers."""
    told = box(
        f"curl -sS -X {method} -H 'X-CSRF-Token: {csrf}' -H 'Content-Type: application/json' --data '{body}' "
        f"http://127.0.0.1:9108/api/v1{path}"
    ).stdout
    return json.loads(told)


def test_a_training_is_the_last_in_every_queue_and_its_end_is_not_that_of_the_daemon(box):
    fill(box.share / "shapes", 12)
    write(box, {**config(), "http": {"console": True}})
    box("systemctl reset-failed surveil; systemctl start surveil")
    try:
        wait(lambda: processed(box) > 0)
        box(
            "mkdir -p /var/lib/surveil/feedback && cp -r /opt/share/shapes /var/lib/surveil/feedback/ "
            "&& chown -R surveil:surveil /var/lib/surveil/feedback/"
        )
        csrf = api(box, "GET", "/me")["csrf"]
        assert api(box, "POST", "/training/sets/shapes/train", csrf, "{}")["state"] == "running"
        [pid] = box.show("MainPID")
        wait(lambda: api(box, "GET", "/training")["job"]["doing"])
        child = box("pgrep -f 'surveil train'").stdout.split()[0]
        seen = box(f"chrt -p {child}; cat /proc/{child}/oom_score_adj /proc/{child}/cgroup").stdout
        assert "SCHED_IDLE" in seen
        assert "\n1000\n" in seen
        assert "surveil.service" in seen
        box(f"kill -KILL {child}")
        wait(lambda: api(box, "GET", "/training")["job"]["state"] == "killed")
        assert box.show("ActiveState", "MainPID", "NRestarts", "OOMPolicy") == [
            "active",
            pid,
            "0",
            "continue",
        ]
        api(box, "POST", "/training/sets/shapes/train", csrf, "{}")
        wait(lambda: api(box, "GET", "/training")["job"]["state"] == "done", 120, every_s=1.0)
    finally:
        box("systemctl stop surveil", check=False)
