"""Damaged databases: the daemon's start survives every one, and delivers every alert that is intact."""

import json
import os
import sqlite3
from contextlib import closing

import pytest

from surveil.alerts.admin import check, list_alerts, show
from surveil.alerts.database import aside
from surveil.alerts.outbox import Outbox
from surveil.alerts.records import LOST
from surveil.clock import ManualClock
from surveil.damage import Damaged, found
from surveil.filesystem import clear_logs
from tests.alerts.helpers import alert
from tests.survival.databases import NEW, SINKS, run, sound, used


@pytest.mark.parametrize("seed", [20, 21])
def test_no_damage_keeps_the_daemon_from_starting_or_an_intact_alert_from_being_delivered(tmp_path, seed):
    outcomes = run(tmp_path, seed, 25)
    assert outcomes["intact alerts lost"] == 0
    assert outcomes["set aside"] > 0


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return sound(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def path(tmp_path, original):
    (tmp_path / "surveil.db").write_bytes(original[0])
    return tmp_path / "surveil.db"


@pytest.fixture
def waiting(original):
    return set(original[1])


def execute(path, *statements):
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


PENDING = "(SELECT min(alert) FROM deliveries WHERE state = 'pending' AND alert > 4)"
OPEN = "(SELECT max(alert) FROM open_events)"
BODIES = {
    "cut": "substr(body, 1, 40)",
    "no field is there": "'{}'",
    "a list": "'[]'",
    "not UTF-8": "CAST(x'ff7b7d' AS TEXT)",
    "bytes": "x'ff00'",
    "empty": "''",
    "no time": 'replace(body, \'"t_wall":\', \'"t_wall":null,"u":\')',
    "a time that is no date": 'replace(body, \'"t_wall":\', \'"t_wall":1e300,"u":\')',
    "a number for a text": 'replace(body, \'"text":\', \'"text":7,"u":\')',
    "a phase that there is not": 'replace(body, \'"phase":"start"\', \'"phase":"stort"\')',
    "half a character": "replace(body, 'person', 'p\\ud800')",
    "a picture elsewhere": 'replace(body, \'"evidence":{}\', \'"evidence":{"snapshot":"/etc/passwd"}\')',
    "a picture above": 'replace(body, \'"evidence":{}\', \'"evidence":{"snapshot":"evidence/../../x"}\')',
    "nested too deep": "'" + "[" * 5000 + "'",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("which", [PENDING, OPEN], ids=["waiting", "open"])
def test_an_alert_whose_record_is_damaged_is_told_without_its_details_and_the_others_whole(
    path, waiting, body, which
):
    execute(path, f"UPDATE alerts SET body = {body} WHERE seq = {which}")
    before = found.counts()[Damaged.ALERT]
    outbox = Outbox.open(path, SINKS, ManualClock())
    told = []
    while (delivery := outbox.queue.next("ops")) is not None:
        told.append(delivery.alert)
        outbox.queue.delivered("ops", delivery.seq)
    outbox.close()
    assert waiting <= {one.id for one in told}
    (damaged,) = [one for one in told if one.text == LOST]
    assert (damaged.camera, damaged.rule, damaged.phase, damaged.degraded) == (
        "gate",
        "intrusion",
        "start",
        True,
    )
    json.dumps(damaged.details)
    assert found.counts()[Damaged.ALERT] == before + 1
    assert any(one.alert.text == LOST for one in list_alerts(path))
    assert show(path, damaged.id)


SIDE = {
    "folder": lambda file: file.mkdir(),
    "link to nowhere": lambda file: file.symlink_to("/nonexistent/x"),
    "link to itself": lambda file: file.symlink_to(file.name),
    "pipe": os.mkfifo,
    "bytes": lambda file: file.write_bytes(b"\x37\x7f\x06\x82" * 999),
}


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("put", SIDE.values(), ids=SIDE)
def test_whatever_lies_in_the_place_of_its_log_costs_no_alert(path, waiting, put, suffix):
    put(path.with_name(path.name + suffix))
    outbox = Outbox.open(path, SINKS, ManualClock())
    told = set()
    while (delivery := outbox.queue.next("ops")) is not None:
        told.add(delivery.alert.id)
        outbox.queue.delivered("ops", delivery.seq)
    outbox.close()
    assert waiting <= told


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_a_second_folder_in_the_place_of_a_log_is_moved_too(path, suffix):
    for _ in range(2):
        (path.with_name(path.name + suffix) / "of somebody").mkdir(parents=True)
        Outbox.open(path, SINKS, ManualClock()).close()
    moved = path.with_name(f"{path.name}{suffix}.damaged")
    assert (moved / "of somebody").is_dir()
    assert (moved.with_name(f"{moved.name}-2") / "of somebody").is_dir()


def test_a_log_that_appears_at_any_time_is_not_moved(tmp_path, monkeypatch):
    log, looks = tmp_path / "surveil.db-wal", []

    def appearing_after(look):
        def looked(path, *how, **ways):
            try:
                return look(path, *how, **ways)
            finally:
                if str(path) == str(log):
                    looks.append(path)
                    os.close(os.open(log, os.O_CREAT))

        return looked

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", appearing_after(os.stat))
        patched.setattr(os, "lstat", appearing_after(os.lstat))
        clear_logs(tmp_path / "surveil.db")
    assert looks
    assert log.is_file()


def test_a_link_to_itself_is_set_aside(path):
    path.unlink()
    path.symlink_to(path.name)
    outbox = Outbox.open(path, SINKS, ManualClock())
    assert outbox.queue.next("ops") is not None
    outbox.close()


def test_an_open_event_whose_record_is_damaged_is_ended(path):
    execute(path, f"UPDATE alerts SET body = '{{' WHERE seq = {OPEN}")
    outbox = Outbox.open(path, SINKS, ManualClock())
    n = len(outbox.open_events())
    assert len(outbox.end_open_events(1.0)) == n
    assert not outbox.open_events()
    outbox.close()


ROWS = {
    "the clock is no number": "UPDATE state SET value = '1l.5' WHERE key = 'clock_s'",
    "the clock is nan": "UPDATE state SET value = 'nan' WHERE key = 'clock_s'",
    "the clock is absurd": "UPDATE state SET value = '1e300' WHERE key = 'clock_s'",
    "the clock went back": "UPDATE state SET value = '-5' WHERE key = 'clock_s'",
    "the clock is gone": "DELETE FROM state WHERE key = 'clock_s'",
    "no state is JSON": "UPDATE state SET value = '{\"' WHERE key <> 'clock_s'",
    "states of another kind": "UPDATE state SET value = '[[1],{}]' WHERE key <> 'clock_s'",
    "states nested too deep": f"UPDATE state SET value = '{'[' * 5000}' WHERE key <> 'clock_s'",
    "the cap's moments are no numbers": (
        'UPDATE state SET value = \'{"gate": {"start": "x"}}\' WHERE key = \'storm\''
    ),
    "the cap's moments are no dates": (
        'UPDATE state SET value = \'{"gate": {"start": 1, "since": 1e300, "withheld": 2}}\' WHERE key = \'storm\''
    ),
    "books in words": "UPDATE ledger SET n = 'x'",
    "books below nothing": "UPDATE ledger SET n = -7",
    "totals in words": "INSERT INTO purged VALUES ('ops', 'dead', 'x')",
    "totals of a state that there is not": "INSERT INTO purged VALUES ('ops', 'daed', 1)",
    "attempts in words": "UPDATE deliveries SET attempts = 'x', suspect_failures = x'00'",
    "deliveries of no age": "UPDATE deliveries SET created_s = 'x'",
    "deliveries of the far past": "UPDATE deliveries SET created_s = -1e12",
    "deliveries of the far future": "UPDATE deliveries SET created_s = 1e300",
    "alerts of no age": "UPDATE alerts SET created_s = 'x'",
    "events that do not fit": "UPDATE deliveries SET event_id = 'x' || alert",
    "an open event without its alert": "INSERT INTO open_events VALUES ('x', 77777)",
    "pictures of no size": "UPDATE evidence SET bytes = 'x'",
    "a column is gone": "ALTER TABLE deliveries DROP COLUMN error",
    "a table is gone": "DROP TABLE deliveries",
    "another table is there": "CREATE TABLE more (x)",
    "an index is gone": "DROP INDEX deliveries_pending",
    "schema 0": "PRAGMA user_version = 0",
    "schema 1": "PRAGMA user_version = 1",
    "schema below nothing": "PRAGMA user_version = -5",
    "schema with a flipped bit": "PRAGMA user_version = 4099",
}


@pytest.mark.parametrize("statement", ROWS.values(), ids=ROWS)
def test_a_row_that_is_damaged_costs_what_it_says_and_no_alert(path, waiting, statement):
    execute(path, statement)
    ops, mail, outbox = used(path)
    outbox.close()
    assert waiting | {NEW.id} <= ops & mail
    again = used(path)[2]
    assert (again.set_aside, again.repaired) == (None, 0)
    again.close()


def test_a_database_with_damaged_rows_is_told_of_once(path):
    execute(path, "UPDATE ledger SET n = 'x'")
    before = found.counts()[Damaged.RECORD]
    for _ in range(2):
        outbox = Outbox.open(path, SINKS, ManualClock())
        outbox.close()
    told = [one.alert for one in list_alerts(path) if one.alert.rule == "storage"]
    assert [one.key for one in told] == ["records"]
    assert "repaired or dropped" in told[0].text
    assert found.counts()[Damaged.RECORD] > before


def test_what_is_taken_over_from_a_damaged_database_is_told(path, waiting):
    execute(path, "DROP TABLE ledger")
    before = found.counts()[Damaged.DATABASE]
    outbox = Outbox.open(path, SINKS, ManualClock())
    assert outbox.salvaged == len(waiting) + 3
    outbox.close()
    (told,) = [one.alert for one in list_alerts(path) if one.alert.rule == "storage"]
    assert told.text == (
        f"the outbox database was damaged; {len(waiting) + 3} alerts were recovered into a new one, "
        f"the unreadable rest is in {outbox.set_aside.name}"
    )
    assert found.counts()[Damaged.DATABASE] == before + 1
    assert aside(path.parent) == [outbox.set_aside]
    assert check(path).problems == ()


@pytest.mark.parametrize("what", ["folder", "empty", "a log that is none"])
def test_something_else_in_the_place_of_the_database_is_no_obstacle(tmp_path, what):
    path = tmp_path / "surveil.db"
    match what:
        case "folder":
            path.mkdir()
        case "empty":
            path.write_bytes(b"")
        case _:
            (tmp_path / "surveil.db-wal").write_bytes(b"\xff" * 50_000)
            (tmp_path / "surveil.db-shm").write_bytes(b"\xff" * 32_768)
    ops, _, outbox = used(path)
    outbox.close()
    assert NEW.id in ops


def test_pictures_elsewhere_are_never_deleted(path, tmp_path):
    victim = tmp_path.parent / "victim"
    victim.write_text("x")
    rows = [
        f"INSERT INTO evidence VALUES ('{name}', 'gate', -1, 1)" for name in (victim, "evidence/../../victim")
    ]
    execute(path, *rows)
    outbox = Outbox.open(path, SINKS, ManualClock())
    assert all(one.path.startswith("evidence/gate/") for one in outbox.evidence.before(1e18, None, 64))
    outbox.close()
    assert victim.exists()


def test_an_old_alert_whose_deliveries_are_lost_is_not_sent_again(path, original):
    execute(
        path, "UPDATE alerts SET created_s = 0", "UPDATE state SET value = '900000' WHERE key = 'clock_s'"
    )
    outbox = Outbox.open(path, SINKS, ManualClock())
    outbox.committer.commit([alert(500)])
    outbox.db.checkpoint(force=True)
    outbox.close()
    execute(path, "DROP TABLE deliveries", "PRAGMA wal_checkpoint(TRUNCATE)")
    outbox = Outbox.open(path, SINKS, ManualClock())
    assert outbox.queue.counts()["ops"]["pending"] == 2
    outbox.close()
