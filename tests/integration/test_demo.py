"""`surveil demo` from end to end: the first command that anybody runs."""

import json
import re
import signal

import pytest

from surveil.demo.clip import write_clip
from surveil.demo.scene import DrawnScene
from tests import forked
from tests.integration.test_command_line import surveil
from tests.integration.world import fetch, samples, wait_for

pytestmark = [pytest.mark.rig, pytest.mark.slow]


def test_the_shortest_demo_ends_well_with_alerts_pictures_and_metrics(tmp_path):
    done = surveil("demo", "--seconds", "8", "--folder", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    alerts = [json.loads(line) for line in (tmp_path / "alerts.jsonl").read_text().splitlines()]
    assert "start" in {alert["phase"] for alert in alerts}
    assert re.search(r"\b[1-9]\d* alerts delivered to the webhook", done.stdout)
    assert re.search(r"^console +http://127\.0\.0\.1:\d+/console/$", done.stdout, re.MULTILINE)
    pictures = [path for alert in alerts for path in alert["evidence"].values()]
    assert pictures
    assert all((tmp_path / "state" / path).stat().st_size for path in pictures)
    assert "surveil_frames_processed_total" in (tmp_path / "metrics.txt").read_text()


def test_a_demo_of_a_clip_with_nobody_in_it_ends_with_one(tmp_path):
    still = tmp_path / "still.mp4"
    write_clip(still, DrawnScene.still(size=(320, 180), seconds=2.0))
    done = surveil("demo", "--seconds", "8", "--folder", tmp_path / "demo", "--clip", still)
    assert done.returncode == 1
    assert "No person was detected in the clip" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_demo_that_is_kept_runs_until_it_is_interrupted(tmp_path, passing_clip):
    command = ["-m", "surveil", "demo", "--seconds", "8", "--keep", "--clip", str(passing_clip)]
    command += ["--folder", str(tmp_path)]
    out = tmp_path / "out.txt"
    with out.open("wb") as file:
        child = forked.Child(command, stdout=file, stderr=file)
        try:
            found = wait_for(lambda: re.search(r"http://\S+(?=/console/)", out.read_text()), 60)[0]
            assert fetch(f"{found}/console/")[0] == 200
            labels = frozenset({("result", "delivered"), ("sink", "webhook")})
            delivered = ("surveil_delivery_attempts_total", labels)
            wait_for(lambda: samples(fetch(f"{found}/metrics")[1])[delivered], 60)
            child.send_signal(signal.SIGINT)
            code = child.wait(30)
        finally:
            child.kill()
    assert code == 0, out.read_text()
    assert "alerts delivered to the webhook" in out.read_text()
