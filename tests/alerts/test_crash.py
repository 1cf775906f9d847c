"""What a crash must not take: real kill -9, and the system calls of a commit."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from surveil.alerts.admin import check
from surveil.alerts.courier import Courier
from surveil.alerts.delivery import Context
from surveil.alerts.outbox import Outbox
from surveil.alerts.rows import Entry
from surveil.alerts.settings import OutboxSettings
from surveil.alerts.sinks import make_sink
from surveil.clock import SystemClock

from .crasher import sinks
from .helpers import Receiver

TESTS = Path(__file__).parent.parent


def run_and_kill(state_dir: Path, url: str, first: int, after_s: float) -> list[str]:
    """Run the victim, kill it `after_s` after its first commit; return the ids it said were committed."""
    command = [sys.executable, "-m", "alerts.crasher", str(state_dir), url, str(first)]
    victim = subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True)
    lines = [victim.stdout.readline()]
    time.sleep(after_s)  # The random moment is the point of the test.
    os.kill(victim.pid, signal.SIGKILL)
    lines += victim.stdout.read().splitlines(keepends=True)
    victim.stdout.close()
    victim.wait()
    return [line.strip() for line in lines if len(line) == 37]  # An id and the line end: not the log.


def deliver_the_rest(state_dir: Path, url: str) -> Outbox:
    """Deliver to the live sinks what is left; return the outbox."""
    kinds = sinks(url)
    clock = SystemClock()
    outbox = Outbox.open(state_dir / "outbox.db", list(kinds), clock)
    outbox.end_open_events(0.0)
    for name in ("live", "file"):
        sink = make_sink(kinds[name], Context(name=name, state_dir=state_dir))
        courier = Courier(name, sink, outbox, clock, OutboxSettings())
        while courier.run_once():
            pass
        sink.close()
    return outbox


def kill_often(tmp_path: Path, times: int, seed: int = 1) -> tuple[int, int]:
    """Kill `times`; assert that nothing is lost; return how many were committed and how many came twice."""
    rng = random.Random(seed)
    committed: list[str] = []
    with Receiver() as receiver:
        for n in range(times):
            committed += run_and_kill(tmp_path, receiver.url, n * 100_000, rng.uniform(0.0, 0.4))
        outbox = deliver_the_rest(tmp_path, receiver.url)
        received = [got.json["id"] for got in receiver.got]
        keys = {got.json["id"]: got.headers["Idempotency-Key"] for got in receiver.got}
    filed = [json.loads(line)["id"] for line in (tmp_path / "alerts.jsonl").read_text().splitlines()]
    assert len(committed) > times
    assert set(committed) - set(received) == set()
    assert set(committed) - set(filed) == set()
    assert all(key == i for i, key in keys.items())
    assert_ordered(received, receiver)
    books = outbox.counts()
    opened = outbox.ledger()[Entry("gate", "intrusion", "opened")]
    outbox.close()
    assert books["live"]["pending"] == 0
    assert books["live"]["delivered"] == len(set(received))
    assert sum(books["dead"].values()) == sum(books["live"].values()) == 2 * opened
    assert check(tmp_path / "outbox.db").problems == ()
    repeated = Counter(received).most_common(1)[0][1]
    assert repeated <= times
    for path in tmp_path.rglob("*.jpg"):
        assert path.read_bytes()[-2:] == b"\xff\xd9"
    return len(set(committed)), len(received) - len(set(received))


def assert_ordered(received: list[str], receiver: Receiver) -> None:
    """No end came before its start."""
    started = set()
    for got in receiver.got:
        fields = got.json
        assert fields["phase"] == "start" or fields["event_id"] in started
        started.add(fields["event_id"])


@pytest.mark.timeout(300)
@pytest.mark.slow
def test_kill_9_loses_no_committed_alert(tmp_path):
    kill_often(tmp_path, int(os.environ.get("SURVEIL_KILLS", "8")))


COMMIT_ONE = """
import sys, os
from pathlib import Path
from alerts.helpers import alert
from surveil.alerts.outbox import Outbox
from surveil.clock import SystemClock
outbox = Outbox.open(Path(sys.argv[1]) / "outbox.db", ["ops"], SystemClock())
for n in range(3):
    os.write(1, b"before")
    outbox.commit([alert(n)])
    os.write(1, b"after.")
"""


@pytest.mark.skipif(
    shutil.which("strace") is None and os.environ.get("CI") != "true", reason="strace is not installed"
)
def test_a_commit_is_on_the_disk_before_it_returns(tmp_path):
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-y", "-e", "trace=write,fsync,fdatasync,pwrite64", "-o", str(trace)]
    run = subprocess.run(
        [*command, sys.executable, "-c", COMMIT_ONE, str(tmp_path)],
        cwd=TESTS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    commits = re.findall(r'"before"(.*?)"after\."', trace.read_text(), re.DOTALL)
    assert len(commits) == 3
    for calls in commits:
        log = [c for c in calls.splitlines() if "outbox.db-wal>" in c]
        assert "pwrite64" in log[0]
        assert re.search(r"f(data)?sync\(.*\) += 0", log[-1])
