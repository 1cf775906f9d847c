"""Help and usage errors in Chinese. Imported only with SURVEIL_LANGUAGE=zh or a Chinese locale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

from surveil.cli.lazy import spoken_error


def in_chinese(text: str) -> str:
    """Return a text of the help, paragraph by paragraph; what is not translated, and code, stays as it is."""
    return "\n\n".join(_paragraph(one) for one in text.split("\n\n"))


def _paragraph(text: str) -> str:
    if text.startswith(("Example: ", "Examples: ")):
        return f"{_help()['Examples']}{text.partition(': ')[2]}"
    return _help().get(" ".join(text.split()), text)


def put_into_chinese(command: Any) -> None:
    """Put the help of a command of Typer, and of its options, into Chinese."""
    _speak_of_usage()
    command.help = in_chinese(command.help or "")
    for parameter in (*command.params, _option_of_help(command)):
        if text := getattr(parameter, "help", None):
            parameter.help = in_chinese(text)


def _show_usage_error(show: Callable[[Any], None], error: Any) -> None:
    """Show how a command was called wrongly; `show` is what Typer does in English."""
    # Without arguments a command shows its help, which Typer finds by the class of the error.
    if type(error).__name__ == "NoArgsIsHelpError":
        show(error)
        return
    said = spoken_error(error.format_message())
    show(SimpleNamespace(ctx=getattr(error, "ctx", None), format_message=lambda: said))


def _option_of_help(command: Any) -> Any:
    """Return the command's `--help`, which is made when it is first asked for, and then kept."""
    from typer import Context  # noqa: PLC0415 - loaded by then

    return command.get_help_option(Context(command))


@cache
def _speak_of_usage() -> None:
    """Put what Typer itself prints into Chinese: the titles of its panels, and how a command was called wrongly."""
    from typer import rich_utils  # noqa: PLC0415 - slow to import

    known = _help()
    # By its name: a function of Typer's is replaced, since it has no setting for the text of an error.
    vars(rich_utils)["rich_format_error"] = partial(_show_usage_error, rich_utils.rich_format_error)
    rich_utils.ERRORS_PANEL_TITLE = known["Error"]
    rich_utils.ABORTED_TEXT = known["Aborted."]
    rich_utils.RICH_HELP = known["Try [blue]'{command_path} {help_option}'[/] for help."]
    rich_utils.ARGUMENTS_PANEL_TITLE = known["Arguments"]
    rich_utils.OPTIONS_PANEL_TITLE = known["Options"]
    rich_utils.COMMANDS_PANEL_TITLE = known["Commands"]


@cache
def _help() -> Mapping[str, str]:
    from surveil.language import help_texts  # noqa: PLC0415 - English needs no catalogue

    return help_texts()
