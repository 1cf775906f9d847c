"""One damaged outbox database, opened and used as the daemon does; says what was lost although it was intact."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from surveil.alerts.arming import ArmingChannel, disarm
from surveil.alerts.outbox import Outbox
from surveil.alerts.payload import dump
from surveil.alerts.rows import Entry, StoredAlert
from surveil.alerts.writer import WriteJob
from surveil.clock import ManualClock
from surveil.features.health.channel import ViewChannel
from tests.alerts.helpers import alert, make_writer
from tests.survival.mutations import PAGE, Mutant, mutants

SINKS = ("ops", "mail")
NEW = alert(999)


class Unused:
    """No pictures."""

    def attach(self, alerts, _context):
        return list(alerts)


def sound(folder: Path, alerts: int = 12) -> tuple[bytes, dict[str, bytes]]:
    """Return a database with something in every table, and the stored texts of the alerts that wait in it, by id."""
    path = folder / "sound.db"
    outbox = Outbox.open(path, SINKS, ManualClock())
    outbox.committer.commit([alert(0), alert(0, "end"), alert(1)], {Entry("gate", "intrusion", "raised"): 3})
    outbox.queue.delivered("ops", outbox.queue.next("ops").seq)
    outbox.queue.rejected("mail", outbox.queue.next("mail").seq, "never")
    waiting = [alert(n, text=f"person {n} in yard " + "x" * 120) for n in range(2, alerts)]
    evidence = [StoredAlert(f"evidence/gate/{n}.jpg", "gate", 10) for n in range(5)]
    outbox.committer.commit(waiting, {}, {"storm": "{}"}, evidence)
    outbox.db.checkpoint(force=True)
    outbox.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for channel, act in ((ArmingChannel(path), "disarm"), (ViewChannel(path), "accept")):
        with closing(channel):
            channel.change(disarm([("gate", "x")], 1.0), 1.0) if act == "disarm" else channel.accept("gate")
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes(), {one.id: dump(one).encode() for one in waiting}


def used(path: Path) -> tuple[set[str], set[str], Outbox]:
    """Do with a database what a start of the daemon does, and deliver everything; return the ids by sink."""
    clock = ManualClock()
    outbox = Outbox.open(path, SINKS, clock)
    writer = make_writer(outbox, path.parent, Unused(), clock=clock)
    with closing(ArmingChannel(path)) as switches, closing(ViewChannel(path)) as views:
        switches.read()
        views.take()
    outbox.end_open_events(clock.wall())
    writer.write([WriteJob([NEW])])
    writer.tick()
    got = {sink: set(_delivered(outbox, sink)) for sink in SINKS}
    outbox.queue.counts(), outbox.ledger.totals(), outbox.queue.oldest_pending_s(), outbox.evidence.sizes()
    outbox.evidence.before(float("inf"), None, 64)
    outbox.latest_picture("gate", "", clock.wall())
    outbox.queue.open_at("ops")
    outbox.committer.forget()
    return got["ops"], got["mail"], outbox


def _delivered(outbox: Outbox, sink: str) -> Iterator[str]:
    for _ in range(1000):
        delivery = outbox.queue.next(sink)
        if delivery is None:
            return
        yield delivery.alert.id
        outbox.queue.delivered(sink, delivery.seq)
    raise AssertionError("deliveries do not end")


def lost(mutant: Mutant, whole: bytes, texts: dict[str, bytes], got: set[str]) -> list[str]:
    """Return the alerts that were not delivered although nothing of their page was damaged."""
    missing = []
    for id_, text in texts.items():
        page = whole.index(text) // PAGE * PAGE
        if id_ not in got and mutant.is_intact(page, page + PAGE):
            missing.append(id_)
    return missing


def run(folder: Path, seed: int, n: int) -> Counter[str]:
    """Try `n` damaged databases; return the outcomes. Raises AssertionError for one that is not survived."""
    whole, texts = sound(folder)
    outcomes: Counter[str] = Counter()
    for k, mutant in enumerate(mutants(whole, random.Random(seed), n)):
        path = folder / f"{k}" / "surveil.db"
        path.parent.mkdir()
        path.write_bytes(mutant.data)
        try:
            ops, mail, outbox = used(path)
            outbox.close()
        except Exception as error:
            raise AssertionError(f"seed {seed}, {k}: {mutant.kind} at {mutant.start}: {error!r}") from error
        assert NEW.id in ops & mail, f"seed {seed}, {k}: the new alert is lost"
        gone = lost(mutant, whole, texts, ops & mail)
        outcomes["set aside" if outbox.set_aside else "repaired" if outbox.repaired else "as it was"] += 1
        outcomes["intact alerts lost"] += len(gone)
        if gone:
            outcomes[f"lost by {mutant.kind} in page {mutant.start // PAGE + 1}"] += 1
    return outcomes
