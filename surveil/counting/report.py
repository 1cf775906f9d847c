"""Tables of counts: by hour or day, as rows for people, CSV, JSON or Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Literal

from surveil.counting.rollup import Key, Sum
from surveil.errors import StateError

By = Literal["hour", "day"]


@dataclass(frozen=True, slots=True)
class Row:
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


def report(hours: Iterable[tuple[Key, Sum]], by: By, zone: tzinfo) -> list[Row]:
    """Add up hours to the rows of a report in the time zone `zone`."""
    totals: dict[tuple[str, str, str, str, str, str], Sum] = {}
    for key, one in hours:
        time = _begin(key.hour, by, zone)
        place = (time, key.camera, key.kind, key.place, key.direction, key.label)
        totals.setdefault(place, Sum()).add(one.n, one.seconds, one.peak)
    watched = {key[:2]: total.seconds for key, total in totals.items() if key[2] == "watched"}
    return [
        _row(key, total, watched.get(key[:2], 0.0))
        for key, total in sorted(totals.items())
        if key[2] != "watched"
    ]


def _begin(hour: int, by: By, zone: tzinfo) -> str:
    local = datetime.fromtimestamp(hour, zone)
    return (local.replace(hour=0) if by == "day" else local).isoformat(timespec="seconds")


def _row(key: tuple[str, str, str, str, str, str], total: Sum, watched_s: float) -> Row:
    time, camera, kind, place, direction, label = key
    if kind == "crossing":
        return Row(time, camera, kind, place, direction, label, total.n, None, None)
    whole = total.n if kind == "stay" else watched_s
    mean = round(total.seconds / whole, 2) if whole else 0.0
    return Row(time, camera, kind, place, direction, label, total.n, mean, round(total.peak, 2))


def to_csv(rows: Sequence[Row]) -> str:
    """Return the rows as CSV with a heading."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return out.getvalue()


def to_json(rows: Sequence[Row]) -> str:
    """Return the rows as a JSON array."""
    return json.dumps([asdict(row) for row in rows], indent=1)


def write_parquet(rows: Sequence[Row], path: Path) -> None:
    """Write the rows as Parquet; raises StateError without the extra `surveil[parquet]`."""
    try:
        import pyarrow as pa  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
    except ImportError as error:
        raise StateError("Parquet needs the extra: pip install 'surveil[parquet]'") from error
    parquet.write_table(pa.Table.from_pylist([asdict(row) for row in rows]), path)
