"""What a command of root makes in the state directory is the daemon's: it belongs to the owner of its folder."""

import os

import numpy as np
import pytest

from surveil.filesystem import appearing, keep_key, keep_private, write_atomically
from surveil.offline.classify import dataset
from surveil.versions import VersionedStore
from tests.users import NOBODY

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes what is not its own")


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    return folder


def shared(folder):
    with appearing(folder / "shared") as path:
        path.write_bytes(b"x")


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: VersionedStore(folder / "normality" / "yard", ".npz", str, "x", "x").publish(b"x"),
        lambda folder: dataset.add(folder / "feedback" / "intrusion", np.zeros((9, 9, 3), np.uint8), "true"),
        lambda folder: keep_key(folder / "key", 32),
        lambda folder: keep_private(folder / "surveil.db"),
        shared,
    ],
    ids=["model", "picture", "key", "database", "file"],
)
def test_what_root_makes_belongs_to_the_owner_of_the_folder(state, make):
    make(state)
    made = list(state.rglob("*"))
    assert made
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(NOBODY, NOBODY)}


def test_root_follows_no_link_that_the_owner_of_a_folder_left(state, tmp_path):
    (tmp_path / "passwd").write_bytes(b"root")
    (state / ".current.tmp").symlink_to(tmp_path / "passwd")
    with pytest.raises(OSError, match="symbolic link"):
        write_atomically(state / "current", b"x")
    assert (tmp_path / "passwd").read_bytes() == b"root"
    assert (tmp_path / "passwd").stat().st_uid == 0
