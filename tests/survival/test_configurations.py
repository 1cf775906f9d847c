"""Damaged configurations by reload."""

import pytest

from surveil.detect.settings import ModelSettings
from surveil.models.store import ModelStore, open_detector
from tests.survival.configurations import run
from tests.survival.worlds import running


@pytest.mark.slow
def test_no_damaged_configuration_ends_a_running_daemon(tmp_path):
    with running(tmp_path, open_detector(ModelSettings(), ModelStore())) as daemon:
        outcomes = run(daemon, 8, 40)
    assert outcomes["refused"] > 20
