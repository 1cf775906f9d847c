"""What a shell's Tab key offers: names from the configuration that the line names, or the default one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import typer

from surveil.cli.common import DEFAULT_CONFIG
from surveil.config import Config, load
from surveil.errors import SurveilError
from surveil.rules.base import rule_name

Complete = Callable[[typer.Context, str], list[str]]


def names(of: Callable[[Config], Iterable[str]]) -> Complete:
    """Return a completion of the names that `of` finds; a file that cannot be used offers none."""

    def complete(context: typer.Context, incomplete: str) -> list[str]:
        try:
            found = of(load(context.params.get("config") or DEFAULT_CONFIG))
        except (SurveilError, OSError):
            return []
        return [name for name in found if name.startswith(incomplete)]

    return complete


cameras = names(lambda config: config.cameras)
sinks = names(lambda config: config.sinks)
rules = names(lambda config: sorted({rule_name(r) for c in config.cameras.values() for r in c.rules}))
