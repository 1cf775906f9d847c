"""The events of an outbox, newest first, with verdicts: read and judged while the daemon runs.

Pages are cut by the time and the row of the last event that was shown, never by a count: the millionth costs what the
first does.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

from surveil.alerts import rows
from surveil.alerts.database import connect_existing, foreign_errors, transaction
from surveil.alerts.links import present
from surveil.alerts.records import COLUMNS, alert_of, moment_of, number_of, text_of
from surveil.alerts.rows import Entry
from surveil.types import Alert


class Verdict(StrEnum):
    """What an event was."""

    TRUE = "true"
    FALSE = "false"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a person says of an event."""

    verdict: Verdict | None = None
    label: str = ""
    """What it shows, where the person named a class."""
    note: str = ""
    judge: str = ""
    """Who said it."""
    judged_at: float | None = None
    acknowledged_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """One event."""

    start: Alert
    end: Alert | None
    """None: it goes on."""
    judgement: Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSpan:
    """When one event was."""

    event_id: str
    rule: str
    start: float
    """Unix s."""
    end: float | None
    """None: it goes on."""


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """Where a page ends: the time and the row of its last event."""

    t_wall: float
    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events are wanted."""

    cameras: tuple[str, ...] | None = None
    """None: of any camera."""
    rule: str = ""
    label: str = ""
    since: float | None = None
    until: float | None = None
    """Unix s."""
    judged: bool | None = None


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, newest first, and where the next page begins; None after the last."""

    events: tuple[EventRecord, ...]
    next: Cursor | None


_JUDGED = "e.verdict, e.class, e.note, e.judge, e.judged, e.acknowledged"
_SELECT = f"SELECT e.t_wall, e.ending, {_JUDGED}, {COLUMNS} FROM events e JOIN alerts a ON a.seq = e.alert"  # noqa: S608
_END = f"SELECT {COLUMNS} FROM alerts a WHERE a.seq = ?"  # noqa: S608
_SPANS = """
SELECT e.event_id, e.rule, e.t_wall, iif(o.event_id IS NULL, coalesce(a.t_wall, e.t_wall), NULL)
FROM events e LEFT JOIN alerts a ON a.seq = e.ending LEFT JOIN open_events o ON o.event_id = e.event_id
WHERE e.camera = ? AND (o.event_id IS NOT NULL OR coalesce(a.t_wall, e.t_wall) >= ?)"""
_Row = tuple[object, ...]


class History:
    """Reads and judges events on connections of its own: no commit waits for it. Any thread may call any method.

    Every method raises StateError when the database cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def page(self, wanted: EventFilter, after: Cursor | None = None, limit: int = 50) -> EventPage:
        """Return the newest events that are wanted, those before `after` when it is given."""
        with self._opened() as db:
            found = list(islice(_rows(db, wanted, after, limit + 1), limit + 1))
            events = tuple(self._record(db, row) for row in found[:limit])
        more = len(found) > limit
        return EventPage(events, _place(found[limit - 1]) if more else None)

    def event(self, event_id: str) -> EventRecord | None:
        """Return one event; None where there is none of this id."""
        with self._opened() as db:
            row = db.execute(f"{_SELECT} WHERE e.event_id = ?", (event_id,)).fetchone()
            return None if row is None else self._record(db, row)

    def spans(self, camera: str, since: float) -> list[EventSpan]:
        """Return the events of a camera that go on, or ended after a moment (Unix s)."""
        with self._opened() as db:
            return [
                EventSpan(
                    event_id=text_of(event), rule=text_of(rule), start=moment_of(start),
                    end=None if end is None else moment_of(end),
                )
                for event, rule, start, end in db.execute(_SPANS, (camera, since))
            ]  # fmt: skip

    def judge(self, event_id: str, judgement: Judgement) -> bool:
        """Keep a judgement in the place of the one before, the acknowledgement apart; False: there is no such event."""
        said = judgement.verdict or judgement.label or judgement.note
        values = (
            judgement.verdict, judgement.label, judgement.note, judgement.judge if said else None,
            judgement.judged_at if said else None, event_id,
        )  # fmt: skip
        query = "UPDATE events SET verdict = ?, class = ?, note = ?, judge = ?, judged = ? WHERE event_id = ?"
        with self._opened() as db, transaction(db):
            return db.execute(query, values).rowcount > 0

    def acknowledge(self, event_id: str, at: float) -> bool:
        """Note when an event was first acknowledged; False: there is no such event."""
        query = "UPDATE events SET acknowledged = coalesce(acknowledged, ?) WHERE event_id = ?"
        with self._opened() as db, transaction(db):
            return db.execute(query, (at, event_id)).rowcount > 0

    def open_by_camera(self) -> dict[str, int]:
        """Return how many events of each camera go on."""
        query = (
            "SELECT a.camera, count(*) FROM open_events o JOIN alerts a ON a.seq = o.alert GROUP BY a.camera"
        )
        with self._opened() as db:
            return {text_of(camera): int(n) for camera, n in db.execute(query)}

    def open_rules(self, camera: str) -> set[str]:
        """Name the rules of a camera with an event that goes on."""
        query = "SELECT a.rule FROM open_events o JOIN alerts a ON a.seq = o.alert WHERE a.camera = ?"
        with self._opened() as db:
            return {text_of(rule) for (rule,) in db.execute(query, (camera,))}

    def going_on(self) -> list[tuple[str, str]]:
        """Return camera and id of the events that go on."""
        query = "SELECT a.camera, a.event_id FROM open_events o JOIN alerts a ON a.seq = o.alert"
        with self._opened() as db:
            return [(text_of(camera), text_of(event)) for camera, event in db.execute(query)]

    def books(
        self, cameras: Collection[str] | None = None
    ) -> tuple[dict[Entry, int], dict[str, dict[str, int]]]:
        """Return what became of signals, and how many deliveries of each sink are in each state.

        Of `cameras` when given: then without the deliveries that were deleted since, whose cameras are unknown.
        """
        deliveries: dict[str, dict[str, int]] = {}
        with self._opened() as db:
            signals = {
                one: n for one, n in rows.totals(db).items() if cameras is None or one.camera in cameras
            }
            found = rows.deliveries(db) if cameras is None else rows.deliveries_of(db, cameras)
            for sink, state, n, _ in sorted(found):
                counts = deliveries.setdefault(sink, {})
                counts[state] = counts.get(state, 0) + n
        return signals, deliveries

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with closing(connect_existing(self.path)) as db, foreign_errors():
            yield db

    def _record(self, db: sqlite3.Connection, row: _Row) -> EventRecord:
        _, ending, verdict, label, note, judge, judged, acknowledged, *alert = row
        start = present(alert_of(tuple(alert))[0], self.path.parent)
        end = None if ending is None else db.execute(_END, (ending,)).fetchone()
        return EventRecord(
            start=start,
            end=None if end is None else present(alert_of(end)[0], self.path.parent),
            judgement=Judgement(
                verdict=next((one for one in Verdict if one == verdict), None),
                label=text_of(label),
                note=text_of(note),
                judge=text_of(judge),
                judged_at=None if judged is None else moment_of(judged),
                acknowledged_at=None if acknowledged is None else moment_of(acknowledged),
            ),
        )


def _rows(db: sqlite3.Connection, wanted: EventFilter, after: Cursor | None, limit: int) -> Iterator[_Row]:
    """Yield rows, newest first. Each camera is read by its own index, and the streams are merged."""
    cameras: Sequence[str | None] = (None,) if wanted.cameras is None else wanted.cameras
    streams = [iter(_read(db, wanted, camera, after, limit)) for camera in cameras]
    return heapq.merge(*streams, key=_place, reverse=True)


def _read(
    db: sqlite3.Connection, wanted: EventFilter, camera: str | None, after: Cursor | None, limit: int
) -> Iterable[_Row]:
    query, values = statement(wanted, camera, after, limit)
    return db.execute(query, values)


def statement(
    wanted: EventFilter, camera: str | None, after: Cursor | None, limit: int
) -> tuple[str, list[object]]:
    """Return the query of one page of one camera, or of all, and its values."""
    conditions: list[str] = []
    values: list[object] = []

    def add(condition: str, *given: object) -> None:
        conditions.append(condition)
        values.extend(given)

    if camera is not None:
        add("e.camera = ?", camera)
    if wanted.rule:
        add("e.rule = ?", wanted.rule)
    if wanted.label:
        add("e.label = ?", wanted.label)
    if wanted.judged is not None:
        add("e.verdict IS NOT NULL" if wanted.judged else "e.verdict IS NULL")
    if wanted.since is not None:
        add("e.t_wall >= ?", wanted.since)
    if wanted.until is not None:
        add("e.t_wall < ?", wanted.until)
    if after is not None:
        add("(e.t_wall, e.alert) < (?, ?)", after.t_wall, after.row)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"{_SELECT}{where} ORDER BY e.t_wall DESC, e.alert DESC LIMIT ?", [*values, limit]


def _place(row: _Row) -> Cursor:
    seq = row[8]
    return Cursor(number_of(row[0]), seq if isinstance(seq, int) else 0)
