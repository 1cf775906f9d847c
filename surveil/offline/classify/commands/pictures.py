"""`surveil evaluate` on pictures; and showing a trained classifier and testing it against a gate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from surveil.cli.bars import bar
from surveil.cli.common import console, errors, read_config
from surveil.errors import ConfigError, ModelError
from surveil.features.classify.store import ClassifierStore, names
from surveil.models.files import check_name
from surveil.offline.classify.dataset import PictureSet, load
from surveil.offline.classify.evaluation import FIGURES
from surveil.offline.classify.outcome import Trained, evaluate_file
from surveil.offline.classify.report import lines, to_json, write_report
from surveil.offline.normality.gate import Condition, check_figures, failures, read_gate

Gate = Annotated[
    str, typer.Option(help='Fail unless these conditions hold, such as "accuracy>=0.95,false_alarms<=0.02".')
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturesOptions:
    """What a classifier is evaluated on, and against what."""

    dataset: Path
    model: Path | None
    """A file, or the name of a deployed classifier."""
    config: Path
    gate: str
    report: Path | None
    """A folder."""
    json: bool


def evaluate_pictures(options: PicturesOptions) -> None:
    """Judge a classifier on pictures that it has not learned from."""
    conditions = conditions_of(options.gate)
    if options.model is None:
        raise ConfigError(
            [f"{options.dataset} holds pictures: name the classifier with --model, a file or a deployed one"]
        )
    file = options.model if options.model.is_file() else _in_use(options.config, str(options.model))
    data = load(options.dataset)
    with bar() as progress:
        made = evaluate_file(file, data, progress=progress)
    show(made, data, options.report, json=options.json)
    hold(conditions, made)


def _in_use(config: Path, name: str) -> Path:
    state_dir = read_config(config).state_dir
    check_name(name)
    path = ClassifierStore(state_dir, name).path()
    if path is None:
        known = ", ".join(names(state_dir)) or "none"
        raise ModelError(f"{name}: is neither a file nor a deployed classifier; there are: {known}")
    return path


def show(made: Trained, data: PictureSet, folder: Path | None, *, json: bool) -> None:
    """Print what came of training or judging; write the report into `folder`, if there is one."""
    if folder is not None:
        errors.print(f"report: {write_report(made, data, folder)}", soft_wrap=True)
    console.print_json(to_json(made)) if json else console.print("\n".join(lines(made)), soft_wrap=True)


def conditions_of(gate: str) -> tuple[Condition, ...]:
    """Return what a gate asks of a classifier. Raises ConfigError, before anything is trained or judged."""
    conditions = read_gate(gate)
    check_figures(conditions, FIGURES)
    return conditions


def hold(conditions: tuple[Condition, ...], made: Trained) -> None:
    """Say which conditions do not hold, and exit with 1 if any does not."""
    failed = failures(conditions, made.evaluation.values())
    for line in failed:
        errors.print(Text(line, "red"))
    if failed:
        raise typer.Exit(1)
