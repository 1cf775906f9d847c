"""The audit log at a sink: every entry, in order, at least once, and nothing else there."""

import json
from contextlib import closing

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from surveil.alerts.delivery import Context
from surveil.alerts.sinks.file import FileSinkSettings
from surveil.alerts.sinks.webhook import WebhookSettings
from surveil.clock import ManualClock, Stop
from surveil.config import load
from surveil.console.auth.audit import Audit
from surveil.console.auth.database import ConsoleDb
from surveil.console.auth.forward import AuditForwarder
from surveil.console.auth.metrics import ConsoleMetrics
from surveil.errors import ConfigError
from surveil.metrics import Metrics
from tests.alerts.helpers import T0, Receiver
from tests.console.site import CONFIG, Site

TO_A_FILE = "sinks: {{audit: {{type: file, path: audit.jsonl}}, ops: {{type: log}}}}\n" + CONFIG.replace(
    "console: true", "console: true, audit_sink: audit"
)


@pytest.fixture
def clock():
    return ManualClock(wall=T0)


@pytest.fixture
def audit(tmp_path, clock):
    db = ConsoleDb(tmp_path)
    db.prepare(T0)
    return Audit(db, 365, clock, Metrics(CollectorRegistry()).of(ConsoleMetrics))


def forwarder(audit, settings, folder, clock):
    context = Context(name="audit", state_dir=folder, clock=clock)
    return closing(AuditForwarder(audit, settings, context, clock))


def look(audit, n):
    audit.note(
        user="ada",
        origin="session",
        address="192.0.2.9",
        action="picture",
        subject=f"/events/{n}",
        status=200,
    )


def subjects(path):
    return [json.loads(line)["details"]["subject"] for line in path.read_text().splitlines()]


def test_entries_come_in_order_once_and_from_the_first_start_on(audit, tmp_path, clock):
    settings, file = FileSinkSettings(path="audit.jsonl"), tmp_path / "audit.jsonl"
    look(audit, 0)
    with forwarder(audit, settings, tmp_path, clock) as first:
        assert first.run_once(Stop()) == 0
        for n in (1, 2):
            look(audit, n)
        assert first.run_once(Stop()) == 2
    look(audit, 3)
    with forwarder(audit, settings, tmp_path, clock) as again:
        assert (again.run_once(Stop()), again.run_once(Stop())) == (1, 0)
    assert subjects(file) == ["/events/1", "/events/2", "/events/3"]
    line = json.loads(file.read_text().splitlines()[0])
    assert (line["rule"], line["time"], line["details"]["user"]) == (
        "audit",
        "2023-11-14T22:13:20.000Z",
        "ada",
    )
    assert line["text"] == "ada (192.0.2.9): picture /events/1: 200"


def test_a_sink_that_is_down_gets_all_of_it_later(audit, tmp_path, clock):
    with (
        Receiver() as receiver,
        forwarder(audit, WebhookSettings(url=receiver.url), tmp_path, clock) as sends,
    ):
        sends.run_once(Stop())
        for n in (1, 2):
            look(audit, n)
        receiver.answer = lambda _got: (503, {})
        assert sends.run_once(Stop()) == 0
        receiver.answer = lambda _got: (200, {})
        assert sends.run_once(Stop()) == 2
        assert [json.loads(one.body)["details"]["subject"] for one in receiver.got[-2:]] == [
            "/events/1",
            "/events/2",
        ]


def test_a_sink_that_stays_away_is_told_of_now_and_then_and_paused_for_as_it_asks(audit, tmp_path, clock):
    wish = {"Retry-After": "900"}
    with (
        Receiver(answer=lambda _got: (429, wish)) as receiver,
        forwarder(audit, WebhookSettings(url=receiver.url), tmp_path, clock) as sends,
        capture_logs() as lines,
    ):
        sends.run_once(Stop())
        look(audit, 1)
        pauses = []
        for _ in range(4):
            sends.run_once(Stop())
            pauses.append(sends._pause_s)
            clock.advance(sends._pause_s)
            wish.clear()
    assert pauses == [900, 300, 300, 300]
    assert sum(line["event"] == "sink unavailable, audit entries wait" for line in lines) == 3


def test_an_entry_that_the_sink_refuses_does_not_keep_the_others_from_it_for_good(audit, tmp_path, clock):
    def answer(got):
        return 200, {}, json.dumps({"ok": got.json["details"]["subject"] != "/events/1"}).encode()

    with (
        Receiver(answer=answer) as receiver,
        forwarder(audit, WebhookSettings(url=receiver.url), tmp_path, clock) as sends,
    ):
        sends.run_once(Stop())
        for n in (1, 2):
            look(audit, n)
        assert [sends.run_once(Stop()) for _ in range(12)] == [0] * 11 + [2]
        tried = [got.json["details"]["subject"] for got in receiver.got]
    assert tried == ["/events/1"] * 12 + ["/events/2"]


def test_the_sink_of_the_audit_log_gets_no_alerts(tmp_path):
    with Site(tmp_path, TO_A_FILE) as site:
        config = site.config
        assert list(config.sinks) == ["ops"]
        assert list(config.every_sink) == ["ops", "audit"]
        assert config.cameras["yard"].sinks == ("ops",)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (("audit_sink: audit", "audit_sink: nowhere"), "http.audit_sink"),
        (("title: The yard", "sinks: [audit]"), "sinks"),
    ],
)
def test_a_sink_that_is_not_there_and_a_camera_that_names_it_are_refused(tmp_path, change, path):
    file = tmp_path / "config.yaml"
    file.write_text(TO_A_FILE.replace(*change).format(state=tmp_path))
    with pytest.raises(ConfigError, match=path):
        load(file, {})
