"""Outside text in the output of commands: shown as it is, whatever it holds."""

import ast
import io
import re
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

import surveil
from surveil.cli import common
from surveil.cli.common import PlainConsole, show_table, warn
from surveil.wording import one_line, without_control

SOURCE = Path(surveil.__file__).parent
ODD = "[/x] [red]a[/] [link=http://192.0.2.1]b :smile: ${c} \\[d"
CODES = "a\x1b[2Jb\x9b31mc\rd\x07e\u202ef"
MARKUP = re.compile(r"\[/?(red|green|yellow|blue|bold|dim)\]|\[/\]")


def printed(*what, width=200, **options):
    console = PlainConsole()
    console.file, console.width = io.StringIO(), width
    console.print(*what, **options)
    return console.file.getvalue()


def table(cell):
    made = Table("name", "what", title=cell)
    made.add_row(cell, Text(cell, "red"))
    return made


@pytest.mark.parametrize("what", [ODD, Text(ODD, "red"), table(ODD)])
def test_outside_text_is_no_markup(what):
    assert ODD in printed(what)


@pytest.mark.parametrize("what", [CODES, Text(CODES, "red"), table(CODES)])
def test_outside_text_does_not_command_the_terminal(what):
    shown = printed(what)
    assert "a[2Jb31mcdef" in shown
    assert set(shown) & set("\x1b\x9b\r\x07\u202e") == set()


def test_styles_are_kept_where_there_is_a_terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert printed(Text("wrong", "red"), "a\x1b[2J") == "\x1b[31mwrong\x1b[0m a[2J\n"


@pytest.mark.parametrize("width", [20, 200])
def test_a_table_is_shown_as_it_is_at_any_width(monkeypatch, capsys, width):
    monkeypatch.setattr(common.console, "_width", width)
    show_table(table("[/x]"))
    assert capsys.readouterr().out.count("[/x]") == 3


def test_a_warning_is_shown_as_it_is(capsys):
    warn(ODD)
    assert ODD in capsys.readouterr().err


def test_one_line_and_control():
    assert one_line(" a\n\tb\u2028c\x9bd\u202e ") == "a b c d"
    assert without_control("a\n\tb 看\u200d\x7f\x85") == "a\n\tb 看\u200d"


def calls(name):
    """The calls of a function of rich in our code, with their files."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == name:
                yield path.name, ast.unparse(node)


def test_nothing_of_a_command_is_read_as_markup():
    assert {file for name in ("Console", "PlainConsole") for file, _ in calls(name)} == {"common.py"}
    assert [call for _, call in calls("TextColumn") if "markup=False" not in call] == []
    assert [*calls("from_markup"), *calls("render_markup")] == []
    commands = [path for path in SOURCE.rglob("*.py") if "surveil.cli.common import" in path.read_text()]
    assert len(commands) > 20
    assert [path.name for path in commands if MARKUP.search(path.read_text())] == []
