"""Logs: the right form for who reads, transitions and not occurrences, and no secret in any form."""

import io
import json
import logging
import os
import pty
import socket
import subprocess
import sys

import pytest
import structlog
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from surveil import logs
from surveil.alerts.courier import Courier
from surveil.alerts.outbox import Outbox
from surveil.alerts.settings import OutboxSettings
from surveil.alerts.sinks.base import BaseSink
from surveil.app.assembly import RuleErrors
from surveil.capture.status import StreamStatus
from surveil.clock import ManualClock
from surveil.errors import Cause, Rejected, SourceError
from surveil.metrics import Metrics
from tests.alerts.helpers import alert

SECRET = "hunter2-and-more"


@pytest.fixture(autouse=True)
def no_journal_left_open():
    yield
    logs._journal()._socket.close()
    logs._journal.cache_clear()


@pytest.fixture
def journal(tmp_path, monkeypatch):
    """A socket in the journal's place, and a stream that JOURNAL_STREAM names as systemd would."""
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver,
        (tmp_path / "stream").open("w+") as stream,
    ):
        receiver.bind(str(tmp_path / "socket"))
        receiver.settimeout(5)
        there = os.fstat(stream.fileno())
        monkeypatch.setattr(logs, "_JOURNAL", str(tmp_path / "socket"))
        monkeypatch.setenv("JOURNAL_STREAM", f"{there.st_dev}:{there.st_ino}")
        yield receiver, stream


def entry(receiver):
    """Parse one datagram of the journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL)."""
    data, fields = receiver.recv(1 << 20), {}
    while data:
        line, _, data = data.partition(b"\n")
        if b"=" in line:
            name, _, value = line.partition(b"=")
        else:
            size = int.from_bytes(data[:8], "little")
            name, value, data = line, data[8 : 8 + size], data[8 + size + 1 :]
        fields[name.decode()] = value.decode()
    return fields


def say(event="camera lost", **fields):
    structlog.get_logger("surveil.test").warning(event, **fields)


def fail():
    try:
        float(f"rtsp://joe:{SECRET}@192.0.2.7/")
    except ValueError as error:
        structlog.get_logger("surveil.test").error("it failed", exc_info=error)


def test_people_at_a_terminal_get_text():
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w") as terminal:
        logs.configure(stream=terminal)
        say(camera="gate", cause="refused")
        terminal.flush()
        text = os.read(reader, 10_000).decode()
    os.close(reader)
    assert "camera lost" in text
    assert "refused" in text
    assert not text.startswith("{")


def test_a_file_or_a_pipe_gets_json_lines():
    stream = io.StringIO()
    logs.configure(stream=stream)
    say(camera="gate", cause="refused")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["camera"], line["cause"]) == (
        "camera lost", "warning", "gate", "refused",
    )  # fmt: skip
    assert line["timestamp"].endswith("Z")


def test_the_journal_gets_fields(journal):
    receiver, stream = journal
    logs.configure(stream=stream)
    say(camera="gate", cause="refused", after_s=1.5)
    assert entry(receiver) == {
        "MESSAGE": "camera lost camera=gate cause=refused after_s=1.5",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "surveil",
        "SURVEIL_CAMERA": "gate",
        "SURVEIL_CAUSE": "refused",
        "SURVEIL_AFTER_S": "1.5",
    }


def test_the_journal_shows_a_traceback_without_being_asked(journal):
    receiver, stream = journal
    logs.configure(stream=stream)
    fail()
    found = entry(receiver)
    assert found["PRIORITY"] == "3"
    assert found["MESSAGE"].splitlines()[:2] == ["it failed", "Traceback (most recent call last):"]
    assert "ValueError: could not convert string to float" in found["MESSAGE"]


def test_a_stream_that_the_journal_does_not_read_is_not_the_journal_s(journal, tmp_path):
    """Whatever a service starts inherits the variable, and its output may go to a file."""
    with (tmp_path / "elsewhere").open("w+") as stream:
        logs.configure(stream=stream)
        say()
        stream.seek(0)
        assert json.loads(stream.read())["event"] == "camera lost"


def test_a_library_s_warning_goes_the_same_way_and_its_chatter_does_not():
    stream = io.StringIO()
    logs.configure(stream=stream)
    logging.getLogger("uvicorn").info("chatter")
    logging.getLogger("uvicorn").warning("careful, %s", "you")
    (line,) = map(json.loads, stream.getvalue().splitlines())
    assert (line["event"], line["level"], line["logger"]) == ("careful, you", "warning", "uvicorn")


def test_a_level_hides_what_is_below_it():
    stream = io.StringIO()
    logs.configure(level="error", stream=stream)
    say()
    assert stream.getvalue() == ""


@pytest.mark.parametrize("form", ["human", "json", "journal"])
def test_no_secret_gets_into_any_form(journal, form):
    receiver, _ = journal
    stream = io.StringIO()
    logs.hide([SECRET])
    logs.configure(form, stream=stream)
    say(f"to {SECRET}", where={"url": f"//joe:{SECRET}@h"}, tried=[(SECRET,)], error=OSError(SECRET))
    fail()
    told = stream.getvalue()
    if form == "journal":
        told += str([entry(receiver), entry(receiver)])
    assert "***" in told
    assert "it failed" in told
    assert SECRET not in told


@pytest.mark.parametrize("form", ["human", "json", "journal"])
def test_a_secret_of_one_letter_does_not_garble_our_own_words_and_names(journal, form, monkeypatch):
    receiver, _ = journal
    stream = io.StringIO()
    monkeypatch.setattr(logs, "_secrets", logs._Secrets())
    logs.hide(["p", "2", "i", "a"])
    logs.configure(form, stream=stream)
    structlog.get_logger().info(
        "a trip", camera="pad2", rule="trip", sink="pipe", cameras_added=["pad2"], why="a p"
    )
    told = stream.getvalue() or str(entry(receiver))
    for whole in ("a trip", "pad2", "trip", "pipe"):
        assert whole in told
    assert "*** ***" in told
    if form == "json":
        line = json.loads(told)
        assert line["level"] == "info"
        assert line["timestamp"].startswith("20")
        assert line["cameras_added"] == ["pad2"]


def test_a_library_s_message_is_cut_whatever_the_length_of_a_secret(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(logs, "_secrets", logs._Secrets())
    logs.hide(["xq"])
    logs.configure("json", stream=stream)
    logging.getLogger("library").warning("login joe:xq failed")
    assert "login joe:*** failed" in stream.getvalue()


# Transitions, not occurrences.


def test_a_window_tells_once_a_minute_and_how_often():
    clock = ManualClock()
    window = logs.LogThrottle(clock)
    assert [window.take() for _ in range(5)] == [1, 0, 0, 0, 0]
    clock.advance(59.0)
    assert window.take() == 0
    clock.advance(1.0)
    assert [window.take(), window.take()] == [6, 0]


def test_a_camera_that_stays_away_is_one_line_a_cause_and_one_when_it_is_back():
    status = StreamStatus("gate", Metrics(CollectorRegistry()), speaks=True)
    with capture_logs() as told:
        for cause in [Cause.REFUSED] * 50 + [Cause.TIMEOUT] * 50:
            status.lost(SourceError(cause, "why"))
            status.show("connecting")
        status.show("streaming")
    assert [(line["event"], line.get("cause")) for line in told] == [
        ("camera lost", "refused"), ("camera lost", "timeout"), ("camera is back", None),
    ]  # fmt: skip


class Refusing(BaseSink):
    """A receiver that takes nothing, for good."""

    def __init__(self):
        pass

    def deliver(self, _delivery):
        raise Rejected("ops.example:443: HTTP 404")


def test_a_storm_of_refused_alerts_is_a_line_a_minute(tmp_path):
    clock = ManualClock()
    outbox = Outbox.open(tmp_path / "surveil.db", ["ops"], clock, OutboxSettings())
    courier = Courier("ops", Refusing(), outbox, clock, OutboxSettings())
    try:
        with capture_logs() as told:
            outbox.committer.commit([alert(n) for n in range(30)])
            while courier.run_once():
                pass
            clock.advance(60.0)
            outbox.committer.commit([alert(30)])
            courier.run_once()
        refused = [line for line in told if line["event"] == "sink rejected alerts permanently"]
        assert [line["times"] for line in refused] == [1, 30]
        assert outbox.queue.counts()["ops"]["dead"] == 31
    finally:
        outbox.close()


def test_a_bug_in_a_rule_is_a_line_a_minute():
    clock, metrics = ManualClock(), Metrics(CollectorRegistry())
    errors = RuleErrors("gate", metrics, clock)
    with capture_logs() as told:
        for _ in range(300):
            errors("intrusion", ZeroDivisionError())
            clock.advance(0.2)
        errors("intrusion", ZeroDivisionError())
    assert [line["times"] for line in told] == [1, 300]


_FAILING = """
import sys, structlog
from surveil.cli import root
from surveil.cli.lazy import LazyCommand
from typer.main import get_command

def ask(password):
    raise ValueError("an answer that nobody foresaw")

command = get_command(root.app).commands["cameras"].commands["discover"]
command.make_context("discover", [])
try:
    ask("hunter2")
except ValueError:
    structlog.get_logger("surveil.test").exception("bug in the questions to a device")
"""


def test_a_command_without_a_configuration_logs_no_local_variables_and_nothing_to_stdout():
    done = subprocess.run([sys.executable, "-c", _FAILING], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "ValueError: an answer that nobody foresaw" in done.stderr
    assert "hunter2" not in done.stderr


def test_no_test_inherits_the_log_of_another():
    """Those above have set it up: what they hold back, such as a second `camera lost`, the next test may wait for."""
    assert not structlog.is_configured()
