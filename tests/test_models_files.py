"""What a store keeps of a model: all of its files, its licence; and what it refuses."""

import json

import numpy as np
import onnx
import pytest

from surveil.detect.settings import ModelSettings
from surveil.errors import ModelError
from surveil.models.external import names
from surveil.models.files import sha256_of
from surveil.models.store import ModelStore, open_detector
from tests.detect import tiny

PETS = {"names": json.dumps(["cat", "dog", "fox"])}


def graph(**metadata):
    planes = np.zeros((7, 84), np.float32)
    planes[:5, 7] = [32, 32, 20, 20, 0.9]
    return tiny.model({"output0": planes}, metadata={**PETS, **metadata})


def write_in_two(folder, name="m.onnx", weights="m.onnx.data"):
    folder.mkdir(exist_ok=True)
    onnx.save(
        onnx.load_from_string(graph()), folder / name, save_as_external_data=True, location=weights,
        size_threshold=64, all_tensors_to_one_file=True,
    )  # fmt: skip
    return folder / name


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


def test_the_further_files_of_a_model_are_named_by_its_graph(tmp_path):
    assert names(write_in_two(tmp_path / "a")) == ("m.onnx.data",)
    (tmp_path / "one.onnx").write_bytes(graph())
    assert names(tmp_path / "one.onnx") == ()


def test_weights_in_a_branch_of_a_graph_count_too(tmp_path):
    tensor = onnx.numpy_helper.from_array(np.zeros(4, np.float32), "w")
    onnx.external_data_helper.set_external_data(tensor, "branch.bin")
    tensor.ClearField("raw_data")
    inner = onnx.helper.make_graph([], "inner", [], [], [tensor])
    outer = onnx.helper.make_graph(
        [onnx.helper.make_node("If", ["c"], ["o"], then_branch=inner, else_branch=inner)], "outer", [], []
    )
    (tmp_path / "m.onnx").write_bytes(onnx.helper.make_model(outer).SerializeToString())
    assert names(tmp_path / "m.onnx") == ("branch.bin",)


def test_a_model_of_two_files_is_stored_whole(store, tmp_path):
    file = write_in_two(tmp_path / "export")
    added = store.add(file, "pets")
    assert [name for name, _ in added.data] == ["m.onnx.data"]
    for path in (file, file.with_name("m.onnx.data")):
        path.unlink()
    assert open_detector(ModelSettings(name="pets"), ModelStore(store.folder)).labels == ("cat", "dog", "fox")
    assert all(one.ok for one in store.check())


def test_two_models_whose_second_files_have_one_name_do_not_mix(store, tmp_path):
    first = store.add(write_in_two(tmp_path / "a", weights="w.data"), "a")
    second = store.add(write_in_two(tmp_path / "b", weights="w.data"), "b")
    assert first.path.with_name("w.data") != second.path.with_name("w.data")
    assert all(one.ok for one in store.check())


def test_a_model_replaced_by_one_of_one_file_is_that_one(store, tmp_path):
    store.add(write_in_two(tmp_path / "a"), "pets")
    (tmp_path / "one.onnx").write_bytes(graph())
    added = store.add(tmp_path / "one.onnx", "pets")
    assert (added.data, added.path) == ((), store.folder / "pets.onnx")
    assert store.add(write_in_two(tmp_path / "a"), "pets").path.is_file()
    assert not (store.folder / "pets.onnx").exists()


def test_the_missing_second_file_is_named(store, tmp_path):
    file = write_in_two(tmp_path / "export")
    file.with_name("m.onnx.data").unlink()
    with pytest.raises(ModelError, match=r"m\.onnx: its second file m\.onnx\.data is missing; copy it"):
        store.add(file)
    with pytest.raises(ModelError, match=r"second file m\.onnx\.data is missing"):
        open_detector(ModelSettings(file=file), store)


def test_a_changed_second_file_is_not_loaded(store, tmp_path):
    added = store.add(write_in_two(tmp_path / "export"), "pets")
    weights = added.path.with_name("m.onnx.data")
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(ModelError, match=r"m\.onnx\.data: damaged or replaced"):
        open_detector(ModelSettings(name="pets"), store)


def test_weights_in_another_folder_are_refused(store, tmp_path):
    (tmp_path / "export" / "sub").mkdir(parents=True)
    file = write_in_two(tmp_path / "export", weights="sub/w.data")
    with pytest.raises(ModelError, match=r"its weights are in another folder \('sub/w.data'\); export it"):
        store.add(file)


def test_a_description_that_names_a_file_elsewhere_is_damaged(store, tmp_path):
    store.add(write_in_two(tmp_path / "export"), "pets")
    path = store.folder / "pets.json"
    told = json.loads(path.read_text())
    told["data"][0][0] = "../m.onnx.data"
    del told["check"]
    path.write_text(json.dumps(told))
    (bad,) = [one for one in store.check() if not one.ok]
    assert "another folder" in bad.message


def test_a_broken_description_of_two_files_costs_nothing_but_itself(store, tmp_path):
    store.add(write_in_two(tmp_path / "export"), "pets")
    (store.folder / "pets.json").write_text("{")
    assert open_detector(ModelSettings(name="pets"), store).labels == ("cat", "dog", "fox")


def test_a_description_from_before_has_one_file(store, tmp_path):
    (tmp_path / "one.onnx").write_bytes(graph())
    store.add(tmp_path / "one.onnx", "pets")
    path = store.folder / "pets.json"
    told = json.loads(path.read_text())
    del told["data"], told["check"]
    path.write_text(json.dumps(told))
    assert store.resolve("pets").sha256 == sha256_of(tmp_path / "one.onnx")


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("AGPL-3.0 License (https://x.example)", "AGPL-3.0 License (https://x.example)"),
        ("a\n\tb\x1b[31m", "a b [31m"),
    ],
)
def test_the_licence_in_the_file_is_kept_on_one_line(store, tmp_path, told, kept):
    (tmp_path / "one.onnx").write_bytes(graph(license=told))
    assert store.add(tmp_path / "one.onnx", "pets").licence == kept
    assert store.resolve("pets").licence == kept
