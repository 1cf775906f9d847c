"""Rules and dashboards against a running daemon in a real Prometheus: all they ask is there.

One daemon watches a drawn yard over RTSP for some seconds and loses its camera once; what Prometheus has
scraped of it must answer every rule, panel, annotation and variable, or stand in `EMPTY` with a reason.
"""

import re
from dataclasses import dataclass

import pytest
import yaml

from dashboards.ask import Prometheus, expand
from surveil.clock import SystemClock
from surveil.demo.rtp import RtpClip
from surveil.demo.rtsp_server import RtspServer
from tests.integration.prometheus import Server
from tests.integration.world import Process, Webhook, config_text, wait_for
from tests.ops.promql import (
    DASHBOARDS,
    RECORDED,
    ROOT,
    RULES,
    dashboard_queries,
    rule_queries,
    selectors,
)

pytestmark = [pytest.mark.server, pytest.mark.rig, pytest.mark.slow, pytest.mark.timeout(300)]

EMPTY = {
    'wanted="cuda"': "the model runs where it is wanted",
    "surveil_classifier_": "no classifier is deployed",
    "surveil_gpu_": "no GPU in the test",
    "surveil_normality_threshold": "no model yet, so the threshold is infinite",
    "surveil_normality_shadowed_total": "`shadow` is not set, so nothing is counted",
    "surveil_alerts_withheld_total": "no storm of alerts",
    "surveil_signals_suppressed_total": "no signal was suppressed",
    "ALERTS{alertname=~": "no alert of ours fires",
    "surveil_camera_owner": "no fleet",
    "surveil_fleet_camera": "no fleet",
    "surveil:fleet_readers": "no fleet",
    "surveil_lease_age_seconds": "no fleet",
    "surveil_fleet_store_": "no fleet",
    "surveil_recording_": "nothing is recorded",
    "surveil_offsite_": "no second place",
}
"""What may answer with nothing, and why. Its metrics and labels are checked in tests/ops all the same."""


HAPPENED = (
    'increase(surveil_signals_total{rule="intrusion",outcome="opened"}[60s]) > 0',
    'increase(surveil_signals_total{rule="line_crossing",outcome="opened"}[60s]) > 0',
    "increase(surveil_capture_to_alert_seconds_count[60s]) > 0",
    'increase(surveil_delivery_attempts_total{result="delivered"}[60s]) > 0',
    "max_over_time(surveil_event_open[60s]) > 0",
    "increase(surveil_line_crossings_total[60s]) > 0",
    "increase(surveil_zone_dwell_seconds_count[60s]) > 0",
    "increase(surveil_camera_disconnects_total[60s]) > 0",
)
"""What Prometheus must have seen happen before it is asked; the last when the camera has reset everybody."""


@dataclass
class Watched:
    prometheus: Prometheus
    instance: str
    began: float
    ended: float

    def answer(self, expr):
        """Return the series of a panel's query over the whole time."""
        told = expand(
            expr,
            {
                "instance": self.instance, "camera": "yard",
                "__rate_interval": "15s", "__interval": "10s", "__range": "60s",
            },
        )  # fmt: skip
        # The steps begin at `began`: one more than there is time for, or the last second would not be asked for.
        return self.prometheus.over(told, self.began, self.ended + 1, 1.0)


@pytest.fixture(scope="module")
def watched(passing_clip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("monitoring")
    clock = SystemClock()
    with RtspServer(RtpClip(passing_clip)) as camera, Webhook() as hook:
        config = folder / "config.yaml"
        config.write_text(
            config_text(
                camera.url, folder / "state", hook.url,
                rules=[
                    {"type": "intrusion", "zone": "yard", "after_s": 0.5, "linger_s": 2},
                    {"type": "line_crossing", "line": "gate"},
                    {"type": "picture"},
                ],
                normality={"enabled": True},
                counting={"enabled": True},
            )
        )  # fmt: skip
        with Process(config) as daemon:
            target = daemon.pages().removeprefix("http://")
            began = clock.wall()
            with Server(folder / "prometheus", target) as prometheus:
                for what in HAPPENED[:-1]:
                    _wait_for_one(prometheus, what)
                camera.close_clients(reset=True)
                _wait_for_one(prometheus, HAPPENED[-1])
                _wait_for_one(prometheus, "surveil:camera_up == 1 and surveil:camera_wanted == 1")
                yield Watched(prometheus, target, began, clock.wall())


def _wait_for_one(prometheus, expr):
    wait_for(lambda: prometheus.instant(expr), 60)


def may_be_empty(expr):
    return any(what in expr for what in EMPTY)


def test_every_rule_evaluates_and_every_recording_has_a_value(watched):
    rules = watched.prometheus.rules()
    assert len(rules) == len(RULES)
    assert {rule["name"]: rule["lastError"] for rule in rules if rule["health"] != "ok"} == {}
    assert [
        name for name in sorted(RECORDED) if not may_be_empty(name) and not watched.prometheus.instant(name)
    ] == []


def test_every_series_that_a_rule_names_is_there(watched):
    missing = [
        f"{query.place}: {selector}"
        for query in rule_queries()
        for name, selector, _ in selectors(query.expr)
        if not may_be_empty(selector) and not watched.prometheus.series(selector)
    ]
    assert missing == []


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_query_of_a_dashboard_answers(path, watched):
    silent = [
        f"{query.place}: {query.expr}"
        for query in dashboard_queries(path)
        if not watched.answer(query.expr) and not may_be_empty(query.expr)
    ]
    assert silent == []


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_legend_names_labels_that_its_series_have(path, watched):
    wrong = [
        f"{query.place}: {sorted(query.labels)}"
        for query in dashboard_queries(path)
        for series in watched.answer(query.expr)
        if not query.labels <= set(series["metric"])
    ]
    assert wrong == []


def test_every_exception_is_used():
    exprs = [query.expr for path in DASHBOARDS for query in dashboard_queries(path)]
    exprs += [query.expr for query in rule_queries()]
    assert [what for what in EMPTY if not any(what in expr for expr in exprs)] == []


def test_the_tests_of_the_rules_use_series_as_the_daemon_has_them(watched):
    files = (ROOT / "prometheus").glob("*.test.yml")
    tests = [test for file in files for test in yaml.safe_load(file.read_text())["tests"]]
    wrong = set()
    for series in {one["series"] for test in tests for one in test.get("input_series", ())}:
        name, labels = series.split("{", 1)
        real = watched.prometheus.series(name)
        written = set(re.findall(r"(\w+)=", labels))
        if real and written not in [set(one) - {"__name__"} for one in real]:
            wrong.add(f"{series} is really {real[0]}")
    assert wrong == set()
