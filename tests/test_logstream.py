"""A log that cannot be written costs lines and nothing else; what repeats does not fill it."""

import fcntl
import io
import json
import logging
import os
import select
import socket
import sys
import threading
from pathlib import Path

import pytest
import structlog

from surveil import logs
from surveil.alerts.delivery import Context, Delivery
from surveil.alerts.sinks.log import LogSink, LogSinkSettings
from surveil.clock import ManualClock, Stop
from surveil.errors import RetryLater
from surveil.logstream import BURST, Flood, LineLoss, LineStream, losses
from surveil.threads import ThreadGroup
from tests.alerts.helpers import alert

FULL = Path("/dev/full")
log = structlog.get_logger("surveil.test")


def lost(loss=LineLoss.UNWRITABLE):
    return losses.counts()[loss]


@pytest.fixture
def pipe():
    """A pipe of four pages: its reader's descriptor, and the stream that writes to it."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 16384)
    stream = os.fdopen(writer, "w")
    ends = [reader]
    yield ends, stream
    for end in ends:
        os.close(end)
    stream.close()


def read_all(descriptor):
    """What a pipe holds now."""
    text = b""
    while select.select([descriptor], [], [], 0)[0]:
        text += os.read(descriptor, 1 << 16)
    return text.decode()


def test_a_full_disk_costs_the_lines_and_nothing_else():
    before = lost()
    with FULL.open("w") as stream:
        logs.configure(stream=stream)
        for n in range(5):
            log.warning("camera lost", camera=f"c{n}")
        logging.getLogger("library").warning("a library's word")
    assert lost() == before + 6


def test_a_reader_that_has_gone_costs_the_lines_and_nothing_else(pipe):
    ends, stream = pipe
    logs.configure(stream=stream)
    os.close(ends.pop())
    before = lost()
    log.warning("camera lost")
    log.critical("a core thread failed")
    assert lost() == before + 2


def test_a_stream_that_was_closed_costs_the_lines_and_nothing_else():
    stream = io.StringIO()
    logs.configure(stream=stream)
    stream.close()
    before = lost()
    log.warning("camera lost")
    assert lost() == before + 1


def test_nobody_waits_for_a_pipe_that_nobody_reads_and_the_gap_is_told(pipe):
    (reader,), stream = pipe
    logs.configure(stream=stream)
    before = lost()
    for n in range(100):
        log.warning("camera lost", camera=f"c{n}", reason="x" * 300)
    missing = lost() - before
    assert 0 < missing < 100
    kept = [json.loads(line) for line in read_all(reader).splitlines()]
    assert [line["camera"] for line in kept] == [f"c{n}" for n in range(100 - missing)]
    log.info("all is well again")
    gap, line = (json.loads(line) for line in read_all(reader).splitlines())
    assert (gap["event"], gap["times"]) == ("log lines could not be written and were dropped", missing)
    assert line["event"] == "all is well again"


def test_a_line_that_was_cut_does_not_garble_the_next(pipe):
    (reader,), stream = pipe
    lines = LineStream(stream, lambda n: f"{n} missing")
    lines.write("a" * 20_000)
    read_all(reader)
    lines.write("b")
    assert read_all(reader) == "\n1 missing\nb\n"


def test_a_long_line_arrives_whole_where_somebody_reads(pipe):
    (reader,), stream = pipe
    found = []
    thread = threading.Thread(target=lambda: found.append(os.read(reader, 4096) + os.read(reader, 4096)))
    thread.start()
    LineStream(stream, str).write("é" * 3000)
    thread.join()
    assert found[0].decode() == "é" * 3000 + "\n"


def test_a_journal_that_reads_nothing_costs_lines_and_no_time(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "socket"))
        monkeypatch.setattr(logs, "_JOURNAL", str(tmp_path / "socket"))
        logs.configure("journal")
        before = lost()
        for n in range(2000):
            log.warning("camera lost", camera=f"c{n}")
        assert lost() - before > 1000
    before = lost()
    with FULL.open("w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        logs._journal()._socket.close()
        logs._journal.cache_clear()
        log.warning("the journal is away and stderr is full")
        logs._journal()._socket.close()
        logs._journal.cache_clear()
    assert lost() == before + 1


def test_a_thread_that_fails_ends_the_group_whatever_the_log_does():
    def fails():
        raise ValueError("why")

    with FULL.open("w") as stream:
        logs.configure(stream=stream)
        group = ThreadGroup(Stop())
        group.start("detect", fails).join()
    assert isinstance(group.failure, ValueError)
    assert group.stop


def test_what_cannot_be_encoded_is_written_all_the_same(tmp_path):
    with (tmp_path / "log").open("w") as stream:
        LineStream(stream, str).write("half \ud800")
    assert (tmp_path / "log").read_text() == "half \\ud800\n"


# What repeats.


def test_a_camera_that_flaps_is_some_lines_a_minute_and_then_how_many_were_held_back():
    stream, clock = io.StringIO(), ManualClock()
    logs.configure(stream=stream, clock=clock)
    for n in range(100):
        log.warning("camera lost", camera="gate", cause="reset", reason=f"attempt {n}")
        log.warning("camera lost", camera="yard", cause="reset", reason=f"attempt {n}")
    clock.advance(61.0)
    log.warning("camera lost", camera="gate", cause="reset")
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["camera"] for line in told] == ["gate", "yard"] * BURST + ["gate"]
    assert told[-1]["held_back"] == 100 - BURST


def test_malformed_requests_are_some_lines_a_minute_whatever_they_are_about():
    stream = io.StringIO()
    logs.configure(stream=stream, clock=ManualClock())
    before = lost(LineLoss.REPEATED)
    for n in range(1000):
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received from %s.", n)
    assert len(stream.getvalue().splitlines()) == BURST
    assert lost(LineLoss.REPEATED) == before + 1000 - BURST


def test_alerts_in_the_log_are_never_held_back_and_wait_while_it_cannot_be_written():
    sink = LogSink(LogSinkSettings(type="log"), Context(name="lines"))
    stream = io.StringIO()
    logs.configure(stream=stream, clock=ManualClock())
    for n in range(10 * BURST):
        sink.deliver(Delivery(alert(n)))
        sink.deliver(Delivery(alert(n, "end")))
    assert len(stream.getvalue().splitlines()) == 20 * BURST
    with FULL.open("w") as full:
        logs.configure(stream=full, clock=ManualClock())
        with pytest.raises(RetryLater, match="the log cannot be written"):
            sink.deliver(Delivery(alert(0)))


def test_alerts_are_in_the_log_whatever_its_level_is():
    stream = io.StringIO()
    logs.configure(level="error", stream=stream, clock=ManualClock())
    LogSink(LogSinkSettings(type="log"), Context(name="lines")).deliver(Delivery(alert(0)))
    log.warning("anything else")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["person in yard"]


def test_why_the_program_ends_is_always_said():
    stream = io.StringIO()
    logs.configure(stream=stream, clock=ManualClock())
    for _ in range(3 * BURST):
        log.critical("a core thread failed")
    assert len(stream.getvalue().splitlines()) == 3 * BURST


def test_the_memory_of_a_flood_is_bounded():
    flood = Flood(ManualClock())
    for n in range(5000):
        flood.passes(n)
    assert len(flood._seen) <= 1024
