"""The shipped rules: valid, tested by Prometheus itself, and only about what the daemon really exposes."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from surveil.app.metrics_page import filled

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "prometheus"
RULES = [
    rule
    for group in yaml.safe_load((FOLDER / "surveil.rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
LAZY = {"surveil_normality_drift_ratio": {"camera"}}
"""Series that are made only where learning is switched on."""
FOREIGN = {"up": {"job", "instance"}}
TARGET = {"job", "instance"}
SELECTOR = re.compile(r"\b((?:surveil|process)[a-zA-Z0-9_:]*|up)\b(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!=|!~|=)\s*"([^"]*)"')


@pytest.fixture(scope="module")
def exposed():
    """By name of a sample: by label, every value of it, in a real exposition."""
    registry = CollectorRegistry()
    filled(registry).add_camera("yard", ("intrusion",))
    metrics_of_the_process = ProcessCollector(registry=registry)
    assert metrics_of_the_process is not None
    found: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


def promtool(*words):
    if shutil.which("promtool") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("promtool is missing")
        pytest.skip("promtool is missing")
    return subprocess.run(
        ["promtool", *words], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.server
@pytest.mark.parametrize(
    "words",
    [("check", "rules", "surveil.rules.yml"), ("test", "rules", "surveil.rules.test.yml")],
    ids=["check", "test"],
)
def test_promtool_accepts(words):
    done = promtool(*words)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.server
def test_promtool_accepts_the_scrape_example():
    done = promtool("check", "config", "scrape.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def selectors():
    return [
        (rule.get("alert") or rule["record"], *found)
        for rule in RULES
        for found in SELECTOR.findall(re.sub(r"\b(?:by|on) \([^)]*\)", "", rule["expr"]))
    ]


def test_every_metric_of_the_rules_exists(exposed):
    known = set(exposed) | RECORDED | set(LAZY) | set(FOREIGN)
    assert {(rule, name) for rule, name, _ in selectors() if name not in known} == set()


def test_every_label_and_value_of_the_rules_exists(exposed):
    wrong = []
    for rule, name, matchers in selectors():
        for label, _, value in MATCHER.findall(matchers):
            values = exposed.get(name, {}).get(label)
            if label in TARGET or (name, label) == ("surveil_execution_provider_info", "wanted"):
                continue
            wrong += [(rule, label, one) for one in value.split("|") if values is None or one not in values]
    assert wrong == []


def test_every_bucket_of_the_rules_exists(exposed):
    used = [(name, le) for _, name, m in selectors() for label, _, le in MATCHER.findall(m) if label == "le"]
    assert used
    assert [pair for pair in used if pair[1] not in exposed[pair[0]]["le"]] == []


def test_labels_that_are_grouped_by_exist(exposed):
    for rule in RULES:
        names = [found[0] for found in SELECTOR.findall(re.sub(r"\b(?:by|on) \([^)]*\)", "", rule["expr"]))]
        carried = TARGET.union(
            *(exposed.get(name, {}) for name in names), *(LAZY.get(name, set()) for name in names)
        )
        if any(name in RECORDED for name in names):
            carried.add("camera")
        grouped = {
            label.strip()
            for by in re.findall(r"\b(?:by|on) \(([^)]*)\)", rule["expr"])
            for label in by.split(",")
        }
        assert grouped <= carried, rule


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
    assert f'alertname="{name}"' in (FOLDER / "surveil.rules.test.yml").read_text()


def test_the_runbook_names_no_alert_that_does_not_exist():
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    assert set(re.findall(r"^## (Surveil\w+)$", runbook, re.MULTILINE)) == set(ALERTS)
