"""Providers are proved, not believed; bad files are told by name."""

import os
import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from surveil import cuda
from surveil.detect import session
from surveil.detect.canary import same
from surveil.detect.session import CPU, CUDA, ModelSession, RunOn
from surveil.detect.settings import ModelSettings
from surveil.errors import ModelError
from surveil.models.store import ModelStore, open_detector
from surveil.types import Detections
from tests.detect import tiny

no_gpu = pytest.mark.skipif(cuda.gpu_present(), reason="this machine has an NVIDIA GPU")


@pytest.fixture
def path(tmp_path):
    (tmp_path / "tiny.onnx").write_bytes(tiny.model({"o": np.ones((3, 4), np.float32)}))
    return tmp_path / "tiny.onnx"


@no_gpu
def test_without_a_gpu_auto_and_cuda_run_on_the_cpu_and_say_so(path):
    assert [ModelSession(path, RunOn(provider=p)).provider for p in ("auto", "cuda", "cpu")] == [CPU] * 3


@no_gpu
@pytest.mark.parametrize("seen", [False, True], ids=["no driver", "driver files without a device"])
def test_a_required_gpu_that_is_absent_is_an_error_with_a_remedy(path, monkeypatch, seen):
    if seen:
        # What a container with the driver's files and no device looks like: CUDA is tried and must fail.
        monkeypatch.setattr(cuda, "DEVICES", (str(path),))
    with pytest.raises(
        ModelError, match=r"a GPU is required and .*(require_gpu: false|install --extra cuda)"
    ):
        ModelSession(path, RunOn(provider="auto", require_gpu=True))


@no_gpu
def test_cuda_that_fails_silently_is_not_believed(path, monkeypatch):
    monkeypatch.setattr(cuda, "DEVICES", (str(path),))
    assert ModelSession(path, RunOn(provider="auto")).provider == CPU


def test_a_wheel_without_cuda_is_told(path, monkeypatch):
    monkeypatch.setattr(cuda, "DEVICES", (str(path),))
    monkeypatch.setattr(session.ort, "get_available_providers", lambda: [CPU])
    with pytest.raises(ModelError, match="built without CUDA; install onnxruntime-gpu"):
        ModelSession(path, RunOn(provider="auto", require_gpu=True))
    assert ModelSession(path, RunOn(provider="auto")).provider != CUDA


def test_requiring_a_gpu_and_forbidding_it_is_a_contradiction():
    with pytest.raises(ValidationError, match="require_gpu contradicts provider: cpu"):
        ModelSettings(provider="cpu", require_gpu=True)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"gone\.onnx: .*(No such file|no such model)"):
        open_detector(ModelSettings(file=tmp_path / "gone.onnx"), ModelStore())


@pytest.mark.parametrize(
    "content", [b"", b"not a model", b"\x89PNG\r\n" * 50], ids=["empty", "text", "picture"]
)
def test_a_file_that_is_not_onnx_is_told(tmp_path, content):
    (tmp_path / "cat.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"cat\.onnx cannot be loaded as an ONNX model"):
        open_detector(ModelSettings(file=tmp_path / "cat.onnx"), ModelStore())


def test_a_truncated_model_is_told(tmp_path, path):
    (tmp_path / "half.onnx").write_bytes(path.read_bytes()[:200])
    with pytest.raises(ModelError, match=r"half\.onnx cannot be loaded as an ONNX model"):
        ModelSession(tmp_path / "half.onnx", RunOn())


def test_inputs_of_another_shape_are_an_error_of_ours(path):
    with pytest.raises(ModelError, match="the model cannot be run"):
        ModelSession(path, RunOn()).run({"images": np.zeros((1, 3, 8, 8), np.float32)})


@pytest.mark.rig
def test_onnxruntimes_telemetry_is_off_before_it_is_imported():
    environment = {k: v for k, v in os.environ.items() if k not in ("CI", "ORT_DISABLE_TELEMETRY")}
    code = "import surveil.detect.session, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "1\n"


def objects(*rows):
    table = np.array(rows, np.float32).reshape(-1, 5)
    return Detections(table[:, :4].copy(), table[:, 4].copy(), np.zeros(len(table), np.int32))


def test_two_providers_agree_within_a_pixel_and_a_hundredth():
    a = objects((0, 0, 10, 10, 0.8), (20, 0, 30, 10, 0.5))
    assert same(a, objects((20.9, 0, 30, 10, 0.505), (0, 0, 10, 10.5, 0.8)), 0.1)
    assert not same(a, objects((22, 0, 30, 10, 0.5), (0, 0, 10, 10, 0.8)), 0.1)
    assert not same(a, objects((0, 0, 10, 10, 0.77), (20, 0, 30, 10, 0.5)), 0.1)
    assert not same(objects(), objects((0, 0, 10, 10, 0.9), (5, 5, 9, 9, 0.1)), 0.1)


def test_an_object_at_the_floor_may_be_seen_by_one_provider_only():
    a = objects((0, 0, 10, 10, 0.8), (20, 0, 30, 10, 0.101))
    assert same(a, objects((0, 0, 10, 10, 0.8), (40, 0, 50, 10, 0.1)), 0.1)
