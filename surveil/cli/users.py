"""`surveil users …`: who may log in to the console."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from surveil.alerts.payload import rfc3339
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
from surveil.clock import SystemClock
from surveil.config.problems import no_camera
from surveil.console.access import Role, Scope
from surveil.console.auth.database import ConsoleDb
from surveil.console.auth.passwords import Passwords
from surveil.console.auth.users import Users

Name = Annotated[str, typer.Argument(help="Name of the user.")]


def add(
    name: Name,
    config: ConfigPath = DEFAULT_CONFIG,
    role: Annotated[Role, typer.Option(help="What the user may do.")] = Role.VIEWER,
    camera: Annotated[
        list[str] | None,
        typer.Option(
            help="Camera that the user may see. Repeatable; default: all.", autocompletion=complete.cameras
        ),
    ] = None,
) -> None:
    """Add a user, or change a user's password, role and cameras.

    Asks for the password; without a terminal, the first line of standard input is the password. Sessions of the user
    end. A running daemon knows the user at once.

    Example: `surveil users add ada --role operator --camera yard`
    """
    settings = read_config(config)
    for one in camera or []:
        if one not in settings.cameras:
            raise typer.BadParameter(no_camera(one, settings.cameras), param_hint="--camera")
    password = _password()
    _users(settings.state_dir).add(name, password, role, camera or None, SystemClock().wall())
    console.print(f"{name} may log in as {role}")


def list_users(config: ConfigPath = DEFAULT_CONFIG, *, json: AsJson = False) -> None:
    """List users with their roles, cameras and tokens.

    Example: `surveil users list --json`
    """
    users = _users(read_config(config).state_dir)
    found = [(user, users.tokens(user.name)) for user in users.all()]
    if json:
        print_json([
            {
                "name": user.name,
                "role": user.role,
                "cameras": ["*"] if user.cameras is None else sorted(user.cameras),
                "tokens": [{"name": name, "expires": rfc3339(expires)} for name, expires in tokens],
            }
            for user, tokens in found
        ])  # fmt: skip
        return
    table = Table("user", "role", "cameras", "tokens")
    for user, tokens in found:
        seen = "all" if user.cameras is None else ", ".join(sorted(user.cameras))
        table.add_row(
            user.name, user.role, seen, ", ".join(f"{n} until {rfc3339(e)[:10]}" for n, e in tokens)
        )
    show_table(table)


def remove(name: Name, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Remove a user with all sessions and tokens. Exit code 1 if there is no such user.

    Example: `surveil users remove ada`
    """
    if not _users(read_config(config).state_dir).remove(name):
        complain(f"there is no user {name}")
        raise typer.Exit(1)
    console.print(f"{name} is removed")


def token(
    name: Name,
    config: ConfigPath = DEFAULT_CONFIG,
    called: Annotated[
        str, typer.Option("--name", help="Name of the token. An existing token of this name is revoked.")
    ] = "default",
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="What the token may be used for. Repeatable; default: all that the user may do."),
    ] = None,
    days: Annotated[float, typer.Option(min=0.01, max=3660, help="How long the token is valid.")] = 365,
) -> None:
    """Make a token for a program that uses the API. It is printed once.

    The program sends it as `Authorization: Bearer TOKEN`. It may do what the user may do, within the scopes.

    Example: `surveil users token ada --name grafana --scope state --days 90`
    """
    users = _users(read_config(config).state_dir)
    sys.stdout.write(users.make_token(name, called, scope or None, days, SystemClock().wall()) + "\n")


def _users(state_dir: Path) -> Users:
    return Users(ConsoleDb(state_dir), Passwords())


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")
