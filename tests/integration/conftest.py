"""Clips that the project draws itself, once per run."""

import pytest

from surveil.app.replay import Replay
from surveil.config import load
from surveil.demo.clip import write_clip
from surveil.demo.scene import DrawnScene
from surveil.detect.settings import ModelSettings
from surveil.models.store import ModelStore, open_detector
from tests.integration.world import config_text


@pytest.fixture(scope="session")
def passing():
    """Two people, one after the other, straight through the picture."""
    return DrawnScene.passing(seed=3, people=2, size=(640, 360))


@pytest.fixture(scope="session")
def passing_clip(passing, tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "passing.mp4"
    write_clip(path, passing)
    return path


@pytest.fixture(scope="session")
def detector(tmp_path_factory):
    """The default model, loaded once."""
    return open_detector(ModelSettings(), ModelStore(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="session")
def replayed_passing(passing_clip, detector, tmp_path_factory):
    """The alerts of `passing_clip` with the usual rules, and the folder of their pictures."""
    folder = tmp_path_factory.mktemp("replayed")
    path = folder / "config.yaml"
    path.write_text(config_text(str(passing_clip), folder / "state"))
    return Replay(load(path), "yard", detector, folder).run([passing_clip]).alerts, folder
