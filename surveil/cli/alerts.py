"""`surveil alerts …`: look at what the outbox holds, and put deliveries right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from surveil.alerts import admin
from surveil.alerts.payload import rfc3339, to_dict
from surveil.cli import complete
from surveil.cli.common import (
    DEFAULT_CONFIG,
    AsJson,
    ConfigPath,
    complain,
    console,
    print_json,
    read_config,
    show_table,
)

Sink = Annotated[str | None, typer.Option(help="Only this sink.", autocompletion=complete.sinks)]
Camera = Annotated[str | None, typer.Option(help="Only this camera.", autocompletion=complete.cameras)]
DATABASE = "surveil.db"


def _database(config: Path) -> Path:
    return read_config(config).state_dir / DATABASE


def list_alerts(
    config: ConfigPath = DEFAULT_CONFIG,
    state: Annotated[
        Literal["pending", "delivered", "dead"] | None,
        typer.Option(help="Only alerts with a delivery in this state."),
    ] = None,
    sink: Sink = None,
    camera: Camera = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of alerts, newest first.")] = 50,
    *,
    json: AsJson = False,
) -> None:
    """List alerts, newest first, with the state of each delivery.

    Examples: `surveil alerts list --camera yard --limit 10`; `surveil alerts list --state dead --sink ops`
    """
    database = _database(config)
    cameras = None if camera is None else [camera]
    found = admin.list_alerts(database, state=state, sink=sink, cameras=cameras, limit=limit)
    if json:
        print_json([_whole(one, database.parent) for one in found])
        return
    table = Table("id", "time", "camera", "rule", "phase", "text", "deliveries")
    for one in found:
        a = one.alert
        ways = ", ".join(f"{w.sink} {w.state}" for w in one.sinks)
        table.add_row(a.id[:8], rfc3339(a.t_wall), a.camera, a.rule, a.phase, a.text, ways)
    show_table(table)


def show(
    alert: Annotated[str, typer.Argument(help="Id of an alert or event, or its first characters.")],
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    json: AsJson = False,
) -> None:
    """Show alerts in full: evidence, deliveries, attempts, last errors.

    Example: `surveil alerts show 3f2a`
    """
    database = _database(config)
    found = admin.show(database, alert)
    if not found:
        complain(f"no alert begins with {alert}")
        raise typer.Exit(1)
    if json:
        print_json([_whole(one, database.parent) for one in found])
        return
    for one in found:
        for key, value in _whole(one, database.parent).items():
            for line in _lines(value):
                console.print(Text(f"{key:12}", "bold"), line, soft_wrap=True)
        console.print()


def retry(
    ids: Annotated[
        list[str] | None,
        typer.Argument(help="Ids of alerts or events, or their first characters; default: all dead letters."),
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    sink: Sink = None,
    *,
    json: AsJson = False,
) -> None:
    """Retry dead letters: make them pending again.

    Retries all alerts of the same event, so that the end still follows the start. Exit code 1 if no alert matches an
    id.

    Examples: `surveil alerts retry --sink ops`; `surveil alerts retry 3f2a 9c01`
    """
    done = admin.retry(_database(config), sink=sink, prefixes=tuple(ids or ()))
    n = done.deliveries
    print_json({"retried": n}) if json else console.print(f"{n} deliveries are pending again")
    for prefix in done.unknown:
        complain(f"no alert begins with {prefix}")
    if done.unknown:
        raise typer.Exit(1)


def purge(
    config: ConfigPath = DEFAULT_CONFIG,
    sink: Sink = None,
    state: Annotated[
        Literal["dead", "pending"],
        typer.Option(help="`dead`: delete dead letters; `pending`: make pending deliveries dead letters."),
    ] = "dead",
    *,
    json: AsJson = False,
) -> None:
    """Give up pending deliveries: make them dead letters. The totals still count them.

    Example: `surveil alerts purge --sink ops --state pending`
    """
    n = admin.purge(_database(config), sink=sink, state=state)
    print_json({"purged": n}) if json else console.print(f"{n} deliveries given up")


def check(config: ConfigPath = DEFAULT_CONFIG, *, json: AsJson = False) -> None:
    """Verify the database and its invariants. Exit code 1 if a check fails.

    Example: `surveil alerts check -c /etc/surveil/config.yaml`
    """
    verdict = admin.check(_database(config))
    if json:
        print_json(verdict)
    else:
        console.print(f"{verdict.alerts} alerts, {verdict.pending} deliveries pending")
        for path in verdict.set_aside:
            console.print(Text("a damaged database was set aside:", "yellow"), str(path), soft_wrap=True)
        for problem in verdict.problems:
            console.print(Text(problem, "red"))
    if verdict.problems:
        raise typer.Exit(1)


def _lines(value: object) -> list[str]:
    """Return a value as lines of text: one for each delivery, picture or detail."""
    match value:
        case dict():
            return [f"{key}: {item}" for key, item in value.items()]
        case list() if value and isinstance(value[0], dict):
            return [", ".join(f"{k} {v}" for k, v in one.items() if v != "") for one in value]
        case _:
            return [str(value)]


def _whole(one: admin.Listed, state_dir: Path) -> dict[str, object]:
    """Return everything about an alert, its pictures and clips as paths of this machine."""
    ways = [{"sink": w.sink, "state": w.state, "attempts": w.attempts, "reason": w.reason, "error": w.error}
            for w in one.sinks]  # fmt: skip
    kept = {kind: path for kind, path in one.alert.evidence.items() if not path.startswith("missing:")}
    files = {kind: str(state_dir / path) for kind, path in kept.items() if (state_dir / path).is_file()}
    return {**to_dict(one.alert), "files": files, "deliveries": ways}
