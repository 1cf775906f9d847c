"""The scores of an evaluation as CSV, one line per frame, for further analysis."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from math import isnan
from pathlib import Path

from surveil.errors import StateError
from surveil.filesystem import write_atomically
from surveil.offline.normality.evaluate import ClipResult, NormalityReport


def write_scores(report: NormalityReport, path: Path) -> None:
    """Write clip, time, label, score, sustained score and the surprise of every attribute. Raises StateError."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["clip", "t", "abnormal", "score", "sustained", *report.clips[0].single])
    for clip in report.clips:
        writer.writerows(_rows(clip))
    try:
        write_atomically(path, text.getvalue().encode())
    except OSError as error:
        raise StateError(f"{path}: the scores cannot be written: {error.strerror}") from None


def _rows(clip: ClipResult) -> Iterator[list[str]]:
    for i, t in enumerate(clip.t.tolist()):
        single = [_number(float(values[i])) for values in clip.single.values()]
        scores = [_number(float(clip.scores[i])), _number(float(clip.sustained[i]))]
        yield [clip.name, f"{t:.3f}", str(int(clip.labels[i])), *scores, *single]


def _number(value: float) -> str:
    """Return a score; nothing where there is none."""
    return "" if isnan(value) else f"{value:.4f}"
