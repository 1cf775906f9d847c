import json
from pathlib import Path

import numpy as np
import pytest

from surveil.errors import ModelError
from surveil.features.normality.model import VERSION
from surveil.features.normality.modelfile import load, save
from surveil.features.normality.score import Scorer
from tests.normality.drawn import FRAME, frames, model


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "yard.npz"
    save(model().model, path)
    return path


def edited(file: Path, tmp_path: Path, change) -> Path:
    with np.load(file) as raw:
        arrays = dict(raw)
    change(arrays)
    path = tmp_path / "edited.npz"
    np.savez(path, **arrays)
    return path


def test_a_model_comes_back_as_it_was_and_is_small(file):
    loaded = load(file, "yard", FRAME)
    assert loaded.sha256 == model().sha256
    assert file.stat().st_size < 1_000_000
    usual, again = model().model.usual(), loaded.model.usual()
    assert all(np.array_equal(usual[k].mean, again[k].mean) for k in usual)
    assert loaded.model.threshold(0.5) == model().model.threshold(0.5)
    tails, tails_again = model().model.tails, loaded.model.tails
    assert {k: (t.excess, t.episodes) for k, t in tails.items()} == {
        k: (t.excess, t.episodes) for k, t in tails_again.items()
    }
    assert Scorer(again)
    assert next(iter(frames(0.1)))[0].shape == (240, 320)


def test_saving_leaves_nothing_beside(file):
    assert [p.name for p in file.parent.iterdir()] == ["yard.npz"]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_says_so(file, tmp_path, share):
    path = tmp_path / "cut.npz"
    data = file.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelError, match="truncated, or not a model file"):
        load(path)


def test_a_flipped_byte_is_found(file, tmp_path):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path = tmp_path / "flipped.npz"
    path.write_bytes(data)
    with pytest.raises(ModelError):
        load(path)


def test_an_edited_value_fails_the_hash(file, tmp_path):
    def change(arrays):
        arrays["peaks"] = arrays["peaks"] * 2

    with pytest.raises(ModelError, match="does not match its hash"):
        load(edited(file, tmp_path, change))


def test_another_version_is_refused(file, tmp_path):
    def change(arrays):
        meta = json.loads(str(arrays["meta"]))
        arrays["meta"] = np.array(json.dumps(meta | {"version": 99}))

    with pytest.raises(ModelError, match=f"model version 99, this program needs {VERSION}"):
        load(edited(file, tmp_path, change))


def test_another_camera_and_another_resolution_are_refused(file):
    with pytest.raises(ModelError, match="learned for camera 'yard', not 'door'"):
        load(file, "door")
    with pytest.raises(ModelError, match="learned at 320x240, the camera now sends 640x480"):
        load(file, "yard", (640, 480))


def test_no_file_a_text_and_a_foreign_npz_are_refused(tmp_path):
    with pytest.raises(ModelError, match="no such model file"):
        load(tmp_path / "none.npz")
    text = tmp_path / "text.npz"
    text.write_text("hello")
    with pytest.raises(ModelError, match="truncated, or not a model file"):
        load(text)
    foreign = tmp_path / "foreign.npz"
    np.savez(foreign, a=np.zeros(3))
    with pytest.raises(ModelError, match="it has no meta data"):
        load(foreign)


def test_pickled_objects_are_not_loaded(tmp_path):
    path = tmp_path / "pickled.npz"
    np.savez(path, meta=np.array([{"a": 1}], dtype=object), sha256=np.array("x"))
    with pytest.raises(ModelError, match="truncated, or not a model file"):
        load(path)
