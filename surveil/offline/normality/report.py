"""An evaluation as JSON, as text, and as one HTML page with its pictures inside."""

from __future__ import annotations

import base64
import json
from html import escape
from math import isfinite
from pathlib import Path

import cv2
import numpy as np

from surveil.errors import StateError
from surveil.features.normality.draw import explained, jpeg, png
from surveil.offline.normality.evaluate import ClipResult, NormalityReport
from surveil.offline.normality.figures import Estimate
from surveil.offline.normality.table import BudgetRow, table_lines
from surveil.types import Bytes

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse}td,th{padding:.2rem .8rem;border-bottom:1px solid #ddd;text-align:left}
img{max-width:100%;display:block;margin:.3rem 0}h2{margin-top:2rem}.miss{color:#b00}
"""
WIDTH, HEIGHT, MARGIN = 900, 180, 30
_LABELLED, _SCORE, _SUSTAINED = (200, 200, 255), (160, 110, 40), (40, 40, 40)
_THRESHOLD, _ALARM = (0, 0, 220), (0, 140, 255)


def to_json(report: NormalityReport) -> str:
    """Return the report as JSON: figures with intervals, threshold, clips. What could not be had is null."""
    threshold = report.threshold
    document = {
        "dataset": report.dataset,
        "model": {"name": report.model, "sha256": report.sha256},
        "threshold": {
            "surprise": _number(threshold.value),
            "budget_per_day": threshold.budget,
            "expected_per_day": _number(threshold.rate),
            "at_most_per_day": _number(threshold.at_most),
            "held_out_s": round(threshold.held_out_s, 3),
            "provisional": threshold.provisional,
            "words": threshold.words(),
        },
        "asked": {
            "budget_per_day": report.asked.budget,
            "alerts": report.asked.supported,
            "words": report.asked.words(),
        },
        "table": [_row(row) for row in report.table],
        "figures": {name: _estimate(e) for name, e in report.figures.items()},
        "clips": [_clip(c) for c in report.clips],
    }
    return json.dumps(document, indent=2, sort_keys=True, allow_nan=False)


def lines(report: NormalityReport) -> list[str]:
    """Return the figures as lines of text."""
    found = [f"{report.dataset}  model {report.model}", *said(report), "", *table_lines(report.table), ""]
    for name, e in report.figures.items():
        interval = f"  [{e.low:.3f} … {e.high:.3f}]" if isfinite(e.low) else ""
        found.append(f"{name:24} {e.value:.4g}{interval}")
    return found


def said(report: NormalityReport) -> list[str]:
    """Say which budget the footage supports, and at which threshold events and false alarms are counted."""
    asked, used = report.asked, report.threshold
    if asked.supported:
        return [asked.words()]
    if not used.supported:
        return [asked.words(), "no events and no false alarms: a daemon would not alert with this model"]
    least = (
        f"a daemon would not alert at {asked.budget:g} a day yet: figures are of {used.budget:.3g} a day, the least "
        f"budget at which it would: threshold {used.value:.2f}, {used.rate:.3g} alarms a day"
    )
    return [asked.words(), least]


def write_report(report: NormalityReport, folder: Path) -> Path:
    """Write `report.html`, `report.json` and a timeline per clip; return the page. Raises StateError."""
    page = folder / "report.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_text(to_json(report) + "\n", encoding="utf-8")
        for i, clip in enumerate(report.clips):
            (folder / f"timeline-{i:03d}.png").write_bytes(png(timeline(clip, report.threshold.value)))
        page.write_text(to_html(report), encoding="utf-8")
    except OSError as error:
        raise StateError(f"{folder}: the report cannot be written: {error.strerror}") from None
    return page


def to_html(report: NormalityReport) -> str:
    """Return one page that needs no other file."""
    title = escape(f"Evaluation of {report.model} on {report.dataset}")
    rows = "".join(
        f"<tr><td>{escape(n)}</td><td>{_text(e.value)}</td><td>{_interval(e)}</td></tr>"
        for n, e in report.figures.items()
    )
    clips = "".join(_section(report, clip) for clip in report.clips)
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
        f"<h1>{title}</h1>{''.join(f'<p>{escape(line)}</p>' for line in said(report))}"
        f"<pre>{escape(chr(10).join(table_lines(report.table)))}</pre>"
        f"<p>Frames in order, causal, no normalisation per clip; intervals are 95 %, bootstrap over clips.</p>"
        f"<table><tr><th>figure<th>value<th>interval</tr>{rows}</table>{clips}</html>\n"
    )


def _section(report: NormalityReport, clip: ClipResult) -> str:
    events = "".join(
        f"<li{'' if isfinite(e.delay_s) else ' class=miss'}>{e.t_start:.1f} … {e.t_end:.1f} s: "
        + (f"found after {e.delay_s:.1f} s" if isfinite(e.delay_s) else "missed")
        for e in clip.events
    )
    false = "".join(f"<li class=miss>false alarm at {t:.1f} s" for t in clip.false_alarms)
    picture = _image(png(timeline(clip, report.threshold.value)), "png")
    sight = ""
    if clip.sight is not None:
        why = clip.sight.explanation
        shown = explained(clip.sight.plane, (report.width, report.height), why)
        sight = (
            f"<p>Most unusual at {clip.sight.t:.1f} s: {escape(why.words)}</p>{_image(jpeg(shown), 'jpeg')}"
        )
    return f"<h2>{escape(clip.name)}</h2>{picture}<ul>{events}{false}</ul>{sight}"


def _image(data: bytes, kind: str) -> str:
    return f'<img alt="" src="data:image/{kind};base64,{base64.b64encode(data).decode()}">'


def _text(value: float) -> str:
    return f"{value:.4g}" if isfinite(value) else "–"


def _interval(e: Estimate) -> str:
    return f"{e.low:.3f} … {e.high:.3f}" if isfinite(e.low) else ""


def _number(value: float) -> float | None:
    return round(value, 6) if isfinite(value) else None


def _estimate(e: Estimate) -> dict[str, float | None]:
    return {"value": _number(e.value), "low": _number(e.low), "high": _number(e.high)}


def _row(row: BudgetRow) -> dict[str, object]:
    threshold, found = row.threshold, row.found
    shown: dict[str, object] = {
        "budget_per_day": threshold.budget,
        "state": row.state,
        "threshold": _number(threshold.value) if found else None,
        "alarms_in_footage": threshold.seen if found else None,
    }
    if found is not None:
        shown |= {"events": found.events, "events_found": found.found, "false_alarms": found.false_alarms}
    return shown


def _clip(clip: ClipResult) -> dict[str, object]:
    return {
        "name": clip.name,
        "frames": len(clip.t),
        "highest": _number(float(clip.sustained.max())),
        "events": [
            {"start_s": round(e.t_start, 3), "end_s": round(e.t_end, 3), "delay_s": _number(e.delay_s)}
            for e in clip.events
        ],
        "false_alarms_s": [round(t, 3) for t in clip.false_alarms],
    }


def timeline(clip: ClipResult, threshold: float) -> Bytes:
    """Return the picture, BGR: labelled frames shaded, score thin, sustained score bold, threshold red."""
    picture = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    top = float(max(np.nanmax(clip.scores, initial=0.0), threshold if np.isfinite(threshold) else 0.0, 1.0))
    x = _scaled(clip.t, float(clip.t[-1]) or 1.0, WIDTH - 2 * MARGIN) + MARGIN
    _shade(picture, x, clip)
    _line(picture, x, _rows(np.nan_to_num(clip.scores), top), _SCORE, 1)
    _line(picture, x, _rows(clip.sustained, top), _SUSTAINED, 2)
    if np.isfinite(threshold):
        y = int(_rows(np.array([threshold]), top)[0])
        cv2.line(picture, (MARGIN, y), (WIDTH - MARGIN, y), _THRESHOLD, 1)
        over = clip.sustained >= threshold
        picture[HEIGHT - MARGIN : HEIGHT - MARGIN + 5, x[over]] = _ALARM
    text = f"{clip.name}   0 ... {clip.t[-1]:.1f} s   0 ... {top:.1f} decades"
    ascii_text = text.encode("ascii", "replace").decode()
    cv2.putText(picture, ascii_text, (MARGIN, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return picture


def _scaled(values: np.ndarray, top: float, size: int) -> np.ndarray:
    return np.asarray(np.rint(values / top * size), np.int32)


def _rows(values: np.ndarray, top: float) -> np.ndarray:
    return HEIGHT - MARGIN - _scaled(values, top, HEIGHT - 2 * MARGIN)


def _shade(picture: Bytes, x: np.ndarray, clip: ClipResult) -> None:
    for event in clip.events:
        inside = (clip.t >= event.t_start) & (clip.t <= event.t_end)
        left, right = int(x[inside].min()), int(x[inside].max()) + 1
        picture[MARGIN : HEIGHT - MARGIN, left:right] = _LABELLED


def _line(picture: Bytes, x: np.ndarray, y: np.ndarray, colour: tuple[int, int, int], width: int) -> None:
    points = np.stack([x, y], axis=1).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(picture, [points], isClosed=False, color=colour, thickness=width, lineType=cv2.LINE_AA)
