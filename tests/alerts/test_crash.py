"""What a crash must not take: real kill -9, and the system calls of a commit."""

from __future__ import annotations

import email
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
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
from tests import forked
from tests.integration.world import wait_for

from .crasher import sinks
from .helpers import Got, Receiver
from .servers import (
    Grafana,
    Mailbox,
    alertmanager,
    forward,
    free_port,
    make_certificate,
    mosquitto,
    needs,
    server_tls,
    smtp,
)

ROOT = Path(__file__).parents[2]


def run_and_kill(state_dir: Path, first: int, after_s: float) -> list[str]:
    """Run the victim, kill it `after_s` after its first commit; return the ids it said were committed."""
    ours, its = os.pipe()
    with os.fdopen(ours) as told:
        with os.fdopen(its, "w") as stdout:
            victim = forked.Child(["-m", "tests.alerts.crasher", state_dir, first], stdout=stdout, cwd=ROOT)
        lines = [next(line for line in told if is_id(line))]
        time.sleep(after_s)  # The random moment is the point of the test.
        victim.kill()
        lines += [line for line in told if is_id(line)]
    victim.wait()
    return [line.strip() for line in lines]


def is_id(line: str) -> bool:
    """Whether a line of the victim is an id, whole, and not of its log."""
    return len(line) == 37


def deliver_the_rest(state_dir: Path) -> Outbox:
    """Deliver to the live sinks what is left; return the outbox."""
    kinds = sinks(state_dir / "sinks.json")
    clock = SystemClock()
    outbox = Outbox.open(state_dir / "outbox.db", list(kinds), clock)
    outbox.end_open_events(0.0)
    for name in sorted(set(kinds) - {"dead"}):
        sink = make_sink(kinds[name], Context(name=name, state_dir=state_dir))
        courier = Courier(name, sink, outbox, clock, OutboxSettings())
        while courier.run_once():
            pass
        sink.close()
    return outbox


class Counterparts:
    """A webhook receiver, and with `everything` a server of each other kind; what arrived at each."""

    def __init__(self, folder: Path, stack: ExitStack, *, everything: bool) -> None:
        self.receiver = stack.enter_context(Receiver(answer=self._answer))
        self.grafana, self.box = Grafana(), Mailbox()
        self._heard: list[str] = []
        self._alertmanager = ""
        url = self.receiver.url.removesuffix("/hook")
        kinds: dict[str, dict[str, object]] = {
            "live": {"type": "webhook", "url": self.receiver.url},
            "file": {"type": "file", "path": "alerts.jsonl"},
            "dead": {"type": "webhook", "url": "http://127.0.0.1:9/"},
            "log": {"type": "log"},
        }
        if everything:
            kinds |= self._everything(folder, stack, url)
        (folder / "sinks.json").write_text(json.dumps(kinds))

    def _everything(self, folder: Path, stack: ExitStack, url: str) -> dict[str, dict[str, object]]:
        certificate = make_certificate(folder / "tls")
        trusted, login = {"ca_file": str(certificate[0])}, {"username": "nvr", "password": "s3cret"}
        broker = free_port()
        stack.enter_context(mosquitto(folder, broker, *certificate))
        stack.enter_context(listening(broker, certificate, self._heard))
        relay = stack.enter_context(smtp(self.box, server_tls(*certificate), "starttls"))
        self._alertmanager = stack.enter_context(alertmanager(folder, f"{url}/told"))
        return {
            "mqtt": {"type": "mqtt", "host": "127.0.0.1", "port": broker, **trusted, **login},
            "mail": {
                "type": "email", "host": "127.0.0.1", "port": relay, **trusted, **login,
                "sender": "a@x.example", "recipients": ["b@x.example"],
            },
            "alertmanager": {"type": "alertmanager", "url": url},
            "grafana": {"type": "grafana", "url": url, "token": "t0ken"},
            "apprise": {"type": "apprise", "url": f"json://127.0.0.1:{self.receiver.port}/apprise"},
        }  # fmt: skip

    def _answer(self, got: Got) -> tuple:
        """Be the webhook and the service behind Apprise, as Grafana's API promises, and in front of Alertmanager."""
        if got.path.startswith("/api/annotations"):
            return self.grafana(got)
        return forward(self._alertmanager, got) if got.path == "/api/v2/alerts" else (200, {})

    def hooks(self) -> list[Got]:
        """What the webhook got."""
        return [got for got in self.receiver.got if got.path == "/hook"]

    def arrived(self, folder: Path, wanted: set[str]) -> dict[str, set[str]]:
        """Sink → ids of the alerts that came there. A broker passes on after it has acknowledged: it is waited for."""
        if self._alertmanager:
            with suppress(AssertionError):
                wait_for(lambda: wanted <= set(self._heard), 10)
        lines = (folder / "alerts.jsonl").read_text().splitlines()
        found = {
            "live": {got.json["id"] for got in self.hooks()},
            "file": {json.loads(line)["id"] for line in lines},
        }
        if self._alertmanager:
            got = self.receiver.got
            found["mqtt"] = set(self._heard)
            found["mail"] = {email.message_from_bytes(raw)["Idempotency-Key"] for raw in self.box.messages}
            found["alertmanager"] = {g.headers["Idempotency-Key"] for g in got if g.path == "/api/v2/alerts"}
            found["apprise"] = {g.json["message"].splitlines()[-1] for g in got if "/apprise" in g.path}
        return found

    def events(self) -> tuple[list[str], list[str]]:
        """Events that Grafana was told of, and those of them that are closed."""
        tag = [next(t for t in one["tags"] if t.startswith("event:"))[6:] for one in self.grafana.annotations]
        closed = [t for t, one in zip(tag, self.grafana.annotations, strict=True) if "timeEnd" in one]
        return tag, closed


@contextmanager
def listening(port: int, certificate: tuple[Path, Path], heard: list[str]) -> Iterator[None]:
    """Note the ids of all alerts that the broker passes on."""
    import paho.mqtt.client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion

    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.tls_set(str(certificate[0]))
    client.username_pw_set("nvr", "s3cret")
    client.on_message = lambda _c, _d, m: heard.append(json.loads(m.payload)["id"])
    subscribed = threading.Event()
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_connect = lambda c, *_: c.subscribe("+/+/+/alert", qos=1)
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert subscribed.wait(10)
    yield
    client.disconnect()
    client.loop_stop()


def kill_often(tmp_path: Path, times: int, seed: int = 1, *, everything: bool = False) -> tuple[int, int]:
    """Kill `times`; assert that nothing is lost; return how many were committed and how many came twice."""
    rng = random.Random(seed)
    committed: list[str] = []
    with ExitStack() as stack:
        world = Counterparts(tmp_path, stack, everything=everything)
        for n in range(times):
            committed += run_and_kill(tmp_path, n * 100_000, rng.uniform(0.0, 0.4))
        outbox = deliver_the_rest(tmp_path)
        hooks, arrived = world.hooks(), world.arrived(tmp_path, set(committed))
    assert len(committed) > times
    assert {name: set(committed) - ids for name, ids in arrived.items() if set(committed) - ids} == {}
    assert all(got.headers["Idempotency-Key"] == got.json["id"] for got in hooks)
    assert_ordered(hooks)
    books = outbox.queue.counts()
    opened = outbox.ledger.totals()[Entry("gate", "intrusion", "opened")]
    if everything:
        events, closed = world.events()
        assert len(events) == len(set(events)) == opened
        assert sorted(closed) == sorted(events)
    outbox.close()
    assert {books[name]["pending"] for name in books if name != "dead"} == {0}
    received = [got.json["id"] for got in hooks]
    assert books["live"]["delivered"] == len(set(received))
    assert {sum(book.values()) for book in books.values()} == {2 * opened}
    assert check(tmp_path / "outbox.db").problems == ()
    for path in tmp_path.rglob("*.jpg"):
        assert path.read_bytes()[-2:] == b"\xff\xd9"
    return len(set(committed)), len(received) - len(set(received))


def assert_ordered(hooks: list[Got]) -> None:
    """No end came before its start."""
    started = set()
    for fields in (got.json for got in hooks):
        assert fields["phase"] == "start" or fields["event_id"] in started
        started.add(fields["event_id"])


@pytest.mark.rig
def test_a_request_cut_short_by_a_kill_was_not_received():
    with Receiver() as receiver, socket.create_connection(("127.0.0.1", receiver.port), timeout=5) as victim:
        victim.sendall(b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        victim.shutdown(socket.SHUT_WR)
        assert victim.recv(1) == b""
    assert receiver.got == []


@pytest.mark.timeout(300)
@pytest.mark.slow
def test_kill_9_loses_no_committed_alert(tmp_path):
    kill_often(tmp_path, int(os.environ.get("SURVEIL_KILLS", "8")))


@needs("mosquitto", "prometheus-alertmanager", "openssl")
@pytest.mark.server
@pytest.mark.timeout(300)
@pytest.mark.slow
def test_kill_9_loses_no_committed_alert_at_any_sink(tmp_path, apprise_threads):
    kill_often(tmp_path, 3, seed=2, everything=True)


COMMIT_THREE = """
import os, sys
from pathlib import Path
from tests.alerts.helpers import alert, frame, make_writer
from surveil.alerts.evidence import Evidence, FrameContext
from surveil.alerts.outbox import Outbox
from surveil.alerts.settings import EvidenceSettings
from surveil.alerts.writer import WriteJob
from surveil.clock import SystemClock
folder = Path(sys.argv[1])
outbox = Outbox.open(folder / "outbox.db", ["ops"], SystemClock())
writer = make_writer(outbox, folder, Evidence(folder, EvidenceSettings()))
for n in range(3):
    os.write(1, b"before")
    writer.write([WriteJob([alert(n)], FrameContext(frame=frame()))])
    os.write(1, b"after.")
"""
CALLS = "write,fsync,fdatasync,pwrite64,rename,renameat,renameat2"


def in_order_of_return(trace: str) -> list[str]:
    """The system calls of all threads, each where it came back."""
    begun: dict[str, str] = {}
    done = []
    for line in trace.splitlines():
        thread, call = line.split(maxsplit=1)
        if call.endswith("<unfinished ...>"):
            begun[thread] = call.removesuffix("<unfinished ...>").rstrip()
        elif resumed := re.match(r"<\.\.\. \w+ resumed>", call):
            done.append(begun.pop(thread) + call[resumed.end() :])
        else:
            done.append(call)
    return done


def where(calls: list[str], pattern: str) -> list[int]:
    return [n for n, call in enumerate(calls) if re.search(pattern, call)]


@pytest.mark.rig
@pytest.mark.skipif(
    shutil.which("strace") is None and os.environ.get("CI") != "true", reason="strace is not installed"
)
def test_pictures_and_then_their_alert_are_on_the_disk_before_a_write_returns(tmp_path):
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-y", "-s", "200", "-e", f"trace={CALLS}", "-o", str(trace)]
    run = subprocess.run(
        [*command, sys.executable, "-c", COMMIT_THREE, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    calls = in_order_of_return(trace.read_text())
    bounds = zip(where(calls, '"before"'), where(calls, r'"after\."'), strict=True)
    commits = [calls[first:last] for first, last in bounds]
    assert len(commits) == 3
    for commit in commits:
        contents = where(commit, r"^fdatasync\(.*\.jpg\.tmp>\) += 0")
        names = where(commit, r"^rename.*\.jpg\.tmp\".*\) += 0")
        folder = where(commit, r"^fsync\(.*/evidence/gate/[-0-9]+>\) += 0")
        written = where(commit, r"^pwrite64\(.*outbox\.db-wal>")
        synced = where(commit, r"^f(data)?sync\(.*outbox\.db-wal>\) += 0")
        assert (len(contents), len(names)) == (2, 2)
        steps = [max(contents), min(names), max(names), max(folder), min(written), max(written), max(synced)]
        assert steps == sorted(steps)
