from __future__ import annotations

from collections import Counter
from dataclasses import replace

from surveil.alerts.outbox import Outbox
from surveil.alerts.rows import Entry
from surveil.alerts.storm import StormCap, StormSettings
from surveil.alerts.writer import WriteJob
from surveil.clock import ManualClock

from .helpers import T0, alert, make_writer

CAPPED = Entry("gate", "intrusion", "withheld", "storm")
CAPPED_END = Entry("gate", "intrusion", "withheld", "storm_end")


def cap(n: int = 2, state: str | None = None) -> StormCap:
    return StormCap(StormSettings(max_per_hour=n), state)


def test_beyond_the_cap_alerts_are_withheld_with_their_ends_and_counted():
    storm = cap()
    verdict = storm.admit([alert(n) for n in range(4)])
    assert [a.t for a in verdict.alerts] == [0.0, 1.0]
    assert verdict.withheld == {CAPPED: 2}
    ends = storm.admit([alert(n, "end") for n in range(4)])
    assert [a.t for a in ends.alerts] == [0.0, 1.0]
    assert ends.withheld == {CAPPED_END: 2}


def test_when_the_hour_is_over_a_digest_tells_how_many_and_since_when():
    storm = cap()
    storm.admit([alert(n, t_wall=T0 + n, sinks=("ops",)) for n in range(39)])
    assert storm.tick(T0 + 3599) == []
    (digest,) = storm.tick(T0 + 3600)
    assert digest.text == "and 37 more since 22:13 UTC"
    assert (digest.camera, digest.type, digest.phase, digest.reason) == ("gate", "digest", "start", "instant")
    assert digest.details == {"withheld": 37, "by_rule": {"intrusion": 37}}
    assert digest.sinks == ("ops",)
    assert storm.tick(T0 + 7200) == []


def test_a_new_hour_begins_with_its_first_alert_and_cameras_do_not_share_it():
    storm = cap(1)
    assert len(storm.admit([alert(0), alert(1, camera="door")]).alerts) == 2
    verdict = storm.admit([alert(2, t_wall=T0 + 10), alert(3, t_wall=T0 + 3600)])
    assert [(a.type, a.t_wall) for a in verdict.alerts] == [("digest", T0 + 3600), ("intrusion", T0 + 3600)]


def test_a_clock_that_was_set_back_does_not_close_the_gate_for_long():
    storm = cap(1)
    storm.admit([alert(0, t_wall=T0), alert(1, t_wall=T0)])
    back = storm.admit([alert(2, t_wall=T0 - 7200)])
    assert [a.type for a in back.alerts] == ["digest", "intrusion"]


def test_a_restart_does_not_open_the_gate():
    before = cap()
    before.admit([alert(n) for n in range(3)])
    after = cap(state=before.dump())
    assert after.admit([alert(5), alert(2, "end")]).alerts == ()
    assert after.tick(T0 + 3600)[0].text == "and 2 more since 22:13 UTC"


def test_no_cap_withholds_nothing():
    assert len(cap(0).admit([alert(n) for n in range(1000)]).alerts) == 1000


def test_a_storm_does_not_hide_that_the_camera_is_lost():
    storm = cap(1)
    lost = alert(2, rule="camera_lost", type="camera_lost")
    verdict = storm.admit([alert(0), alert(1), lost, replace(lost, id="end", phase="end")])
    assert [(a.type, a.phase) for a in verdict.alerts] == [
        ("intrusion", "start"),
        ("camera_lost", "start"),
        ("camera_lost", "end"),
    ]
    assert verdict.withheld == {CAPPED: 1}


def test_the_end_of_a_withheld_event_is_withheld_even_when_the_cap_has_gone():
    capped = StormCap(StormSettings(max_per_hour=1))
    capped.admit([alert(0), alert(1)])
    free = StormCap(StormSettings(max_per_hour=0), capped.dump())
    decision = free.admit([alert(1, "end"), alert(2), alert(0, "end")])
    assert [(a.phase, a.t) for a in decision.alerts] == [("start", 2.0), ("end", 0.0)]
    assert sum(decision.withheld.values()) == 1


def test_the_books_of_a_storm_balance_across_kills(tmp_path):
    """Every alert that was made is committed or withheld, and the digest tells of all that were withheld."""
    clock = ManualClock(wall=T0)
    made: Counter[str] = Counter()
    for life in range(4):
        outbox = Outbox.open(tmp_path / "outbox.db", ["ops"], clock)
        writer = make_writer(outbox, tmp_path, storm=StormSettings(max_per_hour=20), clock=clock)
        made["ends"] += len(outbox.end_open_events(clock.wall()))
        for n in range(life * 100, life * 100 + 50):
            for phase in ("start", "end")[: 1 if n % 50 == 49 else 2]:
                writer.write([WriteJob([alert(n, phase, t_wall=clock.wall())])])
                made[phase] += 1
        for connection in (outbox.db.writer, outbox.db.acks):  # Each life ends without a word.
            connection.close()
        clock.advance(600)
    outbox = Outbox.open(tmp_path / "outbox.db", ["ops"], clock)
    writer = make_writer(outbox, tmp_path, storm=StormSettings(max_per_hour=20), clock=clock)
    clock.advance(3600)
    digests = writer.tick()
    committed = sum(outbox.queue.counts()["ops"].values())
    withheld = outbox.ledger.totals()[CAPPED] + outbox.ledger.totals()[CAPPED_END]
    assert committed - len(digests) + withheld == made["start"] + made["end"] + made["ends"]
    assert sum(d.details["withheld"] for d in digests) == 4 * 50 - 20
    outbox.close()
