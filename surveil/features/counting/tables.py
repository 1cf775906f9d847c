"""Tables of counts for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.table import Table

from surveil.features.counting.report import CountRow

_ARROWS = {"left": "←", "right": "→", "up": "↑", "down": "↓"}
_Key = tuple[str, str, str, str]
"""Time, camera, place, class."""


def crossings(rows: Sequence[CountRow]) -> Table | None:
    """Return the table of lines, both ways side by side and their sums; None: there are none."""
    found = _beside(row for row in rows if row.kind == "crossing")
    if not found:
        return None
    table = _table("Crossings", "line", ("back", "forth", "net", "watched"))
    for key, ways in found:
        table.add_row(*_shown(key), *_both({way: row.count for way, row in ways.items()}), _watched(ways))
    if len({key[0] for key, _ in found}) > 1:
        table.add_section()
        for (camera, line, label), sums in _sums(found).items():
            table.add_row("total", camera, line, label, *_both(sums), "")
    return table


def zones(rows: Sequence[CountRow]) -> Table | None:
    """Return the table of zones: who stayed, and how many were there; None: there are none."""
    found = _beside(row for row in rows if row.kind != "crossing")
    if not found:
        return None
    table = _table("Zones", "zone", ("visits", "stay (longest)", "there (most)", "watched"))
    for key, kinds in found:
        table.add_row(
            *_shown(key), *_stays(kinds.get("stay")), _there(kinds.get("occupancy")), _watched(kinds)
        )
    return table


def _table(title: str, place: str, figures: Iterable[str]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("time", no_wrap=True)
    for name in ("camera", place, "class"):
        table.add_column(name)
    for figure in figures:
        table.add_column(figure, justify="right")
    return table


def _beside(rows: Iterable[CountRow]) -> list[tuple[_Key, dict[str, CountRow]]]:
    """Return the rows about the same place and time together, by direction or kind."""
    found: dict[_Key, dict[str, CountRow]] = {}
    for row in rows:
        found.setdefault((row.time, row.camera, row.place, row.label), {})[row.direction or row.kind] = row
    return list(found.items())


def _sums(found: Iterable[tuple[_Key, dict[str, CountRow]]]) -> dict[tuple[str, str, str], dict[str, int]]:
    sums: dict[tuple[str, str, str], dict[str, int]] = {}
    for (_, camera, line, label), ways in found:
        total = sums.setdefault((camera, line, label), {})
        for way, row in ways.items():
            total[way] = total.get(way, 0) + row.count
    return sums


def _both(counts: dict[str, int]) -> Iterator[str]:
    """Yield both directions with their arrows, and how many more went forth than back."""
    back, forth = ("up", "down") if counts.keys() & {"up", "down"} else ("left", "right")
    yield from (f"{_ARROWS[way]} {counts.get(way, 0)}" for way in (back, forth))
    yield f"{counts.get(forth, 0) - counts.get(back, 0):+d}"


def _shown(key: _Key) -> tuple[str, ...]:
    time, *rest = key
    return (time[:16].replace("T", " "), *rest)


def _stays(row: CountRow | None) -> tuple[str, str]:
    return (str(row.count), f"{span(row.mean)} ({span(row.peak)})") if row and row.count else ("0", "")


def _there(row: CountRow | None) -> str:
    return f"{row.mean:.1f} ({row.peak:.0f})" if row else ""


def _watched(rows: dict[str, CountRow]) -> str:
    return span(next(iter(rows.values())).watched_s)


def span(seconds: float | None) -> str:
    """Return a duration as one reads it: 8.2 s, 79 s, 12 min, 23.4 h."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} h"
