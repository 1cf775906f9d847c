"""`surveil evaluate` on recordings with labelled events of rules."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import typer
from rich.table import Table
from rich.text import Text

from surveil.cli.bars import bar
from surveil.cli.common import console, errors, open_detector, read_config, show_table
from surveil.config import Config
from surveil.errors import ConfigError
from surveil.offline.normality.gate import check_figures, failures, read_gate
from surveil.offline.rules.commands.play import PlayableSuite, play, prepare
from surveil.offline.rules.figures import groups, names, values
from surveil.offline.rules.report import PlayedFilm, RulesReport, lines, rows, to_json, write_report
from surveil.offline.rules.suite import load_suites


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmsOptions:
    """Which labelled recordings rules are evaluated on."""

    suites: Path
    """A file, or a folder of them."""
    footage: Path | None
    """Where the recordings lie; None: beside the labels."""
    config: Path
    rate: float
    """False alarms per hour for P_miss."""
    gate: str
    report: Path | None
    """A folder."""
    json: bool


def evaluate_films(options: FilmsOptions) -> None:
    """Play the recordings, show what was found, missed and false, and exit with 1 when the gate does not hold."""
    conditions = read_gate(options.gate)
    with tempfile.TemporaryDirectory(prefix="surveil-evaluate-") as folder, bar() as progress:
        suites = _prepared(options, Path(folder))
        figures = _figures(suites)
        check_figures(conditions, figures)
        films = tuple(film for made in suites for film in _played(made, progress))
    judged = [film.judged for film in films]
    name = ", ".join(dict.fromkeys(made.suite.name for made in suites))
    report = RulesReport(
        name=name, films=films, groups=tuple(groups(judged, options.rate)), rate=options.rate
    )
    if options.report:
        errors.print(f"report: {write_report(report, options.report)}", soft_wrap=True)
    _show(report, json=options.json)
    failed = failures(conditions, dict.fromkeys(figures, float("nan")) | values(report.groups))
    for line in failed:
        errors.print(Text(line, "red"))
    if failed:
        raise typer.Exit(1)


def _played(made: PlayableSuite, progress: Callable[[str, float], None]) -> Iterator[PlayedFilm]:
    detector = open_detector(made.config)
    for film, path in zip(made.suite.films, made.paths, strict=True):
        yield play(made, film, path, detector, progress)


def _prepared(options: FilmsOptions, folder: Path) -> list[PlayableSuite]:
    """Read every suite and its camera. Raises ConfigError with the mistakes of all of them."""
    wrong: list[str] = []
    made: list[PlayableSuite] = []
    read = cache(read_config)

    def config() -> Config:
        return read(options.config, needs_model=True)

    for number, (source, suite) in enumerate(load_suites(options.suites)):
        state = folder / str(number)
        state.mkdir()
        try:
            made.append(prepare(suite, source, options.footage or source.parent, state, config))
        except ConfigError as error:
            wrong += error.messages
    if wrong:
        raise ConfigError(wrong)
    return made


def _figures(suites: Sequence[PlayableSuite]) -> list[str]:
    """Return the names of the figures that there will be."""
    films = [film for made in suites for film in made.suite.films]
    conditions = {
        c for film in films for c in (*film.conditions, *(c for e in film.events for c in e.conditions))
    }
    return names({kind for made in suites for kind in made.types}, conditions)


def _show(report: RulesReport, *, json: bool) -> None:
    if json:
        console.print_json(to_json(report))
        return
    for line in lines(report):
        console.print(line, soft_wrap=True)
    found = rows(report)
    table = Table(*found[0])
    for row in found:
        table.add_row(*row.values())
    show_table(table)
