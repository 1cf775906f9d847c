"""The help of commands in Chinese. Imported where the terminal speaks it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any


def in_chinese(text: str) -> str:
    """Return a text of the help: paragraphs and first sentences that are translated, the rest in English."""
    known = _help()
    if text in known:
        return known[text]
    paragraphs = text.split("\n\n")
    return "\n\n".join(known.get(one, _first(one, known)) for one in paragraphs)


def put_into_chinese(command: Any) -> None:
    """Put the help of a command of Typer, and of its options, into Chinese."""
    _title_panels()
    command.help = in_chinese(command.help or "")
    for parameter in command.params:
        if text := getattr(parameter, "help", None):
            parameter.help = in_chinese(text)


def _first(paragraph: str, known: Mapping[str, str]) -> str:
    """Return a paragraph with its first sentence in the language, where that is known."""
    return next(
        (said + paragraph[len(one) :] for one, said in known.items() if paragraph.startswith(one)), paragraph
    )


def _title_panels() -> None:
    from typer import rich_utils  # noqa: PLC0415 - slow to import

    known = _help()
    rich_utils.ARGUMENTS_PANEL_TITLE = known["Arguments"]
    rich_utils.OPTIONS_PANEL_TITLE = known["Options"]
    rich_utils.COMMANDS_PANEL_TITLE = known["Commands"]


@cache
def _help() -> Mapping[str, str]:
    from surveil.language import help_texts  # noqa: PLC0415 - English needs no catalogue

    return help_texts()
