"""`surveil evaluate` on labelled footage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from surveil.cli.bars import bar
from surveil.cli.common import console, errors
from surveil.detect.settings import ModelSettings
from surveil.errors import StateError
from surveil.features.normality.modelfile import LoadedModel, load, save
from surveil.models.store import ModelStore, open_detector
from surveil.offline.normality.dataset import load_dataset
from surveil.offline.normality.evaluate import FIGURES, evaluate
from surveil.offline.normality.gate import check_figures, failures, read_gate
from surveil.offline.normality.normality import learn_files
from surveil.offline.normality.objects import Follow, RecordedObjects
from surveil.offline.normality.report import lines, to_json, write_report
from surveil.offline.normality.scorefile import write_scores

Budget = Annotated[float, typer.Option(min=0, max=10_000, help="Accepted alerts per day.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class FootageOptions:
    """What learned normality is evaluated on, and against what."""

    dataset: Path
    model: Path | None
    """None: one is learned from the dataset's `normal:`."""
    budget: float
    """Accepted alerts per day."""
    gate: str
    report: Path | None
    """A folder."""
    equalise: bool
    objects: bool
    """Whether tracked objects are learned and judged, too."""
    output: Path | None
    """Where a model that is learned goes."""
    scores: Path | None
    """Where the scores of every frame go."""
    json: bool


def write_model(model: LoadedModel, path: Path) -> None:
    """Write a model to a file. Raises StateError."""
    try:
        save(model.model, path)
    except OSError as error:
        raise StateError(f"{path}: cannot be written: {error.strerror}") from None


def _follow() -> Follow:
    """Return what follows the objects of a recording, with the embedded model."""
    detector = open_detector(ModelSettings(), ModelStore())
    return lambda: RecordedObjects(detector)


def evaluate_footage(options: FootageOptions) -> None:
    """Judge a model, and exit with 1 when the gate does not hold."""
    conditions = read_gate(options.gate)
    check_figures(conditions, FIGURES)
    data = load_dataset(options.dataset)
    model = load(options.model) if options.model else None
    follow = _follow() if options.objects else None
    with bar() as progress:
        if model is None:
            model = learn_files(
                data.name, data.normal, data.fps, progress, equalise=options.equalise, follow=follow
            )
            if options.output:
                write_model(model, options.output)
        judged = evaluate(data, model, options.budget, progress, follow=follow)
    if options.scores:
        write_scores(judged, options.scores)
    if options.report:
        errors.print(f"report: {write_report(judged, options.report)}", soft_wrap=True)
    console.print_json(to_json(judged)) if options.json else console.print("\n".join(lines(judged)))
    failed = failures(conditions, judged.values())
    for line in failed:
        errors.print(Text(line, "red"))
    if failed:
        raise typer.Exit(1)
