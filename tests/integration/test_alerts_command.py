"""`surveil alerts …` as an operator uses it."""

import json
import os
import subprocess
import sys
from contextlib import closing

import pytest
from typer.testing import CliRunner

from surveil.alerts.outbox import Outbox
from surveil.alerts.payload import rfc3339
from surveil.cli import complete
from surveil.cli.root import app
from surveil.clock import SystemClock
from tests.alerts.helpers import alert
from tests.integration.world import config_text


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(config_text("rtsp://127.0.0.1:9/cam", tmp_path / "state", "http://127.0.0.1:9/"))
    return path


@pytest.fixture
def outbox(config, tmp_path):
    made = Outbox.open(tmp_path / "state" / "surveil.db", ["ops"], SystemClock())
    picture = tmp_path / "state" / "evidence" / "a.jpg"
    picture.parent.mkdir()
    picture.write_bytes(b"jpeg")
    made.committer.commit(
        [alert(0, evidence={"snapshot": "evidence/a.jpg", "clip": "missing: why"}), alert(1)]
    )
    made.queue.rejected("ops", made.queue.next("ops").seq, "HTTP 400")
    made.close()
    return made


def run(config, *words, code=0):
    done = CliRunner().invoke(app, ["alerts", words[0], "-c", str(config), *words[1:]])
    assert done.exit_code == code, done.output
    return done.output


def as_json(config, *words):
    return json.loads(run(config, *words, "--json"))


def test_what_a_sink_refused_is_listed_shown_tried_again_and_given_up(config, outbox, tmp_path):
    (dead,) = as_json(config, "list", "--state", "dead")
    assert dead["id"] == alert(0).id
    assert dead["files"] == {"snapshot": str(tmp_path / "state" / "evidence" / "a.jpg")}
    assert dead["deliveries"] == [
        {"sink": "ops", "state": "dead", "attempts": 1, "reason": "rejected", "error": "HTTP 400"}
    ]
    shown = run(config, "show", dead["id"][:8])
    assert str(tmp_path / "state" / "evidence" / "a.jpg") in shown
    assert "sink ops, state dead, attempts 1, reason rejected, error HTTP 400" in shown
    assert "0 deliveries are pending again" in run(config, "retry", "ffff", code=1)
    assert as_json(config, "retry", dead["id"][:8]) == {"retried": 1}
    assert as_json(config, "list", "--state", "dead") == []
    assert as_json(config, "purge", "--state", "pending") == {"purged": 2}
    assert as_json(config, "purge") == {"purged": 2}
    assert as_json(config, "check")["problems"] == []


@pytest.mark.parametrize("columns", [40, 80, 250])
def test_a_terminal_of_any_width_shows_time_rule_and_the_rest_whole(config, tmp_path, columns):
    long = alert(
        2,
        camera="a-camera-with-a-long-name",
        rule="line_crossing at the gate",
        text="person [over] the line, to the left",
    )
    with closing(
        Outbox.open(tmp_path / "state" / "surveil.db", ["ops", "a-long-name-of-a-sink"], SystemClock())
    ) as made:
        made.committer.commit([long])
    done = subprocess.run(
        [sys.executable, "-m", "surveil", "alerts", "list", "-c", str(config)],
        capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": str(columns)},
    )  # fmt: skip
    said = " ".join(done.stdout.replace("│", " ").split())
    for part in (
        long.id[:8],
        rfc3339(long.t_wall),
        long.camera,
        long.rule,
        "start",
        long.text,
        "a-long-name-of-a-sink pending",
    ):
        assert part in said
    assert "…" not in said
    assert max(map(len, done.stdout.splitlines())) <= columns


def test_a_state_that_there_is_none_of_changes_nothing(config, outbox):
    run(config, "purge", "--state", "delivered", code=2)
    run(config, "list", "--state", "lost", code=2)
    assert len(as_json(config, "list")) == 2


def test_a_damaged_database_fails_the_check_alone_and_is_told_of_after_it_was_set_aside(
    config, outbox, tmp_path
):
    path = tmp_path / "state" / "surveil.db"
    path.write_bytes(b"this is no database" * 1000)
    assert "SQLite cannot read all of it" in run(config, "check", code=1)
    fresh = Outbox.open(path, ["ops"], SystemClock())
    fresh.close()
    output = run(config, "check")
    assert "a damaged database was set aside" in output
    assert str(fresh.set_aside) in output.replace("\n", "")


def test_the_tab_key_offers_what_the_configuration_names(config):
    class Context:
        params = {"config": config}  # noqa: RUF012

    assert complete.cameras(Context, "") == ["yard"]
    assert complete.sinks(Context, "o") == ["ops"]
    assert complete.rules(Context, "li") == ["line_crossing"]
    config.write_text("version: [")
    assert complete.cameras(Context, "") == []
