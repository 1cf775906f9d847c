"""The shipped rules: valid, tested by Prometheus itself, and only about what the daemon really exposes."""

import os
import re
import shutil
import subprocess

import pytest

from tests.ops.promql import RECORDED, ROOT, RULES, exposition, rule_queries, wrong

FOLDER = ROOT / "prometheus"
TESTS = sorted(FOLDER.glob("*.test.yml"))
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}


@pytest.fixture(scope="module")
def exposed():
    return exposition()


def promtool(*words):
    if shutil.which("promtool") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("promtool is missing")
        pytest.skip("promtool is missing")
    return subprocess.run(
        ["promtool", *words], cwd=FOLDER, capture_output=True, text=True, timeout=280, check=False
    )


@pytest.mark.server
@pytest.mark.timeout(300)  # The tests of the rules go through four days.
@pytest.mark.parametrize(
    "words",
    [("check", "rules", "surveil.rules.yml"), *(("test", "rules", path.name) for path in TESTS)],
    ids=["check", "test", "test-slow"],
)
def test_promtool_accepts(words):
    done = promtool(*words)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.server
def test_promtool_accepts_the_scrape_example():
    done = promtool("check", "config", "scrape.yml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("query", rule_queries(), ids=lambda query: query.place)
def test_a_rule_names_only_what_the_daemon_exposes(query, exposed):
    assert wrong(query, exposed) == []


def test_every_recording_is_used_or_answers_a_question_of_its_own():
    text = " ".join(rule["expr"] for rule in RULES)
    assert {name for name in RECORDED if name not in text} == set()


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_every_alert_is_tested_and_explained(name):
    rule = ALERTS[name]
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    assert f"\n## {name}\n" in runbook
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    assert rule["labels"]["severity"] in {"critical", "warning", "none"}
    section = runbook.split(f"\n## {name}\n")[1].split("\n## ")[0]
    for part in ("**Means**", "**Look**", "**Do**"):
        assert part in section
    assert any(f'alertname="{name}"' in path.read_text() for path in TESTS)


def test_the_runbook_names_no_alert_that_does_not_exist():
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    assert set(re.findall(r"^## (Surveil\w+)$", runbook, re.MULTILINE)) == set(ALERTS)
