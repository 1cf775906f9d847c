"""`surveil alerts …`: look at what the outbox holds, and put deliveries right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from surveil.alerts import admin
from surveil.alerts.payload import rfc3339, to_dict
from surveil.cli import arming
from surveil.cli.common import DEFAULT_CONFIG, AsJson, ConfigPath, console, errors, print_json, read_config

alerts = typer.Typer(
    no_args_is_help=True,
    help="The alerts on disk: list, show, retry, purge, check; and which rules may alert.",
)
arming.register(alerts)
Sink = Annotated[str | None, typer.Option(help="Only this sink.")]


def _database(config: Path) -> Path:
    return read_config(config).state_dir / "surveil.db"


@alerts.command("list")
def list_alerts(
    config: ConfigPath = DEFAULT_CONFIG,
    state: Annotated[
        str | None, typer.Option(help="Only those `pending`, `delivered` or `dead` at a sink.")
    ] = None,
    sink: Sink = None,
    camera: Annotated[str | None, typer.Option(help="Only this camera.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 50,
    *,
    json: AsJson = False,
) -> None:
    """List alerts, the newest first, and how far each has come."""
    found = admin.list_alerts(_database(config), state=state, sink=sink, camera=camera, limit=limit)
    if json:
        print_json([_whole(one) for one in found])
        return
    table = Table("id", "time", "camera", "rule", "phase", "text", "deliveries")
    for one in found:
        a = one.alert
        ways = ", ".join(f"{w.sink} {w.state}" for w in one.sinks)
        table.add_row(a.id[:8], rfc3339(a.t_wall), a.camera, a.rule, a.phase, a.text, ways)
    console.print(table)


@alerts.command("show")
def show(
    alert: Annotated[str, typer.Argument(help="The id of an alert or event, or how it begins.")],
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    json: AsJson = False,
) -> None:
    """Show alerts whole: pictures, states, attempts, last errors."""
    found = admin.show(_database(config), alert)
    if not found:
        errors.print(f"no alert begins with {alert}")
        raise typer.Exit(1)
    if json:
        print_json([_whole(one) for one in found])
        return
    for one in found:
        for key, value in _whole(one).items():
            console.print(f"[bold]{key:12}[/] {value}", soft_wrap=True)
        console.print()


@alerts.command("retry")
def retry(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of alerts; without: all dead letters.")] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    sink: Sink = None,
) -> None:
    """Make dead letters pending again; the running daemon delivers them."""
    n = admin.retry(_database(config), sink=sink, ids=tuple(ids or ()))
    console.print(f"{n} deliveries are pending again")


@alerts.command("purge")
def purge(
    config: ConfigPath = DEFAULT_CONFIG,
    sink: Sink = None,
    state: Annotated[str, typer.Option(help="`dead`, or `pending` to give up what waits.")] = "dead",
) -> None:
    """Give up deliveries. The totals stay in the books."""
    n = admin.purge(_database(config), sink=sink, state=state)
    console.print(f"{n} deliveries given up")


@alerts.command("check")
def check(config: ConfigPath = DEFAULT_CONFIG, *, json: AsJson = False) -> None:
    """Verify the database and its invariants. Exit code 1 when one does not hold."""
    verdict = admin.check(_database(config))
    if json:
        print_json(verdict)
    else:
        console.print(f"{verdict.alerts} alerts, {verdict.pending} deliveries pending")
        for problem in verdict.problems:
            console.print(f"[red]{problem}[/]")
    if verdict.problems:
        raise typer.Exit(1)


def _whole(one: admin.Listed) -> dict[str, object]:
    ways = [{"sink": w.sink, "state": w.state, "attempts": w.attempts, "reason": w.reason, "error": w.error}
            for w in one.sinks]  # fmt: skip
    return {**to_dict(one.alert), "deliveries": ways}
