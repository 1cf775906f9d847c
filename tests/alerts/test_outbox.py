from __future__ import annotations

import os
import sqlite3
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from surveil.alerts.admin import check, purge
from surveil.alerts.database import DamagedError, aside, connect, migrations
from surveil.alerts.outbox import Outbox
from surveil.alerts.payload import dump, load, to_dict
from surveil.alerts.rows import Entry
from surveil.alerts.settings import OutboxSettings
from surveil.clock import ManualClock
from surveil.errors import StateError
from tests.conftest import open_files

from .helpers import T0, alert

DAY = 86_400.0


def reopen(tmp_path: Path, clock: ManualClock, sinks: list[str] | None = None, **settings: object) -> Outbox:
    return Outbox.open(tmp_path / "outbox.db", sinks or ["ops"], clock, OutboxSettings(**settings))


def drain(outbox: Outbox, sink: str = "ops") -> list[str]:
    texts = []
    while (delivery := outbox.queue.next(sink)) is not None:
        texts.append(f"{delivery.alert.t:g} {delivery.alert.phase}")
        outbox.queue.delivered(sink, delivery.seq)
    return texts


def test_an_alert_survives_storage_unchanged():
    before = alert(
        7, direction="left", sinks=("ops", "mail"), evidence={"snapshot": "a.jpg"}, details={"n": [1, 2]}
    )
    assert load(dump(before)) == before


def test_the_public_form_has_the_promised_fields():
    assert to_dict(alert(0)) == {
        "schema": 1,
        "id": alert(0).id,
        "event_id": alert(0).event_id,
        "camera": "gate",
        "rule": "intrusion",
        "type": "intrusion",
        "phase": "start",
        "time": "2023-11-14T22:13:20.000Z",
        "t": 0.0,
        "score": 0.87,
        "label": "person",
        "zone": "yard",
        "line": "",
        "direction": "",
        "track": 3,
        "box": [100.0, 60.0, 180.0, 300.0],
        "text": "person in yard",
        "evidence": {},
        "reason": "",
        "degraded": False,
        "key": "yard/person",
        "details": {},
    }


def test_what_is_committed_is_delivered_in_order(outbox):
    outbox.committer.commit([alert(n) for n in range(3)])
    assert drain(outbox) == ["0 start", "1 start", "2 start"]
    assert outbox.queue.counts() == {"ops": {"pending": 0, "delivered": 3, "dead": 0}}


def test_ids_it_has_already_are_ignored(outbox):
    assert [a.t for a in outbox.committer.commit([alert(0), alert(0), alert(1)])] == [0.0, 1.0]
    assert outbox.committer.commit([alert(0), alert(1)]) == []
    assert outbox.queue.counts()["ops"]["pending"] == 2
    assert outbox.committer.known([alert(0).id, alert(9).id]) == {alert(0).id}


def test_undelivered_alerts_and_the_books_survive_a_restart(tmp_path, clock):
    first = reopen(tmp_path, clock)
    first.committer.commit([alert(0), alert(1)], {Entry("gate", "intrusion", "opened"): 2})
    first.ledger.add({Entry("gate", "intrusion", "suppressed", "cooldown"): 5})
    first.queue.delivered("ops", first.queue.next("ops").seq)
    first.close()
    again = reopen(tmp_path, clock)
    again.ledger.add({Entry("gate", "intrusion", "opened"): 1})
    assert again.queue.counts() == {"ops": {"pending": 1, "delivered": 1, "dead": 0}}
    assert again.ledger.totals() == {
        Entry("gate", "intrusion", "opened"): 3,
        Entry("gate", "intrusion", "committed"): 2,
        Entry("gate", "intrusion", "suppressed", "cooldown"): 5,
    }
    assert drain(again) == ["1 start"]
    again.close()


def test_an_end_waits_for_its_start_and_other_events_do_not(outbox):
    outbox.committer.commit([alert(0), alert(0, "end"), alert(1)])
    start = outbox.queue.next("ops")
    outbox.queue.failed("ops", start.seq, "500", suspect=True)
    assert drain(outbox) == ["1 start", "0 start", "0 end"]


def test_a_failure_that_is_the_sinks_keeps_the_order(outbox):
    outbox.committer.commit([alert(0), alert(1)])
    outbox.queue.failed("ops", outbox.queue.next("ops").seq, "connection refused")
    assert outbox.queue.next("ops").attempts == 1
    assert drain(outbox) == ["0 start", "1 start"]


def test_the_end_of_a_rejected_start_is_a_dead_letter_too(outbox):
    outbox.committer.commit([alert(0), alert(0, "end"), alert(1)])
    outbox.queue.rejected("ops", outbox.queue.next("ops").seq, "HTTP 400")
    outbox.committer.commit([replace(alert(0, "end"), id="late")])
    assert drain(outbox) == ["1 start"]
    assert outbox.queue.counts()["ops"] == {"pending": 0, "delivered": 1, "dead": 3}


def test_what_is_rejected_makes_room(tmp_path, clock):
    outbox = reopen(tmp_path, clock, max_pending=2)
    outbox.committer.commit([alert(0), alert(1)])
    for _ in range(2):
        outbox.queue.rejected("ops", outbox.queue.next("ops").seq, "HTTP 400")
    outbox.committer.commit([alert(2), alert(3), alert(4)])
    assert outbox.queue.counts()["ops"] == {"pending": 2, "delivered": 0, "dead": 3}
    outbox.close()


def test_alerts_go_to_the_sinks_they_name(tmp_path, clock):
    outbox = reopen(tmp_path, clock, ["ops", "mail"])
    outbox.committer.commit(
        [alert(0, sinks=("mail",)), alert(1), alert(2, sinks=()), alert(3, sinks=("gone",))]
    )
    assert drain(outbox, "mail") == ["0 start", "1 start"]
    assert drain(outbox, "ops") == ["1 start"]
    outbox.close()


def test_what_waits_for_a_sink_that_was_removed_is_a_dead_letter(tmp_path, clock):
    first = reopen(tmp_path, clock, ["ops", "mail"])
    first.committer.commit([alert(0)])
    first.close()
    again = reopen(tmp_path, clock, ["ops"])
    assert again.queue.counts()["mail"] == {"pending": 0, "delivered": 0, "dead": 1}
    again.close()


def test_events_left_open_by_a_crash_are_ended_with_reason_restart(tmp_path, clock):
    first = reopen(tmp_path, clock)
    pictures = {"snapshot": "a.jpg"}
    first.committer.commit(
        [alert(0, evidence=pictures), alert(1), alert(1, "end"), alert(2, reason="instant")]
    )
    again = reopen(tmp_path, clock)
    ends = again.end_open_events(T0 + 100)
    assert ends == [alert(0, "end", t_wall=T0 + 100, reason="restart")], (
        "with the id that the engine gives it"
    )
    assert again.end_open_events(T0 + 200) == []
    assert drain(again) == ["0 start", "1 start", "1 end", "2 start", "0 end"]
    again.close()
    first.close()


@pytest.mark.parametrize("event", ["gate-7", "", "0193"])
def test_an_event_whose_id_is_no_uuid_is_ended_under_one_id_of_its_own(outbox, event):
    outbox.committer.commit([alert(0, id="a", event_id=event), alert(1, id="b", event_id=f"{event}x")])
    ids = [end.id for end in outbox.end_open_events(T0 + 100)]
    assert ids == [str(uuid.uuid5(uuid.NAMESPACE_URL, f"{of}/end")) for of in (event, f"{event}x")]


def test_an_end_is_never_stamped_before_its_start(outbox):
    outbox.committer.commit([alert(0)])
    assert outbox.end_open_events(T0 - 3600)[0].t_wall == T0


def test_alerts_expire_by_running_time_and_not_by_the_wall_clock(tmp_path, clock):
    first = reopen(tmp_path, clock, expire_after_days=7)
    first.committer.commit([alert(0)])
    clock.set_wall(T0 + 400 * DAY)
    assert first.queue.next("ops") is not None
    clock.advance(6 * DAY)
    first.close()
    later = ManualClock(wall=0.0, monotonic=5.0)
    again = reopen(tmp_path, later, expire_after_days=7)
    assert again.queue.next("ops") is not None
    later.advance(1.5 * DAY)
    assert again.queue.next("ops") is None
    assert again.queue.counts()["ops"] == {"pending": 0, "delivered": 0, "dead": 1}
    again.close()


def test_a_sink_that_does_not_know_a_start_is_not_told_of_the_end(tmp_path, clock):
    """It was added meanwhile, or the start was a dead letter that was purged."""
    outbox = Outbox.open(tmp_path / "outbox.db", ["ops", "log"], clock)
    outbox.committer.commit([alert(0)])
    outbox.queue.rejected("log", outbox.queue.next("log").seq, "never")
    purge(outbox.db.path, sink="log")
    outbox.set_sinks(["ops", "log", "new"])
    outbox.committer.commit([alert(0, "end"), alert(1)])
    assert {sink: outbox.queue.next(sink).alert.t for sink in ("ops", "log", "new")} == {
        "ops": 0,
        "log": 1,
        "new": 1,
    }
    assert outbox.queue.counts()["ops"]["pending"] == 3
    assert check(outbox.db.path).problems == ()
    outbox.close()


def test_beyond_the_cap_starts_are_dead_letters_and_ends_of_kept_starts_are_kept(tmp_path, clock):
    outbox = reopen(tmp_path, clock, max_pending=2)
    outbox.committer.commit([alert(0), alert(1), alert(2)])
    outbox.committer.commit([alert(2, "end"), alert(0, "end")])
    assert outbox.queue.counts()["ops"] == {"pending": 3, "delivered": 0, "dead": 2}
    assert drain(outbox) == ["0 start", "1 start", "0 end"]
    outbox.close()


def test_old_alerts_are_forgotten_and_the_totals_stay(tmp_path, clock):
    outbox = reopen(tmp_path, clock, keep_days=1)
    outbox.committer.commit([alert(0), alert(0, "end"), alert(1)])
    assert drain(outbox) == ["0 start", "0 end", "1 start"]
    clock.advance(2 * DAY)
    assert outbox.committer.forget() == 2  # The start of the event that is still open stays.
    assert outbox.queue.counts()["ops"] == {"pending": 0, "delivered": 3, "dead": 0}
    outbox.close()


def test_a_failed_commit_leaves_nothing_behind(outbox):
    with pytest.raises(TypeError):
        outbox.committer.commit([alert(0), alert(1, evidence={"a": object()})])
    assert outbox.queue.counts()["ops"]["pending"] == 0
    outbox.committer.commit([alert(0)])
    assert outbox.queue.counts()["ops"]["pending"] == 1


def test_state_is_kept(tmp_path, clock):
    first = reopen(tmp_path, clock)
    first.committer.commit([], state={"armed": "false"})
    again = reopen(tmp_path, clock)
    assert again.db.state("armed") == "false"
    assert again.db.state("other") is None
    again.close()
    first.close()


def test_a_file_that_is_no_database_is_set_aside_and_replaced(tmp_path, clock):
    (tmp_path / "outbox.db").write_bytes(b"this is not a database" * 1000)
    outbox = reopen(tmp_path, clock)
    assert outbox.set_aside == tmp_path / "outbox.db.damaged-20231114T221320Z"
    assert outbox.set_aside.exists()
    told = outbox.queue.next("ops").alert
    assert (told.camera, told.type, told.key, told.reason) == ("system", "storage", "database", "instant")
    assert told.text == (
        "the outbox database was damaged and replaced by a new one; "
        "undelivered alerts are in outbox.db.damaged-20231114T221320Z"
    )
    outbox.committer.commit([alert(0)])
    assert drain(outbox) == ["0 start", "0 start"]
    outbox.close()
    again = reopen(tmp_path, clock)
    assert again.set_aside is None
    assert again.queue.counts()["ops"] == {"pending": 0, "delivered": 2, "dead": 0}
    assert aside(tmp_path) == [outbox.set_aside]
    again.close()


def test_a_database_that_is_damaged_while_it_is_used_is_told_from_one_that_is_busy(tmp_path, clock):
    outbox = reopen(tmp_path, clock)
    outbox.committer.commit([alert(n) for n in range(2000)])
    outbox.db.checkpoint(force=True)
    outbox.close()
    path = tmp_path / "outbox.db"
    outbox = reopen(tmp_path, clock)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    with pytest.raises(DamagedError, match="malformed"):
        drain(outbox)
    with pytest.raises(StateError):
        outbox.close()
    assert [name for name in open_files().values() if name.startswith(str(tmp_path))] == []


def test_a_database_of_a_newer_surveil_is_refused_and_not_touched(tmp_path, clock):
    reopen(tmp_path, clock).close()
    with sqlite3.connect(tmp_path / "outbox.db") as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(
        StateError, match="schema 99, this surveil knows up to 5: it was written by a newer version"
    ) as error:
        reopen(tmp_path, clock)
    # The traceback still holds what was half made.
    assert error.tb is not None
    assert [name for name in open_files().values() if name.startswith(str(tmp_path))] == []


def test_a_connection_that_cannot_be_set_up_is_closed(tmp_path):
    (tmp_path / "outbox.db").write_bytes(b"no database" * 1000)
    with pytest.raises(sqlite3.DatabaseError) as error:
        connect(tmp_path / "outbox.db")
    assert error.tb is not None
    assert [name for name in open_files().values() if name.startswith(str(tmp_path))] == []


def test_every_migration_has_a_number_of_its_own():
    assert [number for number, _ in migrations()] == list(range(1, len(migrations()) + 1))


def test_a_state_directory_that_is_a_file_is_said(tmp_path, clock):
    (tmp_path / "state").write_text("")
    with pytest.raises(StateError, match="cannot be used"):
        Outbox.open(tmp_path / "state" / "outbox.db", ["ops"], clock)


def test_the_database_is_not_for_everybody(tmp_path, clock):
    reopen(tmp_path, clock).close()
    assert (tmp_path / "outbox.db").stat().st_mode & 0o777 == 0o640


def test_the_latest_picture_is_that_of_the_newest_alert_up_to_a_moment(tmp_path):
    outbox = reopen(tmp_path, ManualClock())
    outbox.committer.commit(
        [
            alert(0, evidence={"snapshot": "evidence/gate/0.jpg"}),
            alert(10, rule="door", evidence={"snapshot": "evidence/gate/10.jpg"}),
            alert(20, evidence={"snapshot": "missing: No space left on device"}),
            alert(30, camera="yard", evidence={"snapshot": "evidence/yard/30.jpg"}),
        ]
    )
    latest = outbox.latest_picture
    assert latest("gate", "", T0 + 99) == "evidence/gate/10.jpg"
    assert latest("gate", "intrusion", T0 + 99) == "evidence/gate/0.jpg"
    assert latest("gate", "", T0 + 9) == "evidence/gate/0.jpg"
    assert latest("gate", "", T0 - 1) is None
    assert latest("nowhere", "", T0 + 99) is None
    outbox.close()
