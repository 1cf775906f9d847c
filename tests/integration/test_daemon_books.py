"""The books of a running daemon: long footage, kill -9 in between, and both ledgers balance after each restart."""

import random
import signal
import sqlite3
from collections import Counter
from contextlib import closing

import pytest

from surveil.alerts.admin import check
from surveil.clock import Stop, SystemClock
from surveil.demo.rtp import Clip
from surveil.demo.rtsp_server import RtspServer
from tests.integration.world import Process, Webhook, config_text, samples, wait_for

pytestmark = [pytest.mark.rig, pytest.mark.slow, pytest.mark.timeout(600)]
RULES = [
    {"type": "intrusion", "zone": "yard", "after_s": 0.6, "linger_s": 0.4},
    {"type": "intrusion", "name": "again", "zone": "yard", "after_s": 0.2, "linger_s": 0.2, "cooldown_s": 3},
    {"type": "line_crossing", "line": "gate"},
]
KILLS = 3

DELIVERED = """
SELECT a.id FROM alerts a JOIN deliveries d ON d.alert = a.seq WHERE d.sink = 'ops' AND d.state = 'delivered'"""


def balance(page):
    """Rule → raised − opened − joined − suppressed − pending, and how many were raised in all."""
    left, raised = Counter(), 0
    for (name, labels), n in samples(page).items():
        if name == "surveil_ledger_signals":
            told = dict(labels)
            left[told["rule"]] += n if told["outcome"] == "raised" else -n
            raised += n if told["outcome"] == "raised" else 0
    return {rule: n for rule, n in left.items() if n}, raised


def rows(state, query):
    with closing(sqlite3.connect(f"file:{state}/surveil.db?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()


def lived(daemon, hook, more):
    """Whether so many more signals were raised and an alert was told; every page on the way balances."""
    left, raised = balance(daemon.get("/metrics")[1])
    assert left == {}
    return raised >= more and hook.starts("intrusion")


def test_both_ledgers_balance_after_every_kill(tmp_path, passing_clip):
    state, path, rng = tmp_path / "state", tmp_path / "config.yaml", random.Random(4)
    with RtspServer(Clip(passing_clip)) as camera, Webhook() as hook:
        text = config_text(camera.url, state, hook.url, rules=RULES, top={"storm": {"max_per_hour": 6}})
        dead = '"dead": {"type": "webhook", "url": "http://127.0.0.1:9/"}, "ops"'
        path.write_text(text.replace('"ops"', dead, 1))
        raised = 0
        for _ in range(KILLS):
            with Process(path) as daemon:
                wait_for(lambda: lived(daemon, hook, raised + 30), 120)  # noqa: B023
                SystemClock().sleep(rng.uniform(0, 1), Stop())  # The random moment is the point of the test.
                raised = balance(daemon.get("/metrics")[1])[1]
                daemon.end(signal.SIGKILL)
            assert check(state / "surveil.db").problems == ()
        with Process(path) as daemon:
            left, after = balance(daemon.get("/metrics")[1])
            # What waited when the program was killed has an outcome by now.
            assert left == {}
            assert after > 0
            wait_for(lambda: lived(daemon, hook, after + 30), 120)
            assert daemon.end() == 0
    verdict = check(state / "surveil.db")
    assert verdict.problems == ()
    books = Counter()
    for outcome, n in rows(state, "SELECT outcome, n FROM ledger"):
        books[outcome] += n
    assert books["raised"] == books["opened"] + books["joined"] + books["suppressed"]
    delivered = {i for (i,) in rows(state, DELIVERED)}
    assert delivered
    assert delivered <= set(hook.keys)
    assert {n for (n,) in rows(state, "SELECT count(*) FROM deliveries GROUP BY sink")} == {verdict.alerts}
