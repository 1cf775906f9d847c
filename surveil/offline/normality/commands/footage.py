"""`surveil evaluate` on labelled footage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from surveil.cli.bars import bar
from surveil.cli.common import console, errors
from surveil.features.normality.modelfile import load
from surveil.offline.normality.dataset import load_dataset
from surveil.offline.normality.evaluate import FIGURES, evaluate
from surveil.offline.normality.gate import check_figures, failures, parse_gate
from surveil.offline.normality.report import lines, to_json, write_report

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
    json: bool


def evaluate_footage(options: FootageOptions) -> None:
    """Judge a model, and exit with 1 when the gate does not hold."""
    conditions = parse_gate(options.gate) if options.gate else ()
    check_figures(conditions, FIGURES)
    data = load_dataset(options.dataset)
    model = load(options.model) if options.model else None
    with bar() as progress:
        judged = evaluate(data, model, options.budget, progress, equalise=options.equalise)
    if options.report:
        errors.print(f"report: {write_report(judged, options.report)}", soft_wrap=True)
    console.print_json(to_json(judged)) if options.json else console.print("\n".join(lines(judged)))
    failed = failures(conditions, judged.values())
    for line in failed:
        errors.print(f"[red]{line}[/]")
    if failed:
        raise typer.Exit(1)
