"""`--help` teaches: each command has an example, which is one; the table of commands says what the commands say."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from surveil.cli.lazy import LazyCommand
from surveil.cli.root import app
from tests.words import UNCLEAR

pytestmark = pytest.mark.rig

PAGES = {"starlette", "uvicorn", "prometheus_client"}
HEAVY = {"numpy", "cv2", "av", "onnxruntime", "scipy", "yaml", "sqlite3", "structlog", *PAGES}
"""What `surveil --help` must not wait for; typer itself brings pydantic."""


def leaves(group, path=()):
    for name, command in group.commands.items():
        if isinstance(command, LazyCommand):
            yield (*path, name), command
        else:
            yield from leaves(command, (*path, name))


COMMANDS = dict(leaves(get_command(app)))
every = pytest.mark.parametrize("path", COMMANDS, ids=" ".join)


def examples(text):
    """The command lines of `surveil` that a help text shows, up to a pipe or a redirection."""
    shown = re.findall(r"`surveil ([^`]+)`", text) + re.findall(r"^ {4}surveil (.+)$", text, re.MULTILINE)
    return [list(shlex.split(re.split(r" [|>] ", line)[0])) for line in shown]


@every
def test_its_help_has_an_example_and_each_is_a_line_that_it_takes(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = COMMANDS[path].load()
    mine = [words[len(path) :] for words in examples(command.help) if tuple(words[: len(path)]) == path]
    assert [words for words in mine if words or not any(p.required for p in command.params)]
    for words in mine:
        for word in words:
            # Whatever may be a file is there; a command is parsed and not run.
            if not word.startswith(("-", "/")):
                Path(word).parent.mkdir(parents=True, exist_ok=True)
                Path(word).touch()
        command.make_context(path[-1], words)


@every
def test_its_help_is_written_in_plain_words(path):
    command = COMMANDS[path].load()
    texts = [command.help or "", *(getattr(param, "help", "") or "" for param in command.params)]
    assert [found[0] for text in texts for found in UNCLEAR.finditer(text)] == []


@every
def test_the_table_says_what_the_command_says_first(path):
    stands, command = COMMANDS[path], COMMANDS[path].load()
    first = command.help.split("\n\n")[0].replace("\n", " ")
    assert first == stands.help or first.startswith(f"{stands.help} ")
    assert stands.help.endswith(".")


MOST_MODULES = 212
"""What a daemon without cameras may load: what is needed by some only is imported where it is used."""


def imported(*words):
    """The modules that a command line imports, without those that measure it."""
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "surveil", *map(str, words)],
        capture_output=True, text=True, check=False, timeout=100,
        env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},
    )  # fmt: skip
    return set(re.findall(r"^import time:.*\| +(\S+)$", ran.stderr, re.MULTILINE))


def packages(*words):
    return {name.split(".")[0] for name in imported(*words)}


@pytest.mark.parametrize("words", [("--help",), ("alerts", "--help"), ("--version",)])
def test_help_waits_for_nothing_heavy(words):
    found = packages(*words)
    assert "typer" in found
    assert found & HEAVY == set()


def test_the_alerts_are_listed_without_pictures_models_and_pages(tmp_path):
    (tmp_path / "config.yaml").write_text(f"version: 1\nstate_dir: {tmp_path}\n")
    found = packages("alerts", "list", "-c", tmp_path / "config.yaml")
    assert "pydantic" in found
    assert found & {"cv2", "av", "onnxruntime", "scipy", *PAGES} == set()


def test_a_configuration_is_checked_without_streams_and_pages(tmp_path):
    (tmp_path / "config.yaml").write_text(f"version: 1\nstate_dir: {tmp_path}\n")
    found = packages("check", "-c", tmp_path / "config.yaml")
    assert "onnxruntime" in found
    assert found & {"av", "scipy", *PAGES} == set()


def test_the_daemon_loads_nothing_of_learning_training_and_the_demo(tmp_path):
    (tmp_path / "config.yaml").write_text(f"version: 1\nstate_dir: {tmp_path / 'config.yaml'}\n")
    found = {name for name in imported("run", "-c", tmp_path / "config.yaml") if name.startswith("surveil.")}
    assert "surveil.app.daemon" in found
    assert [name for name in found if re.search(r"\.(offline|demo|commands|probe)\b", name)] == []
    assert len(found) <= MOST_MODULES
