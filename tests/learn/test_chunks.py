"""Files of `surveil collect` that are damaged, cut off or something else are named, and not learned from."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from surveil.errors import ConfigError
from surveil.offline.normality.chunks import reached, read_chunk
from surveil.offline.normality.collect import Bounds, FootageCollector, learn_collected
from tests.learn.footage import folder


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("collected")
    FootageCollector("yard", root / "c", Bounds()).run_files([folder(root / "walk", 4)])
    return root / "c"


@pytest.fixture
def copy(collected: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(collected, tmp_path / "c"))


def edit(path: Path, change) -> None:
    with np.load(path) as raw:
        arrays = dict(raw)
    change(arrays)
    np.savez(path, **arrays)


def refused(copy: Path, file: str, says: str) -> None:
    for use in (lambda: learn_collected("yard", copy), lambda: FootageCollector("yard", copy, Bounds())):
        with pytest.raises(ConfigError, match=says) as error:
            use()
        assert str(copy / file) in str(error.value)


@pytest.mark.parametrize("file", ["000001.npz", "geometry.npz"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_named(copy, file, share):
    data = (copy / file).read_bytes()
    (copy / file).write_bytes(data[: int(len(data) * share)])
    refused(copy, file, "cannot be read, remove")


@pytest.mark.parametrize("file", ["000001.npz", "geometry.npz"])
def test_text_and_foreign_arrays_are_named(copy, file):
    (copy / file).write_text("hello")
    refused(copy, file, "cannot be read, remove")
    with (copy / file).open("wb") as out:
        np.savez(out, a=np.zeros(3))
    refused(copy, file, "cannot be read, remove")


def test_parts_of_a_chunk_that_do_not_fit_are_named(copy):
    edit(copy / "000001.npz", lambda arrays: arrays.update(counts=arrays["counts"] + 1))
    with pytest.raises(ConfigError, match="its parts do not fit each other"):
        list(read_chunk(copy / "000001.npz"))


def test_a_chunk_of_another_version_is_refused(copy):
    edit(copy / "000001.npz", lambda arrays: arrays.update(values=arrays["values"][:-1]))
    with pytest.raises(ConfigError, match="was collected by another version of this program"):
        learn_collected("yard", copy)


def test_a_geometry_without_all_of_its_parts_is_named(copy):
    def change(arrays):
        meta = json.loads(str(arrays["meta"]))
        del meta["equalise"]
        arrays["meta"] = np.array(json.dumps(meta))

    edit(copy / "geometry.npz", change)
    refused(copy, "geometry.npz", "cannot be read, remove the folder")


def test_a_background_of_another_size_is_named(copy):
    edit(copy / "geometry.npz", lambda arrays: arrays.update(background=arrays["background"][:-1]))
    refused(copy, "geometry.npz", "its background has another size")


def test_a_chunk_knows_how_far_into_its_recording_it_goes(copy):
    source = str(copy.parent / "walk")
    assert reached(copy / "000001.npz", source) == -1.0
    with np.load(copy / "000001.npz") as raw:
        source = str(raw["source"])
    assert reached(copy / "000001.npz", source) == pytest.approx(3.9)
