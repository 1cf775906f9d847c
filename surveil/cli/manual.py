"""Manual pages and completion scripts, made from the help of the commands when the service is installed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from typer._completion_shared import get_completion_script
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from surveil import __version__
from surveil.cli.lazy import LazyCommand

_SHARE = Path("/usr/local/share")
_SCRIPTS = {
    "bash": _SHARE / "bash-completion/completions/surveil",
    "zsh": _SHARE / "zsh/site-functions/_surveil",
    "fish": _SHARE / "fish/vendor_completions.d/surveil.fish",
}
_PAGES = _SHARE / "man/man1"


def files() -> dict[Path, str]:
    """Return every page and script by its place: `surveil.1`, `surveil-alerts-list.1`, and so on."""
    made = {_PAGES / f"{'-'.join(path)}.1": _page(path, command) for path, command in _commands()}
    return made | {place: _script(shell) for shell, place in _SCRIPTS.items()}


def places() -> list[Path]:
    """Return the places of `files`, without importing the commands."""
    return [*(_PAGES / f"{'-'.join(path)}.1" for path, _ in _commands()), *_SCRIPTS.values()]


def _commands() -> Iterator[tuple[tuple[str, ...], TyperCommand | TyperGroup]]:
    """Yield each command and group with its words, `surveil` first."""
    from surveil.cli.root import app  # noqa: PLC0415 - the table of commands names the one that needs this module

    yield from _below(("surveil",), get_command(app))


def _below(
    path: tuple[str, ...], command: object
) -> Iterator[tuple[tuple[str, ...], TyperCommand | TyperGroup]]:
    assert isinstance(command, TyperCommand | TyperGroup)
    yield path, command
    if isinstance(command, TyperGroup):
        for name, sub in command.commands.items():
            yield from _below((*path, name), sub)


def _script(shell: str) -> str:
    script = get_completion_script(prog_name="surveil", complete_var="_SURVEIL_COMPLETE", shell=shell)
    return script if script.endswith("\n") else f"{script}\n"


def _page(path: tuple[str, ...], command: TyperCommand | TyperGroup) -> str:
    """Return the manual page of one command in the macros of man(7)."""
    whole = command.load() if isinstance(command, LazyCommand) else command
    words = " ".join(path)
    context = whole.make_context(words, [], resilient_parsing=True)
    usage = " ".join(whole.collect_usage_pieces(context))
    brief, _, rest = (whole.help or "").partition("\n\n")
    lines = [
        f'.TH "{"-".join(path).upper()}" "1" "" "surveil {__version__}" "surveil"',
        ".SH NAME",
        f"{_text('-'.join(path))} \\- {_text(' '.join(brief.split()))}",
        ".SH SYNOPSIS",
        f".B {_text(words)}",
        _text(usage),
    ]
    if rest:
        lines += [".SH DESCRIPTION", *_paragraphs(rest)]
    if isinstance(whole, TyperGroup):
        lines += [".SH COMMANDS"]
        for name, sub in whole.commands.items():
            lines += [".TP", f".B {_text(f'{words} {name}')}", _text(sub.help or "")]
    records = [
        record for parameter in whole.get_params(context) if (record := parameter.get_help_record(context))
    ]
    if records:
        lines += [".SH OPTIONS"]
        for option, meaning in records:
            lines += [".TP", f".B {_text(option)}", _text(" ".join(meaning.split()))]
    lines += [
        ".SH EXIT STATUS",
        "0: success. 1: failure. 2: wrong command line. 78: mistake in the configuration.",
    ]
    related = sorted({"surveil", "-".join(path[:-1])} - {"-".join(path), ""})
    if related:
        lines += [".SH SEE ALSO", ", ".join(f"{_text(name)}(1)" for name in related)]
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text; what is indented stands as it is."""
    for paragraph in re.split(r"\n\s*\n", text):
        if paragraph.startswith("    "):
            yield from (".PP", ".nf", *(_text(line) for line in paragraph.splitlines()), ".fi")
        else:
            yield from (".PP", _text(" ".join(paragraph.split())))


def _text(text: str) -> str:
    """Return text as roff prints it: no control line, no escape, and back-ticks as bold."""
    plain = text.replace("\\", "\\e").replace("-", "\\-")
    bold = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", plain)
    return f"\\&{bold}" if bold.startswith((".", "'")) else bold
