"""Damaged models and descriptions cost themselves and nothing else."""

import numpy as np
import pytest

from surveil.damage import Damaged, found
from surveil.detect.session import RunOn
from surveil.features.classify.registry import ClassifierKeeper, ClassifierRegistry
from tests.detect import tiny
from tests.survival.models import run_descriptions, run_normality


@pytest.fixture(autouse=True)
def nothing_untold():
    found.take()  # what tests of other files in this process left
    yield
    found.take()


def test_no_damaged_normality_model_keeps_the_version_before_from_being_used(tmp_path):
    before = found.counts()[Damaged.NORMALITY]
    outcomes = run_normality(tmp_path, 5, 8)
    assert outcomes["set aside"] > 4
    assert found.counts()[Damaged.NORMALITY] == before + outcomes["set aside"]
    assert len(found.take()) == outcomes["set aside"]


def test_no_damaged_description_keeps_a_model_from_being_found(tmp_path):
    file = tiny.model({"output0": np.zeros((5, 84), np.float32)}, metadata={"names": '["cat"]'})
    outcomes = run_descriptions(tmp_path, file, 6, 60)
    assert outcomes["recognised by its file"] > 40


@pytest.mark.parametrize("role", ["current", "shadow"])
@pytest.mark.parametrize("damage", ["pointer", "pointer to nothing", "no text", "file"])
def test_a_damaged_classifier_costs_its_rules_and_no_thread(tmp_path, role, damage):
    folder = tmp_path / "classifiers" / "doors"
    folder.mkdir(parents=True)
    text = {"pointer": b"x", "pointer to nothing": b"0007.onnx\n", "no text": b"\xff", "file": b"0001.onnx\n"}
    (folder / role).write_bytes(text[damage])
    (folder / "0001.onnx").write_bytes(b"\x08\x07broken")
    said = []
    registry = ClassifierRegistry()
    registry.want("yard", ("doors",))
    keeper = ClassifierKeeper(tmp_path, registry, RunOn(), lambda _name, what: said.append(what))
    for _ in range(4):
        keeper.run_once()
    assert registry.get("doors").current is None
    assert not (folder / role).exists()
    assert len(said) == 2
    assert said[1] == "none is deployed: its rules are inactive"
    assert len(found.take()) == 1
