from __future__ import annotations

import sqlite3

import pytest

from surveil.alerts import admin
from surveil.alerts.courier import Courier
from surveil.alerts.database import connect, migrate, migrations, transaction
from surveil.alerts.delivery import Context
from surveil.alerts.outbox import Outbox
from surveil.alerts.settings import OutboxSettings
from surveil.alerts.sinks import make_sink
from surveil.alerts.sinks.webhook import WebhookSettings
from surveil.clock import ManualClock
from surveil.errors import StateError

from .helpers import T0, Receiver, alert
from .servers import tmpfs


@pytest.fixture
def path(tmp_path, outbox):
    """Three events: one delivered, one dead with its end, one pending."""
    outbox.committer.commit([alert(0), alert(1), alert(1, "end"), alert(2)])
    outbox.queue.delivered("ops", outbox.queue.next("ops").seq)
    outbox.queue.rejected("ops", outbox.queue.next("ops").seq, "HTTP 400")
    outbox.queue.failed("ops", outbox.queue.next("ops").seq, "connection refused")
    return tmp_path / "outbox.db"


def states(listed: list[admin.Listed]) -> list[tuple[float, str, str, str, int, str]]:
    return [
        (one.alert.t, one.alert.phase, s.state, s.reason, s.attempts, s.error)
        for one in listed
        for s in one.sinks
    ]


def test_the_list_has_the_newest_first_with_state_attempts_and_last_error(path):
    assert states(admin.list_alerts(path)) == [
        (2.0, "start", "pending", "", 1, "connection refused"),
        (1.0, "end", "dead", "start_dead", 0, ""),
        (1.0, "start", "dead", "rejected", 1, "HTTP 400"),
        (0.0, "start", "delivered", "", 1, ""),
    ]
    assert [one.alert.t for one in admin.list_alerts(path, state="dead")] == [1.0, 1.0]
    assert admin.list_alerts(path, cameras=["door"]) == []
    assert len(admin.list_alerts(path, limit=1)) == 1


def test_an_alert_is_shown_by_the_beginning_of_its_id_or_its_events(path):
    assert [one.alert for one in admin.show(path, alert(1).id[:8])] == [alert(1)]
    assert [one.alert.phase for one in admin.show(path, alert(1).event_id)] == ["start", "end"]
    assert admin.show(path, "zz") == []


def test_retry_revives_an_event_in_its_order(path, outbox):
    prefixes = (alert(1, "end").id[:8], alert(1).event_id[:8], "zzz")
    assert admin.retry(path, prefixes=prefixes) == admin.Retried(2, ("zzz",))
    order = []
    while delivery := outbox.queue.next("ops"):
        order.append((delivery.alert.t, delivery.alert.phase))
        outbox.queue.delivered("ops", delivery.seq)
    assert order == [(1.0, "start"), (1.0, "end"), (2.0, "start")]


def test_what_is_retried_after_it_expired_does_not_expire_at_once(tmp_path, clock):
    outbox = Outbox.open(tmp_path / "outbox.db", ["ops"], clock, OutboxSettings(expire_after_days=1))
    outbox.committer.commit([alert(0)])
    clock.advance(3 * 86_400)
    assert outbox.queue.next("ops") is None
    assert admin.retry(tmp_path / "outbox.db", sink="ops") == admin.Retried(1)
    assert outbox.queue.next("ops") is not None
    outbox.close()


def test_purge_gives_up_what_is_dead_or_pending_and_the_books_stay_true(path, outbox):
    assert admin.purge(path, state="pending") == 1
    assert admin.purge(path) == 3
    assert outbox.queue.counts()["ops"] == {"pending": 0, "delivered": 1, "dead": 3}
    assert admin.check(path).problems == ()


def test_a_sound_outbox_has_no_problems(path):
    assert admin.check(path) == admin.AuditResult(alerts=4, pending=1, problems=())


SWAP = (
    "UPDATE deliveries SET state='delivered', attempts=1 WHERE alert=3;"
    "UPDATE deliveries SET state='pending' WHERE alert=2"
)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (SWAP,
         "1 ends were delivered before their starts"),
        ("DELETE FROM open_events; INSERT INTO open_events SELECT event_id, seq FROM alerts WHERE phase='end'",
         "1 open events have no start alert"),
        ("DELETE FROM alerts WHERE seq=1", "1 deliveries belong to no alert"),
        ("INSERT INTO ledger VALUES ('gate', 'r', 'opened', '', -1)", "1 ledger counters are negative"),
    ],
)  # fmt: skip
def test_check_names_what_is_wrong(path, damage, problem):
    db = sqlite3.connect(path)
    db.executescript(damage)
    db.close()
    assert problem in admin.check(path).problems


def test_check_says_that_a_database_is_damaged(tmp_path):
    (tmp_path / "outbox.db").write_bytes(b"no database" * 1000)
    assert admin.check(tmp_path / "outbox.db").problems == (
        "the database is damaged: SQLite cannot read all of it",
    )


def test_an_outbox_that_is_not_there_is_said(tmp_path):
    with pytest.raises(StateError, match="no outbox found; check the state directory"):
        admin.check(tmp_path / "outbox.db")
    assert not (tmp_path / "outbox.db").exists()


def test_a_database_of_the_first_version_is_brought_up_to_date(tmp_path, clock):
    path = tmp_path / "outbox.db"
    db = connect(path)
    with transaction(db):
        for statement in migrations()[0][1].split(";\n"):
            if statement.strip():
                db.execute(statement)
        db.execute("PRAGMA user_version=1")
    db.execute("INSERT INTO state VALUES ('storm', 'kept')")
    migrate(db)
    db.close()
    outbox = Outbox.open(path, ["ops"], clock)
    outbox.committer.commit([alert(0)])
    assert outbox.db.state("storm") == "kept"
    assert outbox.queue.counts()["ops"]["pending"] == 1
    outbox.close()


@pytest.mark.rig
def test_a_state_directory_that_cannot_be_written_is_said(tmp_path, clock):
    target = tmp_path / "ro"
    refused = pytest.raises(StateError, match=r"outbox\.db: .*(unable to open|readonly|Read-only)")
    with tmpfs(target, "ro,size=1m"), refused:
        Outbox.open(target / "outbox.db", ["ops"], clock)


@pytest.mark.rig
def test_a_clock_that_is_set_back_an_hour_disturbs_neither_order_nor_back_off(tmp_path):
    clock = ManualClock(wall=T0)
    outbox = Outbox.open(tmp_path / "outbox.db", ["ops"], clock)
    fails = [503, 200]
    with Receiver(answer=lambda _got: (fails.pop(0) if fails else 200, {})) as receiver:
        sink = make_sink(WebhookSettings(url=receiver.url), Context())
        courier = Courier("ops", sink, outbox, clock, OutboxSettings())
        outbox.committer.commit([alert(0)])
        courier.run_once()
        clock.set_wall(T0 - 3600)
        outbox.committer.commit([alert(1, t_wall=T0 - 3599)])
        assert courier.waits_s() <= 1.0
        clock.advance(1.0)
        while courier.run_once():
            pass
    assert [got.json["t"] for got in receiver.got] == [0.0, 0.0, 1.0]
    assert receiver.got[0].headers["Idempotency-Key"] == receiver.got[1].headers["Idempotency-Key"]
    outbox.close()


@pytest.mark.rig
def test_a_thousand_alerts_in_one_burst_are_all_delivered_once(outbox, clock):
    with Receiver() as receiver:
        courier = Courier(
            "ops", make_sink(WebhookSettings(url=receiver.url), Context()), outbox, clock, OutboxSettings()
        )
        for k in range(0, 1000, 50):
            outbox.committer.commit([alert(n) for n in range(k, k + 50)])
        while courier.run_once():
            pass
    assert [got.json["t"] for got in receiver.got] == [float(n) for n in range(1000)]
    assert outbox.queue.counts()["ops"] == {"pending": 0, "delivered": 1000, "dead": 0}
