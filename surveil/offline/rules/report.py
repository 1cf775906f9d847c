"""An evaluation of rules as text, as JSON, and as one HTML page with its pictures inside."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from math import isfinite
from pathlib import Path
from typing import Self

from surveil.errors import StateError
from surveil.filesystem import write_atomically
from surveil.offline.normality.figures import Estimate
from surveil.offline.rules.figures import FIGURES, Group, JudgedFilm
from surveil.offline.rules.matching import EventOutcome, JudgedAlert, JudgedEvent, Kind

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:80rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse}td,th{padding:.2rem .8rem;border-bottom:1px solid #ddd;text-align:left}
figure{display:inline-block;margin:.4rem;width:22rem;vertical-align:top;font-size:13px}figure img{width:100%}
h2{margin-top:2rem}.wrong{color:#b00}
"""
_HEADS = {
    "group": "",
    "events": "events",
    "found": "found",
    "late": "late",
    "missed": "missed",
    "false": "false",
    "hours": "hours",
    "recall": "recall",
    "false_per_hour": "false per hour",
    "p_miss": "P_miss",
    "delay_s": "delay, s",
    "f1_operational": "F1 alert",
    "f1_recording": "F1 recording",
}
"""Columns of the tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPicture:
    """A picture of what went wrong."""

    t: float
    kind: str
    """late, missed or false."""
    text: str
    jpeg: bytes
    """Empty where there is none: the recording ended before."""

    @classmethod
    def of_event(cls, judged: JudgedEvent, jpeg: bytes) -> Self:
        """Return that of an event that was not found in time."""
        event, delay = judged.event, judged.delay_s
        place = " ".join(filter(None, (event.zone, event.line, event.direction, event.label)))
        span = f"{event.start:.1f} s" + ("" if event.end is None else f" to {event.end:.1f} s")
        after = "" if delay is None else f", alert {delay:.1f} s after it was due"
        text = f"{event.rule} {place} {span}{after}".replace("  ", " ")
        return cls(t=event.start, kind=judged.verdict.value, text=text, jpeg=jpeg)

    @classmethod
    def of_alert(cls, judged: JudgedAlert, jpeg: bytes) -> Self:
        """Return that of a false alarm."""
        told = judged.told
        text = f"{told.alert.rule} at {told.t:.1f} s: {told.alert.text}, score {told.alert.score:.2f}"
        return cls(t=told.t, kind=judged.kind.value, text=text, jpeg=jpeg)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedFilm:
    """A recording, what its alerts are worth, and pictures of what went wrong."""

    title: str
    suite: str
    judged: JudgedFilm
    shots: tuple[ReportPicture, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesReport:
    """An evaluation."""

    name: str
    films: tuple[PlayedFilm, ...]
    groups: tuple[Group, ...]
    rate: float
    """False alarms per hour for P_miss."""


def to_json(report: RulesReport) -> str:
    """Return the report as JSON; figures that could not be had are null."""
    document = {
        "name": report.name,
        "rate_per_hour": report.rate,
        "groups": {group.name: _group(group) for group in report.groups},
        "films": [_film(film) for film in report.films],
    }
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)


def _group(group: Group) -> dict[str, object]:
    return {
        "events": group.events,
        "found": group.found,
        "late": group.late,
        "missed": group.missed,
        "false": group.false,
        "repeated": group.repeated,
        "hours": None if group.hours is None else round(group.hours, 5),
        "figures": {name: _estimate(group.figures[name]) for name in FIGURES},
    }


def _film(film: PlayedFilm) -> dict[str, object]:
    judged = film.judged
    return {
        "suite": film.suite,
        "film": film.title,
        "conditions": judged.conditions,
        "seconds": round(judged.seconds, 3),
        "events": [_event(event) for event in judged.events],
        "alerts": [
            {"t": round(a.told.t, 3), "rule": a.told.alert.rule, "key": a.told.alert.key, "is": a.kind,
             "score": round(a.told.alert.score, 4)}
            for a in judged.alerts
        ],
    }  # fmt: skip


def _event(judged: JudgedEvent) -> dict[str, object]:
    event, delay = judged.event, judged.delay_s
    return {
        "rule": event.rule,
        "start": event.start,
        "end": event.end,
        "due": round(judged.due, 3),
        "is": judged.verdict,
        "delay_s": None if delay is None else round(delay, 3),
        "conditions": event.conditions,
    }


def _estimate(e: Estimate) -> dict[str, float | None]:
    return {name: _number(value) for name, value in (("value", e.value), ("low", e.low), ("high", e.high))}


def _number(value: float) -> float | None:
    return round(value, 5) if isfinite(value) else None


def lines(report: RulesReport) -> list[str]:
    """Return what went wrong as lines of text."""
    found = []
    for film in report.films:
        found += [f"{shot.kind:7} {film.title}: {shot.text}" for shot in film.shots]
    return found


def rows(report: RulesReport) -> list[dict[str, str]]:
    """Return the table: a row for each group, by the columns' heads."""
    return [dict(zip(_HEADS.values(), _row(group).values(), strict=True)) for group in report.groups]


def _row(group: Group) -> Mapping[str, str]:
    figures = group.figures
    alone = group.hours is None
    cells = {
        "group": group.name,
        "events": str(group.events),
        "found": str(group.found),
        "late": str(group.late),
        "missed": str(group.missed),
        "false": "" if alone else str(group.false),
        "hours": "" if group.hours is None else f"{group.hours:.3f}",
    }
    return cells | {name: _text(figures[name]) for name in _HEADS if name not in cells}


def _text(e: Estimate) -> str:
    if not isfinite(e.value):
        return "–"
    interval = f" ({e.low:.3g} … {e.high:.3g})" if isfinite(e.low) else ""
    return f"{e.value:.3g}{interval}"


def write_report(report: RulesReport, folder: Path) -> Path:
    """Write `report.html` and `report.json`; return the page. Raises StateError when they cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "report.json", (to_json(report) + "\n").encode())
        write_atomically(folder / "report.html", to_html(report).encode())
    except OSError as error:
        raise StateError(f"{folder}: the report cannot be written: {error.strerror}") from None
    return folder / "report.html"


def to_html(report: RulesReport) -> str:
    """Return one page that needs no other file."""
    title = escape(f"Evaluation of rules: {report.name}")
    head = "".join(f"<th>{escape(name)}" for name in _HEADS.values())
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}" for cell in row.values()) + "</tr>" for row in rows(report)
    )
    films = "".join(_section(film) for film in report.films)
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
        f"<h1>{title}</h1><p>Intervals are 95 %: Wilson for shares, exact Poisson for rates. P_miss: least share "
        f"missed with at most {report.rate:g} false alarms per hour. F1 in the i-LIDS roles operational alert and "
        f"event recording.</p><table><tr>{head}</tr>{body}</table>{films}</html>\n"
    )


def _section(film: PlayedFilm) -> str:
    judged = film.judged
    found = sum(event.verdict is EventOutcome.FOUND for event in judged.events)
    false = sum(alert.kind is Kind.FALSE for alert in judged.alerts)
    words = f"{', '.join(judged.conditions) or 'no conditions'}; {judged.seconds:.1f} s; "
    words += f"{found} of {len(judged.events)} events found, {false} false alarms"
    return f"<h2>{escape(film.suite)}: {escape(film.title)}</h2><p>{escape(words)}</p>{_figures(film.shots)}"


def _figures(shots: Iterable[ReportPicture]) -> str:
    return "".join(
        f"<figure>{_image(shot.jpeg)}<figcaption><b class=wrong>{escape(shot.kind)}</b> {escape(shot.text)}"
        "</figcaption></figure>"
        for shot in shots
    )


def _image(jpeg: bytes) -> str:
    if not jpeg:
        return ""
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}">'
