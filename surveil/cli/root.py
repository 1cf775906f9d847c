"""The commands, in the order in which somebody meets them."""

from __future__ import annotations

import sys

import typer

from surveil import __version__
from surveil.cli import demo, inspect, operate, replay, train
from surveil.cli.alerts import alerts
from surveil.cli.cameras import cameras
from surveil.cli.collect import collect
from surveil.cli.dataset import dataset
from surveil.cli.install import install, uninstall
from surveil.cli.learn import evaluate_command, normality
from surveil.cli.report import report

app = typer.Typer(
    help="Watch cameras, and say so when something happens.\n\n"
    "Start with `surveil demo`. Then write your cameras into config.yaml, look at it with `surveil check`, "
    "try it on a recording with `surveil replay`, and let it run with `surveil run`.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _version(value: bool) -> None:
    if value:
        sys.stdout.write(f"surveil {__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Watch cameras, and say so when something happens."""


app.command("run")(operate.run)
app.command("check")(operate.check)
app.command("replay")(replay.replay)
app.command("report")(report)
app.command("demo")(demo.demo)
app.command("collect")(collect)
app.command("evaluate")(evaluate_command)
app.add_typer(normality, name="normality")
app.add_typer(dataset, name="dataset")
app.command("train")(train.train)
app.command("bench")(inspect.bench)
app.command("schema")(inspect.schema)
app.add_typer(inspect.models, name="models")
app.add_typer(alerts, name="alerts")
app.add_typer(cameras, name="cameras")
app.command("install")(install)
app.command("uninstall")(uninstall)
