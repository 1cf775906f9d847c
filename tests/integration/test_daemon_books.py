"""The books of a running daemon: long footage, kill -9 in between, and both ledgers balance after each restart."""

import random
import signal

import pytest

from surveil.alerts.admin import check
from surveil.clock import Stop, SystemClock
from surveil.demo.rtp import RtpClip
from surveil.demo.rtsp_server import RtspServer
from tests.integration.books import Signals, deliveries, in_database, on_page, rows
from tests.integration.world import Process, Webhook, config_text, wait_for

pytestmark = [pytest.mark.rig, pytest.mark.slow, pytest.mark.timeout(600)]
RULES = [
    {"type": "intrusion", "zone": "yard", "after_s": 0.6, "linger_s": 0.4},
    # Whoever comes next comes within a minute: he is not told of.
    {"type": "intrusion", "name": "again", "zone": "yard", "after_s": 0.2, "linger_s": 0.2, "cooldown_s": 60},
    {"type": "line_crossing", "line": "gate"},
]
KILLS = 2

DELIVERED = """
SELECT a.id FROM alerts a JOIN deliveries d ON d.alert = a.seq WHERE d.sink = 'ops' AND d.state = 'delivered'"""


def balanced(daemon) -> dict[tuple[str, str], Signals]:
    """The signals on a daemon's page; every signal has its outcome."""
    books = on_page(daemon.get("/metrics")[1])
    assert {rule: book.unexplained for rule, book in books.items() if book.unexplained} == {}
    return books


def raised(books) -> int:
    return sum(book.of["raised"] for book in books.values())


def lived(daemon, hook, more):
    """Whether so many signals were raised in all and an alert was told; every page on the way balances."""
    return raised(balanced(daemon)) >= more and hook.starts("intrusion")


def quietened(daemon):
    """Whether somebody came while a rule was quiet."""
    return balanced(daemon)["yard", "again"].why["cooldown"] > 0


def test_both_ledgers_balance_after_every_kill(tmp_path, passing_clip):
    state, path, rng = tmp_path / "state", tmp_path / "config.yaml", random.Random(4)
    with RtspServer(RtpClip(passing_clip)) as camera, Webhook() as hook:
        text = config_text(camera.url, state, hook.url, rules=RULES, top={"storm": {"max_per_hour": 6}})
        dead = '"dead": {"type": "webhook", "url": "http://127.0.0.1:9/"}, "ops"'
        path.write_text(text.replace('"ops"', dead, 1))
        before = 0
        for _ in range(KILLS):
            with Process(path) as daemon:
                wait_for(lambda: lived(daemon, hook, before + 30), 120)  # noqa: B023
                SystemClock().sleep(rng.uniform(0, 1), Stop())  # The random moment is the point of the test.
                before = raised(balanced(daemon))
                daemon.end(signal.SIGKILL)
            assert check(state / "surveil.db").problems == ()
        with Process(path) as daemon:
            # What waited when the program was killed has an outcome by now.
            after = raised(balanced(daemon))
            assert after > 0
            wait_for(lambda: lived(daemon, hook, after + 30), 120)
            wait_for(lambda: quietened(daemon), 120)
            assert daemon.end() == 0
    verdict = check(state / "surveil.db")
    assert verdict.problems == ()
    books = in_database(state / "surveil.db")
    assert {rule: (book.unexplained, book.untold) for rule, book in books.items()} == dict.fromkeys(
        books, (0, 0)
    )
    assert books["yard", "again"].why["cooldown"] > 0
    assert not any(book.of["pending"] for book in books.values())
    delivered = {i for (i,) in rows(state / "surveil.db", DELIVERED)}
    assert delivered
    assert delivered <= set(hook.keys)
    assert {sum(ways.values()) for ways in deliveries(state / "surveil.db").values()} == {verdict.alerts}
