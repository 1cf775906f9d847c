"""The CPU part of `make gpu-check`."""

import pytest

from benchmarks import gpu_check
from surveil.cuda import gpu_present

pytestmark = pytest.mark.slow


def test_it_compares_and_measures_on_any_machine(capsys, monkeypatch):
    monkeypatch.setattr(gpu_check, "PICTURES", 3)
    assert gpu_check.main(["--seconds", "0.1"]) == 0
    printed = capsys.readouterr().out
    assert "provider in use: C" in printed
    assert "3 of 3 pictures" in printed
    assert "| 1 | " in printed


@pytest.mark.skipif(gpu_present(), reason="this machine has an NVIDIA GPU")
def test_without_a_gpu_it_fails_only_when_one_is_required(capsys):
    assert gpu_check.main(["--require"]) == 1
    assert "a GPU is required" in capsys.readouterr().out
