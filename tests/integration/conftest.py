"""Clips that the project draws itself, once per run."""

import pytest

from surveil.demo.clip import write_clip
from surveil.demo.scene import DrawnScene


@pytest.fixture(scope="session")
def passing():
    """Two people, one after the other, straight through the picture."""
    return DrawnScene.passing(seed=3, people=2, size=(640, 360))


@pytest.fixture(scope="session")
def passing_clip(passing, tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "passing.mp4"
    write_clip(path, passing)
    return path
