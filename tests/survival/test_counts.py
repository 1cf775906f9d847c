"""A damaged database of counts costs the damaged counts: the daemon starts, and counts on."""

import random
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from surveil.damage import Damaged, found
from surveil.features.counting.counter import TrackCounter
from surveil.features.counting.live import GRID
from surveil.features.counting.report import counted
from surveil.features.counting.rollup import Key, Rollup, Sum
from surveil.features.counting.store import CountStore
from surveil.metrics import Metrics
from tests.survival.mutations import mutants


@pytest.fixture(autouse=True)
def nothing_untold():
    yield
    found.take()


def rollup(hour=3600):
    key = Key(camera="gate", hour=hour, kind="crossing", place="door", direction="left", label="person")
    return Rollup(sums={key: Sum(3, 1.5, 2.0)}, maps={("gate", 0): np.ones(GRID[::-1], np.float32)})


@pytest.fixture
def path(tmp_path):
    store = CountStore(tmp_path / "counts.db")
    for hour in range(40):
        store.add(rollup(3600 * hour))
    store.close()
    return tmp_path / "counts.db"


def use(path):
    """Open as the daemon does, add an hour, read everything; return the number of crossings."""
    metrics = Metrics(CollectorRegistry())
    counter = TrackCounter.open(path.parent, metrics)
    counter.close()
    store = CountStore(path)
    store.add(rollup(3600 * 1000))
    hours = store.hours(None, 0, 1e12)
    assert np.isfinite(store.map("gate", 0, 1e12)).all()
    store.cameras(), store.span(None), store.forget("gate", 0)
    store.close()
    counted(path.parent)
    return sum(total.n for _, total in hours)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE hours SET n = 'x' WHERE hour = 0",
        "UPDATE hours SET seconds = x'00' WHERE hour = 0",
        "UPDATE hours SET peak = 9e999 WHERE hour = 0",
        "UPDATE maps SET cells = x'0102'",
        "UPDATE maps SET cells = 'text'",
        "UPDATE maps SET cells = zeroblob(9216) WHERE 0",
        "ALTER TABLE hours DROP COLUMN peak",
        "DROP TABLE maps",
        "PRAGMA user_version = -1",
    ],
)
def test_a_damaged_row_or_table_costs_itself(path, statement):
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(statement)
    lost = 3 if "hours SET" in statement else 0 if "COLUMN" not in statement else 120
    assert use(path) == 123 - lost


def test_no_damage_keeps_the_daemon_from_counting(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole, before = path.read_bytes(), found.counts()[Damaged.COUNTS]
    for k, mutant in enumerate(mutants(whole, random.Random(7), 40)):
        folder = path.parent / f"{k}"
        folder.mkdir()
        (folder / "counts.db").write_bytes(mutant.data)
        assert use(folder / "counts.db") >= 3, f"{k}: {mutant.kind} at {mutant.start}"
    assert found.counts()[Damaged.COUNTS] > before
