"""The shared store stays whole when nodes write at a time, die or damage it."""

import json
import os

import pytest

from surveil import filesystem
from surveil.errors import StateError
from surveil.fleet.shelf import LostError, Shelf, digest_of
from tests.fleet.carriers import NOW


def age(folder):
    """Let all files of a folder be hours old."""
    for path in folder.iterdir():
        os.utime(path, (NOW, NOW))


def test_files_that_another_node_is_about_to_list_are_spared(store):
    shelf = Shelf(store, "learned/yard")
    objects = store / "learned" / "yard" / "objects"
    objects.mkdir(parents=True)
    (objects / digest_of(b"old")).write_bytes(b"old")
    age(objects)
    (objects / digest_of(b"new")).write_bytes(b"new")
    shelf.put(1, {"normality": b"x"})
    assert shelf.get(digest_of(b"new")) == b"new"
    with pytest.raises(LostError, match="missing"):
        shelf.get(digest_of(b"old"))
    assert set(shelf.stored()) == {digest_of(b"x")}
    # Old files that a node puts again are spared from then on.
    age(objects)
    Shelf(store, "learned/yard")._store_object(digest_of(b"new"), b"new")
    shelf.put(1, {"normality": b"y"})
    assert shelf.get(digest_of(b"new")) == b"new"


@pytest.mark.parametrize("text", ["[]", "{", "3"])
def test_a_damaged_list_is_named_and_does_not_block_what_is_put(store, text):
    shelf = Shelf(store, "learned/yard")
    shelf.put(1, {"normality": b"x"})
    path = store / "learned" / "yard" / f"{1:015d}-{1:06d}.json"
    path.write_text(text)
    with pytest.raises(StateError, match=r"000001\.json: is damaged.*remove it"):
        shelf.newest()
    assert not shelf.stored()
    shelf.put(1, {"normality": b"y"})
    assert shelf.get(shelf.newest().parts["normality"]) == b"y"


def test_a_node_that_writes_the_same_at_the_same_time_leaves_whole_files(store, monkeypatch):
    """It dies in the middle of its file, while the file of the first node is written but has no name yet."""
    whole, stage = b"x" * 100_000, filesystem.stage

    def die(path, data):
        stage(path, data[: len(data) // 2])
        raise OSError("dies")

    def write_with_another(path, data):
        stage(path, data)
        monkeypatch.setattr(filesystem, "stage", die)
        with pytest.raises(StateError, match="cannot be written"):
            Shelf(store, "learned/yard").put(1, {"normality": whole})
        monkeypatch.setattr(filesystem, "stage", stage)

    monkeypatch.setattr(filesystem, "stage", write_with_another)
    shelf = Shelf(store, "learned/yard")
    shelf.put(1, {"normality": whole})
    assert shelf.get(shelf.newest().parts["normality"]) == whole


def test_what_a_node_left_half_written_is_removed_later(store):
    shelf = Shelf(store, "learned/yard")
    shelf.put(1, {"normality": b"x"})
    folder = store / "learned" / "yard"
    for left in (folder / ".list.json.tmp", folder / "objects" / ".digest.tmp"):
        left.write_bytes(b"half")
        os.utime(left, (NOW, NOW))
    shelf.put(1, {"normality": b"y"})
    assert not [*folder.glob(".*"), *folder.glob("objects/.*")]


def test_a_shelf_keeps_few_and_notices_damage(store):
    shelf = Shelf(store, "learned/yard")
    assert shelf.newest() is None
    objects = store / "learned" / "yard" / "objects"
    for n in range(6):
        shelf.put(1, {"normality": b"%d" % n})
        age(objects)
    shelf.put(1, {"normality": b"5"})
    newest = shelf.newest()
    assert shelf.get(newest.parts["normality"]) == b"5"
    assert (newest.epoch, newest.number) == (1, 7)
    assert len(list(objects.iterdir())) == 2
    (objects / newest.parts["normality"]).write_bytes(b"x")
    with pytest.raises(StateError, match="damaged"):
        shelf.get(newest.parts["normality"])
    assert all(isinstance(json.loads(p.read_text()), dict) for p in objects.parent.glob("*.json"))
