"""The page about features is true: its files, put into a copy of the package, make a feature that works."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import surveil
from surveil.demo.rtp import RtpClip
from surveil.demo.rtsp_server import RtspServer
from tests.integration.world import Process, Webhook, config_text, wait_for

pytestmark = [pytest.mark.rig, pytest.mark.slow]

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
FILE = re.compile(r"^`(surveil/\S+\.py)`\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINE = re.compile(r"^```python\n( {4}\"brightness\": BRIGHTNESS,\n)```$", re.MULTILINE)
FEATURES = "FEATURES: dict[str, Feature] = {\n"
IMPORTS = "from surveil.features.base import Feature\n"


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """Return a folder with a copy of the package that has the feature of the page."""
    folder = tmp_path_factory.mktemp("extended")
    package = Path(surveil.__file__).parent
    shutil.copytree(package, folder / "surveil", ignore=shutil.ignore_patterns("__pycache__"))
    text = PAGE.read_text()
    for name, code in FILE.findall(text):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(code)
    (folder / "surveil/features/brightness/__init__.py").touch()
    registry = folder / "surveil/features/registry.py"
    (line,) = LINE.findall(text)
    code = registry.read_text()
    assert FEATURES in code
    assert IMPORTS in code
    code = code.replace(FEATURES, FEATURES + line)
    code = code.replace(IMPORTS, IMPORTS + "from surveil.features.brightness.feature import BRIGHTNESS\n")
    registry.write_text(code)
    return folder


def said(folder, *words):
    done = subprocess.run(
        [sys.executable, "-m", "surveil", *words],
        env={**os.environ, "PYTHONPATH": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_pages_and_the_schema_follow_from_the_line(extended):
    assert "`dim_below` | `40.0` | Mean level" in said(extended, "schema", "--as", "markdown")[1]
    assert '"BrightnessSettings"' in said(extended, "schema")[1]
    assert "`surveil_brightness_level` | gauge | `camera`" in said(extended, "schema", "--as", "metrics")[1]


def test_a_mistake_in_its_settings_is_told_with_its_line(extended, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        f"version: 1\nstate_dir: {tmp_path}\ncameras:\n  yard:\n    url: rtsp://192.0.2.1/a\n"
        "    brightness: {enabled: true, dim_below: 300}\n    rules: [{type: dimm}]\n"
    )
    code, text = said(extended, "check", "-c", str(path))
    assert code == 78
    assert f"{path}:6: cameras.yard.brightness.dim_below" in text
    assert "did you mean 'dim'" in text


def test_the_daemon_measures_shows_and_alerts(extended, tmp_path, passing_clip):
    path = tmp_path / "config.yaml"
    brightness = {"enabled": True, "dim_below": 255}
    with RtspServer(RtpClip(passing_clip)) as camera, Webhook() as hook:
        rules = [{"type": "dim", "after_s": 0}]
        text = config_text(camera.url, tmp_path / "state", hook.url, rules=rules, brightness=brightness)
        path.write_text(text)
        with Process(path, extended, fork=False, PYTHONPATH=str(extended)) as daemon:
            (alert,) = wait_for(lambda: hook.starts("dim"))
            page = daemon.get("/metrics")[1]
    assert alert["text"].startswith("the picture is dim: level ")
    (level,) = re.findall(r'^surveil_brightness_level\{camera="yard"\} (\S+)$', page, re.MULTILINE)
    assert 0 < float(level) < 255
