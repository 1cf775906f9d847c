"""Commands that are imported when they are used: `surveil --help` waits for no numpy, FFmpeg or model runtime."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

_VARIABLES = ("SURVEIL_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
"""The first that is set counts."""


def is_chinese(environment: Mapping[str, str] | None = None) -> bool:
    """Whether help is shown in Chinese, as in `zh_CN.UTF-8`; in English otherwise."""
    known = os.environ if environment is None else environment
    return next((known[name] for name in _VARIABLES if known.get(name)), "").lower().startswith("zh")


def spoken(text: str) -> str:
    """Return a text of the help in the language of the terminal."""
    if not is_chinese():
        return text
    from surveil.cli.speaking import in_chinese  # noqa: PLC0415 - English needs no catalogue

    return in_chinese(text)


def spoken_error(text: str) -> str:
    """Return an error or a warning in the language of the terminal, as far as that knows it."""
    if not is_chinese():
        return text
    from surveil.language.errors import in_chinese  # noqa: PLC0415 - as above

    return "\n".join(map(in_chinese, text.splitlines()))


def speak(command: Any) -> None:
    """Put the help of a command of Typer, and of its options, into the language of the terminal."""
    if not is_chinese():
        return
    from surveil.cli.speaking import put_into_chinese  # noqa: PLC0415 - as above

    put_into_chinese(command)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """One command: where its function is, and the first sentence of its help, for the list of commands."""

    where: str
    """`module:function`: a module of `surveil.cli`, or the full name of a feature's module of commands."""
    says: str


@dataclass(frozen=True, slots=True)
class CommandGroup:
    """Commands under one word."""

    says: str
    lines: Mapping[str, CommandLine]


class LazyCommand(TyperCommand):
    """Stands for a command in the list of commands; the command itself takes over once it is named."""

    def __init__(self, name: str, line: CommandLine) -> None:
        super().__init__(name, help=spoken(line.says), rich_markup_mode="markdown")
        self._where = line.where

    def load(self) -> Any:
        """Import the command."""
        module, _, function = self._where.partition(":")
        if not module.startswith("surveil."):
            module = f"surveil.cli.{module}"
        alone = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)
        alone.command(self.name)(getattr(importlib.import_module(module), function))
        command = get_command(alone)
        speak(command)
        return command

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Return the context of the command itself: whatever is done next is done with that."""
        from surveil import logs  # noqa: PLC0415 - the list of commands logs nothing

        # Until then structlog writes to stdout, and tracebacks with local variables: passwords among them.
        logs.configure()
        return self.load().make_context(*args, **kwargs)


def add(group: TyperGroup, table: Mapping[str, CommandLine | CommandGroup]) -> None:
    """Put the commands and groups of a table into a group."""
    for name, entry in table.items():
        if isinstance(entry, CommandLine):
            group.add_command(LazyCommand(name, entry))
        else:
            inner = TyperGroup(name=name, help=entry.says, no_args_is_help=True, rich_markup_mode="markdown")
            speak(inner)
            add(inner, entry.lines)
            group.add_command(inner)
