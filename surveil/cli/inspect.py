"""`surveil schema` and `surveil models …`."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from surveil.cli.common import (
    DEFAULT_CONFIG,
    AsJson,
    ConfigPath,
    console,
    open_detector,
    print_json,
    read_config,
    show_table,
)
from surveil.config import schema as config_schema
from surveil.config.reference import example, reference
from surveil.detect.decoders import DECODERS
from surveil.detect.settings import ModelSettings
from surveil.models.store import ModelStore
from surveil.models.store import open_detector as open_built_in


class SchemaForm(StrEnum):
    """What `surveil schema` prints."""

    JSON = "json"
    YAML = "yaml"
    MARKDOWN = "markdown"
    METRICS = "metrics"


def schema(
    form: Annotated[
        SchemaForm,
        typer.Option(
            "--as",
            help="`json`: JSON Schema; `yaml`: a commented file; `markdown`: its reference; "
            "`metrics`: the reference of the metrics.",
        ),
    ] = SchemaForm.JSON,
) -> None:
    """Print the reference of settings (JSON Schema, commented file or page) or of metrics.

    Examples: `surveil schema --as yaml > config.yaml`; `surveil schema --as metrics`
    """
    if form is SchemaForm.JSON:
        print_json(config_schema())
    elif form is SchemaForm.METRICS:
        from surveil.app.metrics_page import page  # noqa: PLC0415 - only here

        sys.stdout.write(page())
    else:
        sys.stdout.write(example() if form is SchemaForm.YAML else reference())


def bench(config: ConfigPath = DEFAULT_CONFIG, *, json: AsJson = False) -> None:
    """Benchmark this machine: the cost of each pipeline stage next to the library call it wraps.

    Reports the CPU time of this process (medians); run it on an idle machine. Uses the built-in model if there is no
    config.yaml in this folder.

    Example: `surveil bench --json`
    """
    from surveil.app.bench import bench as measure  # noqa: PLC0415 - only here

    if _is_there(config):
        detector = open_detector(read_config(config, needs_model=True))
    else:
        detector = open_built_in(ModelSettings(), ModelStore())
    rows = list(measure(detector))
    if json:
        print_json([{**asdict(row), "ratio": row.ratio} for row in rows])
        return
    table = Table("what", "CPU ms", "bare ms", "ratio")
    for row in rows:
        bare = "" if row.bare_milliseconds is None else f"{row.bare_milliseconds:.2f}"
        table.add_row(
            row.what, f"{row.milliseconds:.2f}", bare, "" if row.ratio is None else f"{row.ratio:.2f}"
        )
    console.print(table)


def model_store(config: Path) -> ModelStore:
    """Return the models that the configuration can name."""
    return ModelStore(read_config(config).state_dir / "models")


def _is_there(config: Path) -> bool:
    """Whether to read the configuration: the default one is optional."""
    return config != DEFAULT_CONFIG or config.exists()


def _listed(config: Path) -> ModelStore:
    return model_store(config) if _is_there(config) else ModelStore()


@dataclass(frozen=True, slots=True)
class _Format:
    """A form of model that can be read."""

    decoder: str
    families: str
    proven_with: str
    """Exporter and version whose models gave the same boxes as in their own runtime; empty: none yet."""
    experimental: bool


def _formats() -> list[_Format]:
    return [
        _Format(name, one.families, one.proven_with, not one.proven_with) for name, one in DECODERS.items()
    ]


def list_models(config: ConfigPath = DEFAULT_CONFIG, *, json: AsJson = False) -> None:
    """List the models that a configuration can name, and the formats that can be added.

    Without a config.yaml in this folder, lists the built-in models. A decoder is experimental until it has been tested
    with a real export.

    Example: `surveil models list`
    """
    found = _listed(config).list()
    if json:
        print_json({"models": found, "decoders": [asdict(format_) for format_ in _formats()]})
        return
    table = Table("name", "decoder", "classes", "licence", "sha256", "origin")
    for model in found:
        unproven = " (experimental)" if is_experimental(model.decoder) else ""
        table.add_row(
            model.name,
            model.decoder + unproven,
            str(len(model.labels)),
            model.licence or "unknown",
            model.sha256[:12],
            "built in" if model.embedded else "added",
        )
    show_table(table)
    table = Table("decoder", "reads exports of", "state")
    for one in _formats():
        table.add_row(
            one.decoder,
            one.families,
            "experimental" if one.experimental else f"proven with {one.proven_with}",
        )
    console.print(table)


def is_experimental(decoder: str) -> bool:
    """Whether no real export has been run through this decoder yet."""
    return decoder in DECODERS and not DECODERS[decoder].proven_with


def check_models(config: ConfigPath = DEFAULT_CONFIG, *, json: AsJson = False) -> None:
    """Check every model: SHA-256, loading, a run, decoding. Exit code 1 if one fails.

    Example: `surveil models check -c /etc/surveil/config.yaml`
    """
    settings = read_config(config)
    found = model_store(config).check(settings.model)
    if json:
        print_json(found)
    else:
        table = Table("name", "state", "provider", "input", "ms a picture")
        for one in found:
            state = Text("good", "green") if one.ok else Text(one.message, "red")
            table.add_row(one.name, state, one.provider, one.input, f"{one.milliseconds:.1f}")
        console.print(table)
    if not all(one.ok for one in found):
        raise typer.Exit(1)
