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


def asked(*words, **env):
    """What `make -n` would run."""
    done = subprocess.run(
        ["make", "-n", *words, "PREFIX=/nowhere", f"PYTHON={sys.executable}"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
        env={key: value for key, value in os.environ.items() if not key.startswith("PIP_")} | env,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("gpu", "chosen", "other"), [("0", "run", "onnxruntime-gpu"), ("1", "gpu", "onnxruntime")]
)
@pytest.mark.parametrize("target", ["install", "dev"])
def test_every_package_is_installed_by_hash(target, gpu, chosen, other):
    told = asked(target, "PINNED=1", f"GPU={gpu}", "VENV=/nowhere")
    lists = [line for line in told.splitlines() if " install " in line and " -r requirements/" in line]
    assert all("--require-hashes" in line for line in lists)
    assert any(line.endswith(f"-r requirements/{chosen}.txt") for line in lists)
    assert any(line.endswith("-r requirements/build.txt") for line in lists)
    # Its own requirements are not wanted: TensorFlow.
    assert all(" --no-deps " in line for line in lists if line.endswith("-r requirements/carriers.txt"))
    assert any(line.endswith("-r requirements/carriers.txt") for line in lists)
    assert f"uninstall -y {other} " in told
    # What is left is surveil itself.
    assert (
        len([line for line in told.splitlines() if "pip -q" in line and " install " in line])
        == len(lists) + 1
    )


def test_the_pins_are_used_where_they_hold():
    holds = (3, 11) <= sys.version_info[:2] <= (3, 13) and os.uname().machine == "x86_64"
    assert ("--require-hashes" in asked("install")) == holds


def test_a_gpu_is_a_yes_or_a_no():
    done = subprocess.run(
        ["make", "-n", "dev", "GPU=yes"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "GPU must be 0 or 1, not 'yes'" in done.stderr) == (2, True)


@pytest.mark.parametrize("name", ["run", "gpu", "build", "dev"])
def test_every_line_of_a_list_has_a_version_and_hashes(name):
    text = (ROOT / "requirements" / f"{name}.txt").read_text().replace("\\\n", "")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) > 10
    assert [line for line in lines if "==" not in line or "--hash=sha256:" not in line] == []
    builds = {line.split("==")[0] for line in lines} & {"onnxruntime", "onnxruntime-gpu"}
    assert builds == {"run": {"onnxruntime"}, "gpu": {"onnxruntime-gpu"}}.get(name, set())
