"""Optional packages: the table agrees with the project, and what is said can be run here."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from surveil import extras
from surveil.cli.root import app
from surveil.errors import StateError
from surveil.extras import REQUIREMENTS, Extra

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FOLDERS = ("surveil", "docs", "systemd", "compose", "benchmarks")


def texts():
    yield from (
        path for path in ROOT.iterdir() if path.suffix == ".md" or path.name in {"Makefile", "Containerfile"}
    )
    for folder in FOLDERS:
        yield from (
            p for p in (ROOT / folder).rglob("*") if p.suffix in {".py", ".md", ".yaml", ".service", ".conf"}
        )


def test_the_table_is_that_of_the_project():
    assert {str(extra): list(needs) for extra, needs in REQUIREMENTS.items()} == PROJECT[
        "optional-dependencies"
    ]


def test_the_distribution_has_a_name_of_its_own_and_no_text_names_the_other_project():
    assert PROJECT["name"] == "surveil-daemon"
    wrong = re.compile(r"pip3? install (?:-\S+ )*['\"]?surveil(?!-daemon)\b|surveil\[\w+\]")
    assert wrong.search("pip install surveil"), "the pattern itself works"
    found = {str(path): match[0] for path in texts() if (match := wrong.search(path.read_text()))}
    found.pop(str(ROOT / "surveil" / "extras.py"))  # says why not
    assert found == {}


def test_a_command_calls_the_program_of_this_environment(tmp_path, monkeypatch):
    script = tmp_path / "env with blanks" / "bin" / "surveil"
    monkeypatch.setattr(sys, "prefix", str(script.parent.parent))
    assert extras.command(Extra.MQTT) == f"{sys.executable} -m surveil install --extra mqtt"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", "/usr/bin")
    assert extras.command(Extra.MQTT) == f"'{script}' install --extra mqtt"
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "surveil").symlink_to(script)
    assert extras.command(Extra.CUDA) == "surveil install --extra cuda"


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """A Python whose pip writes its words down, and fails where a word says so."""
    log = tmp_path / "pip.log"
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\nshift 2\necho "$@" >> {log}\ncase "$*" in *"${{BREAKS:-nothing}}"*) exit 3;; esac\n'
    )
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    return lambda: [
        line.replace(" --quiet --disable-pip-version-check", "") for line in log.read_text().splitlines()
    ]


def test_an_extra_is_installed_by_the_pip_of_this_environment(pip):
    done = CliRunner().invoke(app, ["install", "--extra", "mqtt", "--extra", "parquet"])
    assert done.exit_code == 0, done.output
    assert pip() == ["install paho-mqtt>=2.1", "install pyarrow>=15"]


def test_the_gpu_build_takes_the_place_of_the_cpu_build_which_comes_back_where_that_fails(pip, monkeypatch):
    extras.install(Extra.CUDA)
    assert pip() == [
        "uninstall --yes onnxruntime",
        "install onnxruntime-gpu[cuda,cudnn]>=1.31 nvidia-ml-py>=12",
    ]
    monkeypatch.setenv("BREAKS", "onnxruntime-gpu")
    with pytest.raises(StateError, match=r"failed with exit code 3.*owner of "):
        extras.install(Extra.CUDA)
    assert pip()[-1] == "install onnxruntime>=1.31"


def test_an_unknown_extra_is_refused_with_the_list():
    done = subprocess.run(
        [sys.executable, "-m", "surveil", "install", "--extra", "mqt"], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode != 0
    assert "mqtt" in done.stderr
