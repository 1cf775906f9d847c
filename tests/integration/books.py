"""Both ledgers of a daemon, read from its page while it runs and from its database afterwards."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.world import samples

_OUTCOMES = ("opened", "joined", "suppressed", "pending")
_STARTS = ("committed", "withheld", "repeated")


@dataclass
class Signals:
    """What became of one rule's, or one camera's, signals: outcome → number, and reason → suppressed."""

    of: Counter[str] = field(default_factory=Counter)
    why: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: str, reason: str, n: int) -> None:
        # The ends of withheld events are withheld, too; an event is one start.
        if (outcome, reason) == ("withheld", "storm_end"):
            return
        self.of[outcome] += n
        if outcome == "suppressed":
            self.why[reason] += n

    @property
    def unexplained(self) -> int:
        """Signals without an outcome, or outcomes without a signal (negative)."""
        return self.of["raised"] - sum(self.of[outcome] for outcome in _OUTCOMES)

    @property
    def untold(self) -> int:
        """Events that opened and were neither committed nor withheld nor there before."""
        return self.of["opened"] - sum(self.of[outcome] for outcome in _STARTS)


def on_page(text: str) -> dict[tuple[str, str], Signals]:
    """Return (camera, rule) → signals, as `/metrics` shows them."""
    found: dict[tuple[str, str], Signals] = {}
    for (name, labels), n in samples(text).items():
        if name == "surveil_ledger_signals":
            told = dict(labels)
            book = found.setdefault((told["camera"], told["rule"]), Signals())
            book.add(told["outcome"], told["reason"], int(n))
    return found


def in_database(path: Path) -> dict[tuple[str, str], Signals]:
    """Return (camera, rule) → signals of a database that nobody writes."""
    found: dict[tuple[str, str], Signals] = {}
    for camera, rule, outcome, reason, n in rows(path, "SELECT camera, rule, outcome, reason, n FROM ledger"):
        found.setdefault((camera, rule), Signals()).add(outcome, reason, n)
    return found


def deliveries(path: Path) -> dict[str, Counter[str]]:
    """Return sink → state → number of alerts."""
    found: dict[str, Counter[str]] = {}
    for sink, state, n in rows(path, "SELECT sink, state, count(*) FROM deliveries GROUP BY sink, state"):
        found.setdefault(sink, Counter())[state] = n
    return found


def rows(path: Path, query: str) -> list[tuple]:
    """Return the answer of a query."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()
