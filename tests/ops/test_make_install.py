"""`make install` and `make uninstall` as a packager runs them: below DESTDIR, repeated, and taken away again.

Without a network: what pip would download is offered from the environment that runs the tests.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = "/opt/surveil/bin/surveil"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("make") is None, reason="make is missing"),
]


@pytest.fixture
def packages(tmp_path):
    """Every package of this environment but surveil itself, which is to be installed."""
    found = next(Path(p) for p in sys.path if p.endswith("site-packages"))
    folder = tmp_path / "packages"
    folder.mkdir()
    for entry in found.iterdir():
        if "surveil" not in entry.name:
            (folder / entry.name).symlink_to(entry)
    return folder


@pytest.fixture
def make(tmp_path, packages):
    def run(target):
        done = subprocess.run(
            ["make", target, f"DESTDIR={tmp_path / 'stage'}", "PREFIX=/opt/surveil", f"PYTHON={sys.executable}"],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=500,
            # pip reads a switch that is called no_… as the value of what it switches.
            env={**os.environ, "PYTHONPATH": str(packages), "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()

    return run


def test_it_installs_repeats_and_takes_everything_away_but_the_configuration(tmp_path, make, packages):
    stage = tmp_path / "stage"
    assert "write   /etc/systemd/system/surveil.service" in make("install")
    unit = (stage / "etc/systemd/system/surveil.service").read_text()
    assert f"\nExecStart={PROGRAM} run -c /etc/surveil/config.yaml\n" in unit
    script = (stage / PROGRAM.lstrip("/")).read_text()
    assert script.startswith("#!/opt/surveil/bin/python")
    told = subprocess.run(
        [stage / "opt/surveil/bin/python", "-m", "surveil", "models", "list", "--json"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100,
        env={**os.environ, "PYTHONPATH": str(packages), "SURVEIL_CONFIG": str(config(tmp_path))},
    )  # fmt: skip
    # What was installed stands by itself: the models and the units are inside.
    assert '"efficientdet-lite0"' in told.stdout, told.stderr
    [installed] = (stage / "opt/surveil/lib").glob("python*/site-packages/surveil")
    assert (installed / "_systemd" / "surveil.service").is_file()

    (stage / "etc/surveil/config.yaml").write_text("version: 1\n")
    again = make("install")
    assert not [line for line in again if line.startswith("write")]
    make("uninstall")
    left = {str(path.relative_to(stage)) for path in stage.rglob("*") if path.is_file()}
    assert left == {"etc/surveil/config.yaml"}
    make("uninstall")


def config(folder):
    path = folder / "mine.yaml"
    path.write_text(f"version: 1\nstate_dir: {folder / 'state'}\n")
    return path
