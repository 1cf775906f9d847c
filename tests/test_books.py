"""The books: every signal has one outcome, every opened event was committed or withheld, also when lives end early."""

import random
from collections import Counter

import pytest
from prometheus_client import CollectorRegistry

from surveil.alerts.admin import check
from surveil.alerts.database import DamagedError
from surveil.alerts.outbox import Outbox
from surveil.alerts.rows import Entry
from surveil.alerts.storm import StormSettings
from surveil.app.collectors import LedgerCollector
from surveil.clock import ManualClock, Stop
from surveil.engine import CameraEngine
from surveil.errors import StateError
from surveil.features.registry import RULES, build_rules
from surveil.metrics import Metrics
from surveil.pipeline.commit import CommitRequest, CommitStage
from surveil.pipeline.counters import SignalCounters
from surveil.track.settings import TrackSettings
from surveil.track.tracker import Tracker
from tests.alerts.helpers import make_writer
from tests.scenes import observation

ZONES = {
    "left": ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),
    "right": ((0.5, 0), (1, 0), (1, 1), (0.5, 1)),
}
RULES_OF_THE_GATE = [
    {"type": "intrusion", "name": "left", "zone": "left", "after_s": 1.0, "linger_s": 1.0},
    {
        "type": "intrusion",
        "name": "right",
        "zone": "right",
        "after_s": 0.4,
        "linger_s": 0.6,
        "cooldown_s": 8.0,
    },
    {"type": "intrusion", "name": "off", "zone": "left", "after_s": 0.0},
]
FPS, LIFE_S = 5, 60


class Life:
    """A daemon's engine and commit stage on one state directory, until it is abandoned."""

    def __init__(self, folder, seed):
        self.rng = random.Random(seed)
        self.clock = ManualClock(wall=1_700_000_000.0 + seed * 1000)
        self.outbox = Outbox.open(folder / "surveil.db", ["ops", "dead"], self.clock)
        self.outbox.end_open_events(self.clock.wall())
        writer = make_writer(self.outbox, folder, storm=StormSettings(max_per_hour=4), clock=self.clock)
        registry = CollectorRegistry()
        self.commit = CommitStage(
            writer,
            lambda _slot: None,
            Metrics(registry),
            self.clock,
        )
        made = [RULES["intrusion"].settings(**rule) for rule in RULES_OF_THE_GATE]
        off = {"off": lambda _t: "schedule"}
        self.engine = CameraEngine(
            "gate", build_rules(made, ZONES, {}), Tracker(TrackSettings()), labels=("person",), off=off
        )

    def live(self):
        """Let people come and go; the disk is slow now and then. Assert that every snapshot balances."""
        there = {}
        for i in range(LIFE_S * FPS):
            x = self.rng.choice((150, 400, 600, 850))
            if self.rng.random() < 0.05:
                there[x] = i + self.rng.randint(1, 25)
            boxes = [(x, 200, x + 60, 400) for x, until in there.items() if until > i]
            self.clock.advance(1 / FPS)
            self.commit.offer(
                CommitRequest(camera="gate", step=self.engine.step(observation(i / FPS, boxes)))
            )
            if len(self.commit.inbox):
                self.commit.process(self.commit.inbox.take(8))
            elif self.rng.random() < 0.03:
                self.commit.flush()
            self.assert_balance()

    def abandon(self):
        """End as at SIGKILL: the system closes the files, and nobody writes anything."""
        self.outbox.db.writer.close()
        self.outbox.db.acks.close()

    def end(self):
        """End as at SIGTERM."""
        self.commit.offer(
            CommitRequest(camera="gate", step=self.engine.finish(self.engine.t, self.engine.t_wall, "stop"))
        )
        if len(self.commit.inbox):
            self.commit.process(self.commit.inbox.take(8))
        self.commit.flush()

    def assert_balance(self):
        totals = self.commit.books.totals()
        pending = {e.rule: n for e, n in totals.items() if e.outcome == "pending" and n}
        assert pending == {rule: n for rule, n in self.engine.pending().items() if n}


def imbalance(ledger):
    """Rule → signals raised without an outcome; only rules that do not balance."""
    left = Counter()
    for entry, n in ledger.items():
        left[entry.rule] += n if entry.outcome == "raised" else 0
        left[entry.rule] -= n if entry.outcome in ("opened", "joined", "suppressed") else 0
    return {rule: n for rule, n in left.items() if n}


def test_a_storm_balances_over_lives_that_end_without_a_word(tmp_path):
    for seed in range(3):
        life = Life(tmp_path, seed)
        assert imbalance(life.outbox.ledger.totals()) == {}
        assert check(tmp_path / "surveil.db").problems == ()
        life.live()
        life.abandon()
    life = Life(tmp_path, 9)
    life.live()
    life.end()
    ledger = life.outbox.ledger.totals()
    assert imbalance(ledger) == {}
    assert check(tmp_path / "surveil.db").problems == ()
    by_outcome = Counter()
    for entry, n in ledger.items():
        by_outcome[entry.outcome, entry.reason] += n
    assert {"restart", "cooldown", "too_short", "schedule", "stop"} >= {
        reason for outcome, reason in by_outcome if outcome == "suppressed"
    }
    assert by_outcome["withheld", "storm"] > 10
    assert (
        by_outcome["opened", ""]
        == by_outcome["committed", ""] - digests(ledger) + by_outcome["withheld", "storm"]
    )
    assert {sum(book.values()) for book in life.outbox.queue.counts().values()} == {alerts_in(life.outbox)}
    life.outbox.close()


def digests(ledger):
    return sum(n for entry, n in ledger.items() if entry.rule == "digest")


def alerts_in(outbox):
    return outbox.db.writer.execute("SELECT count(*) FROM alerts").fetchone()[0]


def test_what_could_not_be_written_is_written_later(tmp_path):
    life = Life(tmp_path, 1)
    working, refusals = life.commit._writer.write, [StateError("disk full")] * 3

    def write(jobs):
        if refusals and any(job.counts for job in jobs):
            raise refusals.pop()
        return working(jobs)

    life.commit._writer.write = write
    for i in range(4):
        life.commit.offer(
            CommitRequest(camera="gate", step=life.engine.step(observation(i / FPS, [(150, 200, 210, 400)])))
        )
    for _ in range(3):
        with pytest.raises(StateError):
            life.commit.flush()
    assert imbalance(life.commit.books.totals()) == imbalance(life.commit.books.take()) != {}
    life.outbox.close()


def test_every_scrape_shows_the_whole_ledger():
    books = SignalCounters({Entry("gate", "left", "raised"): 9, Entry("gate", "left", "joined"): 7})
    shown = shown_of(books, {"gate": ("left",)})
    assert [shown("gate", "left", outcome) for outcome in ("raised", "joined", "pending")] == [9, 7, 2]


def test_a_scrape_shows_the_books_of_configured_rules_and_the_others_are_kept():
    books = SignalCounters({Entry(camera, rule, "raised"): 3 for camera in ("gate", "gone") for rule in "ab"})
    rules = {"gate": ("a",)}
    shown = shown_of(books, rules)
    assert [shown("gate", "a"), shown("gate", "b"), shown("gone", "a")] == [3, None, None]
    rules["gone"] = ("a", "b")
    assert shown("gone", "a") == 3


def shown_of(books, rules):
    registry = CollectorRegistry()
    registry.register(LedgerCollector(books.totals, lambda: rules))

    def shown(camera, rule, outcome="raised"):
        labels = {"camera": camera, "rule": rule, "outcome": outcome, "reason": ""}
        return registry.get_sample_value("surveil_ledger_signals", labels)

    return shown


def test_a_damaged_database_ends_the_commit_stage_where_a_busy_one_is_waited_for(tmp_path):
    life = Life(tmp_path, 1)
    refusals = [DamagedError("malformed"), StateError("locked")]
    working = life.commit._writer.write

    def write(jobs):
        if any(job.alerts for job in jobs) and refusals:
            raise refusals.pop()
        return working(jobs)

    life.commit._writer.write = write
    for i in range(20):
        life.commit.offer(
            CommitRequest(camera="gate", step=life.engine.step(observation(i / FPS, [(150, 200, 210, 400)])))
        )
    assert len(life.commit.inbox)
    with pytest.raises(DamagedError):
        life.commit.run(lambda: None, Stop())
    assert refusals == []
    life.outbox.close()
