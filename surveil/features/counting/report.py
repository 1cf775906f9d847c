"""Tables of counts: by hour or day, as rows for people, CSV, JSON or Parquet."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import tzinfo
from pathlib import Path
from typing import Literal

from surveil import extras
from surveil.errors import StateError
from surveil.features.counting.rollup import Key, Sum
from surveil.features.counting.store import DATABASE, CountStore
from surveil.features.counting.times import day_of, hour_of, local

By = Literal["hour", "day"]
_Place = tuple[str, str, str, str, str]
"""Camera, kind, place, direction, label."""


@dataclass(frozen=True, slots=True)
class CountRow:
    """One line of the report."""

    time: str
    """Local time at which the hour or day begins: 2026-03-01T14:00:00+01:00."""
    camera: str
    kind: str
    """crossing, stay or occupancy."""
    place: str
    direction: str
    label: str
    count: int
    """Crossings, or stays that ended."""
    mean: float | None
    """Mean dwell in s; mean number of objects while the camera was watched."""
    peak: float | None
    """Longest dwell in s; most objects at once."""
    watched_s: float
    """Seconds for which the camera was watched: what is missing of an hour was not counted."""


def report(hours: Iterable[tuple[Key, Sum]], by: By, zone: tzinfo | None) -> list[CountRow]:
    """Add up hours to the rows of a report in the time zone `zone` (None: of this machine).

    Where the camera was watched, what did not happen is a row of 0.
    """
    begin = day_of if by == "day" else hour_of
    totals: dict[tuple[int, _Place], Sum] = {}
    for key, one in hours:
        place = (key.camera, key.kind, key.place, key.direction, key.label)
        totals.setdefault((begin(key.hour, zone), place), Sum()).add(one.n, one.seconds, one.peak)
    watched = {(t, place[0]): total for (t, place), total in totals.items() if place[1] == "watched"}
    places = sorted({place for _, place in totals if place[1] != "watched"})
    return [
        _row(
            local(t, zone).isoformat(timespec="seconds"), place, totals.get((t, place), Sum()), total.seconds
        )
        for (t, camera), total in sorted(watched.items(), key=lambda item: item[0])
        for place in places
        if place[0] == camera
    ]


def _row(time: str, place: _Place, total: Sum, watched_s: float) -> CountRow:
    kind, watched = place[1], round(watched_s, 1)
    if kind == "crossing":
        return CountRow(time, *place, total.n, None, None, watched)
    whole = total.n if kind == "stay" else watched_s
    mean = round(total.seconds / whole, 2) if whole else 0.0
    return CountRow(time, *place, total.n, mean, round(total.peak, 2), watched)


def to_csv(rows: Sequence[CountRow]) -> str:
    """Return the rows as CSV with a heading."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [field.name for field in fields(CountRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return out.getvalue()


def to_json(rows: Sequence[CountRow]) -> str:
    """Return the rows as a JSON array."""
    return json.dumps([asdict(row) for row in rows], indent=1)


def write_parquet(rows: Sequence[CountRow], path: Path) -> None:
    """Write the rows as Parquet; raises StateError without the extra `parquet`."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise StateError(f"Parquet needs pyarrow: run `{extras.command(extras.Extra.PARQUET)}`") from error
    kinds = {"str": pa.string(), "int": pa.int64()}
    schema = pa.schema([(field.name, kinds.get(str(field.type), pa.float64())) for field in fields(CountRow)])
    parquet.write_table(pa.Table.from_pylist([asdict(row) for row in rows], schema), path)


def counted(state_dir: Path) -> list[CountRow]:
    """Return everything that was counted, by day; nothing where nothing was."""
    path = state_dir / DATABASE
    if not path.exists():
        return []
    store = CountStore(path, reading=True)
    try:
        return report(store.hours(None, 0.0, math.inf), "day", None)
    finally:
        store.close()
