"""A training's or an evaluation's report: text, JSON, and one HTML page with its pictures inside."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from html import escape
from math import isfinite
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from surveil.errors import ConfigError, StateError
from surveil.filesystem import write_atomically
from surveil.offline.classify.dataset import PictureSet
from surveil.offline.classify.evaluation import Evaluation, Misclassified, OfClass
from surveil.offline.classify.measures import BINS
from surveil.offline.classify.outcome import Trained
from surveil.offline.normality.figures import Estimate

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse}td,th{padding:.2rem .8rem;border-bottom:1px solid #ddd;text-align:left}
figure{display:inline-block;margin:.4rem;width:11rem;vertical-align:top;font-size:12px}figure img{width:100%}
svg{width:20rem;height:20rem;border:1px solid #ddd;margin-right:1rem}.warn{color:#b00}
"""
_THUMB_PX = 176


def to_json(made: Trained) -> str:
    """Return the whole report as JSON; figures that could not be had are null."""
    document = {
        "model": {
            "path": str(made.path),
            "name": made.card.name,
            "how": made.card.how,
            "labels": made.card.labels,
        },
        "dataset": {
            "sha256": made.card.dataset_sha256,
            "sizes": made.sizes,
            "near_duplicates": made.duplicates,
        },
        "preprocess": json.loads(made.card.preprocess.to_json()),
        "recommended": not made.evaluation.objections,
        "objections": made.evaluation.objections,
        "evaluation": document_of(made.evaluation),
        "beside": None if made.beside is None else document_of(made.beside),
        "warnings": made.warnings,
        "left_out": made.problems,
        "validation_losses": {f"{penalty:g}": round(loss, 5) for penalty, loss in made.penalties},
        "epochs": made.history,
        "tuned_share": made.share,
        "preprocess_worth": None
        if made.worth is None
        else {"plain": made.worth.plain, "chosen": made.worth.chosen},
    }
    return json.dumps(document, indent=2, sort_keys=True, allow_nan=False)


def document_of(found: Evaluation) -> dict[str, Any]:
    """Return one evaluation as JSON's types."""
    at = found.at
    return {
        "model": found.model,
        "pictures": found.pictures,
        "positive": found.positive,
        "figures": {name: _estimate(e) for name, e in found.figures.items()},
        "per_class": {c: _class(row) for c, row in found.per_class.items()},
        "per_camera": {
            c: {"accuracy": _estimate(of.accuracy), "pictures": of.pictures}
            for c, of in found.per_camera.items()
        },
        "confusion": {"classes": found.classes, "true_by_predicted": found.table.tolist()},
        "threshold": {
            "value": _finite(at.threshold),
            "recall": _estimate(found.at_recall),
            "false_alarms": _estimate(found.at_false_alarms),
            "precision": _finite(at.precision),
        },
        "calibration": [
            {"confidence": round(sure, 5), "accuracy": round(right, 5), "pictures": pictures}
            for sure, right, pictures in found.bins
        ],
        "worst": [_mistake(m) for m in found.worst],
    }


def _estimate(e: Estimate) -> dict[str, float | None]:
    return {"value": _finite(e.value), "low": _finite(e.low), "high": _finite(e.high)}


def _class(of: OfClass) -> dict[str, Any]:
    figures = {"precision": of.precision, "recall": of.recall, "f1": of.f1}
    return {name: _estimate(e) for name, e in figures.items()} | {"pictures": of.pictures}


def _mistake(m: Misclassified) -> dict[str, object]:
    return {"path": m.item.path, "is": m.item.label, "taken_for": m.predicted, "score": round(m.score, 4)}


def lines(made: Trained) -> list[str]:
    """Return the report as lines of text."""
    sizes = ", ".join(f"{n} {name}" for name, n in made.sizes.items())
    found = [f"not recommended: {why}" for why in made.evaluation.objections]
    found += [f"{made.card.name}: {', '.join(made.card.labels)}; pictures: {sizes}"]
    for name, e in made.evaluation.figures.items():
        other = f"   deployed {made.beside.figures[name].value:.4f}" if made.beside is not None else ""
        found.append(f"{name:18} {e.value:.4f}{_interval(e)}{other}")
    at = made.evaluation.at
    found.append(
        f"at {made.card.positive} >= {at.threshold:.3f} (chosen on validation): recall {at.recall:.1%}"
        f"{_interval(made.evaluation.at_recall)}, false alarms {at.false_alarms:.2%}"
        f"{_interval(made.evaluation.at_false_alarms)}"
    )
    if made.share is not None:
        found.append(f"share of the fine-tuned weights, chosen on validation: {made.share:.0%}")
    found += [f"left out: {problem}" for problem in made.problems]
    return found + [f"caution: {warning}" for warning in made.warnings]


def write_report(made: Trained, data: PictureSet, folder: Path) -> Path:
    """Write `report.html` and `report.json`; return the page. Raises StateError when they cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "report.json", (to_json(made) + "\n").encode())
        write_atomically(folder / "report.html", to_html(made, data).encode())
    except OSError as error:
        raise StateError(f"{folder}: the report cannot be written: {error.strerror}") from None
    return folder / "report.html"


def to_html(made: Trained, data: PictureSet) -> str:
    """Return one page that needs no other file."""
    found = made.evaluation
    title = escape(f"{made.card.name}: {', '.join(made.card.labels)}")
    text = "".join(f"<p class=warn><b>Not recommended</b>: {escape(w)}</p>" for w in found.objections)
    text += "".join(f"<p class=warn>{escape(w)}</p>" for w in made.warnings)
    text += _figures(found, made.beside) + _confusion(found) + _groups(found) + _charts(made)
    text += _worth(made) + _wrong(found.worst, data)
    text += "".join(f"<p>left out: {escape(p)}</p>" for p in made.problems)
    sizes = ", ".join(f"{n} {name}" for name, n in made.sizes.items())
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
        f"<h1>{title}</h1><p>Pictures: {sizes}; {made.duplicates} pairs of near-duplicates, each on one side of the "
        f"split. Data set {made.card.dataset_sha256[:12]}…, trained as {made.card.how}. "
        f"Intervals are 95 %, bootstrap over what was split together.</p>{text}</html>\n"
    )


def _figures(found: Evaluation, beside: Evaluation | None) -> str:
    head = ["figure", "value", "interval", *(["deployed model"] if beside else [])]
    rows = [
        [n, _text(e.value), _interval(e), *([_text(beside.figures[n].value)] if beside else [])]
        for n, e in found.figures.items()
    ]
    at = found.at
    return _table(head, rows) + (
        f"<p>At {escape(found.positive)} ≥ {at.threshold:.3f}, chosen on the validation split: recall {at.recall:.1%}"
        f"{_interval(found.at_recall)}, false alarms {at.false_alarms:.2%}{_interval(found.at_false_alarms)} of other "
        "pictures, on the test split.</p>"
    )


def _confusion(found: Evaluation) -> str:
    rows = [[f"is {c}", *(str(n) for n in found.table[k])] for k, c in enumerate(found.classes)]
    return "<h2>Confusion</h2>" + _table(["", *(f"taken for {c}" for c in found.classes)], rows)


def _groups(found: Evaluation) -> str:
    classes = [
        [c, *(_text(e.value) + _interval(e) for e in (of.precision, of.recall, of.f1)), str(of.pictures)]
        for c, of in found.per_class.items()
    ]
    cameras = [
        [c, _text(of.accuracy.value) + _interval(of.accuracy), str(of.pictures)]
        for c, of in found.per_camera.items()
    ]
    return (
        "<h2>Per class</h2>" + _table(["class", "precision", "recall", "F1", "pictures"], classes)
        + "<h2>Per camera</h2>" + _table(["camera", "accuracy", "pictures"], cameras)
    )  # fmt: skip


def _charts(made: Trained) -> str:
    found = made.evaluation
    text = "<h2>Curves</h2>" + _chart("recall over false alarms", [found.roc.tolist()])
    text += _calibration(found)
    if made.history:
        top = max(max(row[:2]) for row in made.history) or 1.0
        steps = max(1, len(made.history) - 1)
        curves = [[[k / steps, row[c] / top] for k, row in enumerate(made.history)] for c in (0, 1)]
        text += _chart(f"loss over {len(made.history)} epochs, 0 to {top:.2f}: train, validation", curves)
    return text


def _calibration(found: Evaluation) -> str:
    """Return the chart of honest confidence: a dot for each bin that has pictures, larger with more of them."""
    total = sum(pictures for *_, pictures in found.bins)
    dots = "".join(
        f"<circle cx={sure:.4f} cy={1 - right:.4f} r={0.012 + 0.03 * (pictures / total) ** 0.5:.4f} fill=#06c>"
        f"<title>{pictures} pictures: confidence {sure:.1%}, accuracy {right:.1%}</title></circle>"
        f"<text x={sure + 0.045:.4f} y={1.015 - right:.4f} font-size=.04>{pictures}</text>"
        for sure, right, pictures in found.bins
    )
    title = f"accuracy over confidence; diagonal: calibrated; {len(found.bins)} of {BINS} bins have pictures"
    if len(found.bins) == 1:
        title += ": one bin says little about calibration"
    rows = [[f"{sure:.1%}", f"{right:.1%}", str(pictures)] for sure, right, pictures in found.bins]
    return _chart(title, [[[c, a] for c, a, _ in found.bins], [[0, 0], [1, 1]]], dots) + _table(
        ["confidence", "accuracy", "pictures"], rows
    )


def _chart(title: str, curves: Iterable[Sequence[Sequence[float]]], marks: str = "") -> str:
    paths = "".join(_curve(points, colour) for points, colour in zip(curves, ("#06c", "#c60"), strict=False))
    return (
        f"<figure style='width:20rem'><svg viewBox='-.05 -.05 1.1 1.1'>{paths}{marks}</svg>"
        f"<figcaption>{escape(title)}</figcaption></figure>"
    )


def _curve(points: Sequence[Sequence[float]], colour: str) -> str:
    """Return a line; a line of one point would show nothing, so that is a dot."""
    if len(points) == 1:
        return f"<circle cx={points[0][0]:.4f} cy={1 - points[0][1]:.4f} r=.02 fill={colour} />"
    line = " ".join(f"{x:.4f},{1 - y:.4f}" for x, y in points)
    return f"<polyline fill=none stroke={colour} stroke-width=.008 points='{line}'/>"


def _worth(made: Trained) -> str:
    if made.worth is None:
        return ""
    rows = [
        [n, f"{loss:.4f}", f"{a:.4f}"]
        for n, (loss, a) in (("without", made.worth.plain), ("with", made.worth.chosen))
    ]
    return "<h2>Effect of the pre-processing (validation)</h2>" + _table(["", "log loss", "accuracy"], rows)


def _wrong(worst: Sequence[Misclassified], data: PictureSet) -> str:
    shown = "".join(
        f"<figure><img alt='' src='{_thumb(m, data)}'><figcaption>{escape(m.item.path)}: is "
        f"{escape(m.item.label)}, taken for {escape(m.predicted)} ({m.score:.0%})</figcaption></figure>"
        for m in worst
    )
    return f"<h2>Largest errors</h2>{shown or '<p>Nothing.</p>'}"


def _thumb(mistake: Misclassified, data: PictureSet) -> str:
    try:
        rgb = data.read(mistake.item)
    except ConfigError:
        return ""
    scale = _THUMB_PX / max(rgb.shape[:2])
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    coded = cv2.imencode(".jpg", np.ascontiguousarray(small[:, :, ::-1]))[1].tobytes()
    return "data:image/jpeg;base64," + base64.b64encode(coded).decode()


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(cell)}" for cell in head)
    return f"<table><tr>{top}</tr>" + "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) + "</tr>" for row in rows
    ) + "</table>"  # fmt: skip


def _finite(value: float) -> float | None:
    return round(value, 5) if isfinite(value) else None


def _text(value: float) -> str:
    return f"{value:.4f}" if isfinite(value) else "–"


def _interval(e: Estimate) -> str:
    return f"  [{e.low:.3f} … {e.high:.3f}]" if isfinite(e.low) else ""
