"""What several commands share: options, output, opening what a configuration names."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, is_dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from surveil import logs
from surveil.cli.lazy import spoken, spoken_error
from surveil.config import Config, load
from surveil.errors import ConfigError, UnfitModel
from surveil.wording import without_control

if TYPE_CHECKING:
    from surveil.detect.detector import Detector

DEFAULT_CONFIG = Path("config.yaml")
SYSTEM_CONFIG = Path("/etc/surveil/config.yaml")
"""What `surveil install` writes and the service reads."""


def usual(path: Path) -> Path:
    """Return the file of the service where the default is meant and this folder has none."""
    is_there = path != DEFAULT_CONFIG or path.exists() or not SYSTEM_CONFIG.exists()
    return path if is_there else SYSTEM_CONFIG


ConfigPath = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        envvar="SURVEIL_CONFIG",
        help="Configuration file. Without one in this folder: /etc/surveil/config.yaml.",
        show_default=True,
        dir_okay=False,
        callback=usual,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_UNLIMITED = 10_000
"""Columns of a terminal that any table fits into."""


class PlainConsole(Console):
    """Prints texts as they are: what a device, a server or a file says may hold markup, emoji codes and escape codes.

    A `Text` of rich has a style.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render for the terminal, without control characters but rich's own."""
        for one in super().render(renderable, options):
            yield one if one.control else Segment(without_control(one.text), one.style)


console = PlainConsole()
errors = PlainConsole(stderr=True)


def read_config(
    path: Path, *, needs_model: bool = False, needs_secrets: bool = False, classifier: str = ""
) -> Config:
    """Load the configuration, set up logging by it, and print its warnings.

    `needs_model`: a model that is not there is a mistake of the file; else it may still be added.
    `needs_secrets`: cameras or sinks are opened; else secrets may be missing, as in an operator's shell.
    `classifier`: the one that is being trained or deployed; that it is not yet in use is no news.
    """
    config = load(path, needs_model=needs_model, needs_secrets=needs_secrets, classifier=classifier)
    logs.configure(config.log.format, config.log.level)
    logs.hide(config.secrets)
    for warning in config.warnings:
        warn(warning)
    return config


def show_table(table: Table) -> None:
    """Print a table; where the terminal is too narrow for it, a paragraph for each row, so that nothing is cut off."""
    wanted = Measurement.get(console, console.options.update(max_width=_UNLIMITED), table).maximum
    if wanted <= console.width or not table.rows:
        console.print(table)
        return
    if table.title:
        console.print(table.title)
    for row in zip(*(column.cells for column in table.columns), strict=True):
        named = [(str(column.header), cell) for column, cell in zip(table.columns, row, strict=True) if cell]
        parts = [Text.assemble((header, "dim"), " ", cell) for header, cell in named]
        console.print(Padding(Text("  ").join(parts), (0, 0, 1, 0)))


def warn(what: str) -> None:
    """Print a warning, in the language of the terminal."""
    # The log's disk may be full: nothing to keep the daemon from starting for.
    with suppress(OSError):
        errors.print(Text(spoken("warning"), "yellow"), spoken_error(what), soft_wrap=True)


def complain(what: str) -> None:
    """Print what is wrong, in the language of the terminal, where the command goes on or its exit code says it, too."""
    errors.print(spoken_error(what), soft_wrap=True)


def open_detector(config: Config) -> Detector:
    """Open the model that the configuration names.

    Raises ConfigError if the file must be corrected, ModelError if anything else is wrong.
    """
    from surveil.models import store  # noqa: PLC0415 - most commands run no model

    try:
        return store.open_detector(config.model, store.ModelStore(config.state_dir / "models"))
    except UnfitModel as error:
        raise ConfigError([f"{config.path}: model: {error}"]) from error


def print_json(value: Any) -> None:
    """Print one JSON document; numbers that are not finite, which JSON does not know, are null."""
    json.dump(_plain(value), sys.stdout, indent=2, allow_nan=False, ensure_ascii=False)
    sys.stdout.write("\n")


def _plain(value: Any) -> Any:
    match value:
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case float():
            return float(value) if isfinite(value) else None
        case None | bool() | int() | str():
            return value
    return _plain(asdict(value)) if is_dataclass(value) and not isinstance(value, type) else str(value)


def shows_progress() -> bool:
    """Whether output goes to a terminal, which shows progress bars."""
    return sys.stderr.isatty() and not os.environ.get("NO_PROGRESS")
