"""Pictures that verdicts have added on one node are trained on by all."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from surveil.app.shared_verdicts import SharedVerdicts, merged
from surveil.errors import StateError
from surveil.fleet import shelf as shelf_module
from surveil.fleet.shelf import Shelf
from surveil.fleet.terms import take_term
from surveil.offline.classify import dataset
from surveil.offline.classify.feedback import feedback_folder
from tests.fleet.carriers import share


class Node:
    """A state directory with a data set."""

    def __init__(self, folder, store):
        self._folder, self._store = folder, store
        self.set = feedback_folder(folder) / "intrusion"
        self.start()

    def start(self):
        self._carrier = SharedVerdicts(self._folder, self._store)

    def judge(self, number, label):
        """Say of a picture what it shows; the same number is the same picture."""
        picture = np.random.default_rng(number).integers(0, 255, (32, 32, 3), np.uint8)
        return dataset.add(self.set, picture, label, camera="yard", origin="feedback", correct=True)

    def relabel(self, item, label):
        dataset.append(self.set, replace(item, label=label))

    def labels(self):
        return sorted(item.label for item in dataset.load(self.set).items)

    def share(self):
        self._carrier.run_once()


@pytest.fixture
def nodes(tmp_path, store):
    return [Node(tmp_path / name, store) for name in ("east", "west")]


def test_verdicts_of_all_nodes_come_to_all(nodes, tmp_path, store):
    east, west = nodes
    for number in range(3):
        east.judge(number, "true")
        west.judge(10 + number, "false")
    share(east, west, east)
    assert east.labels() == west.labels() == ["false"] * 3 + ["true"] * 3
    north = Node(tmp_path / "north", store)
    north.share()
    assert north.labels() == east.labels()
    assert dataset.load(north.set).problems == ()


def test_a_correction_and_a_picture_that_was_taken_out_are_followed(nodes):
    east, west = nodes
    items = [east.judge(number, "true") for number in range(3)]
    share(east, west)
    west.relabel(items[0], "false")
    dataset.remove(east.set, items[1])
    share(west, east, west)
    assert east.labels() == west.labels() == ["false", "true"]
    assert not (west.set / items[1].path).exists()


def test_of_two_verdicts_on_one_picture_that_of_the_store_stays(nodes):
    east, west = nodes
    item = east.judge(1, "true")
    share(east, west)
    west.relabel(item, "of west")
    east.relabel(item, "of east")
    share(west, east, west)
    assert east.labels() == west.labels() == ["of west"]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_store_that_is_away_new_or_old_takes_nothing_away(nodes, store, restarted):
    east, west = nodes
    east.judge(1, "true")
    share(east, west)
    store.rename(store.with_name("away"))
    west.judge(2, "false")
    with pytest.raises(StateError, match="mount it"):
        west.share()
    take_term(store)
    if restarted:
        east.start()
        west.start()
    share(west, east)
    assert east.labels() == west.labels() == ["false", "true"]
    # The store as it was before, with less.
    store.rename(store.with_name("new"))
    store.with_name("away").rename(store)
    share(west, east)
    assert east.labels() == west.labels() == ["false", "true"]


def test_a_data_set_that_was_lost_comes_back(nodes):
    east, west = nodes
    item = east.judge(1, "true")
    share(east, west)
    (east.set / dataset.MANIFEST).unlink()
    (east.set / item.path).unlink()
    east.start()
    share(east, west)
    assert east.labels() == west.labels() == ["true"]


def test_a_picture_whose_file_was_deleted_counts_as_taken_out(nodes):
    east, west = nodes
    gone = east.judge(1, "true")
    east.judge(2, "false")
    share(east, west)
    (east.set / gone.path).unlink()
    east.judge(3, "false")
    share(east, west)
    assert west.labels() == ["false", "false"]


def test_many_pictures_go_there_some_at_a_time(nodes, monkeypatch):
    monkeypatch.setattr("surveil.app.shared_verdicts._AT_ONCE", 2)
    east, west = nodes
    for number in range(5):
        east.judge(number, "true")
    share(east, west)
    assert len(west.labels()) == 2
    share(east, east, west)
    assert len(west.labels()) == 5
    assert len(east.labels()) == 5


@pytest.mark.parametrize(
    "what",
    [
        b"{}",
        b"no json",
        b'{"out": [], "items": [{"path": "../../x.jpg", "sha256": "0", "label": "x"}]}',
        b'{"out": [], "items": [{"path": "manifest.jsonl", "sha256": "0", "label": "x"}]}',
    ],
)
def test_a_list_that_makes_no_sense_is_refused(nodes, store, what):
    east, _ = nodes
    east.judge(1, "true")
    Shelf(store, "verdicts/intrusion").put(9, {"items": what})
    with pytest.raises(StateError, match="cannot be read"):
        east.share()
    assert east.labels() == ["true"]


def test_of_two_nodes_that_write_at_a_time_nothing_is_lost(nodes, store):
    east, west = nodes
    east.judge(1, "true")
    share(east, west)
    before = Shelf(store, "verdicts/intrusion").newest()
    east.judge(2, "true")
    share(east, east)
    # What another node writes that has not seen it.
    content = Shelf(store, "verdicts/intrusion").get(before.parts["items"])
    Shelf(store, "verdicts/intrusion").put(before.epoch + 1, {"items": content}, before.parts)
    share(east, west)
    assert east.labels() == west.labels() == ["true", "true"]


@pytest.mark.parametrize("damage", [Path.unlink, partial(Path.write_bytes, data=b"x")])
def test_a_picture_that_the_store_has_lost_blocks_no_other_and_comes_back(nodes, store, damage):
    east, west = nodes
    for number in range(2):
        item = east.judge(number, "true")
    share(east)
    damage(store / "verdicts" / "intrusion" / "objects" / item.sha256)
    west.judge(7, "false")
    share(west)
    assert west.labels() == ["false", "true"]
    share(east, west)
    assert east.labels() == west.labels() == ["false", "true", "true"]


def test_a_list_that_the_store_has_lost_is_written_anew(nodes, store):
    east, west = nodes
    east.judge(1, "true")
    share(east)
    shelf = Shelf(store, "verdicts/intrusion")
    (store / "verdicts" / "intrusion" / "objects" / shelf.newest().parts["items"]).unlink()
    west.judge(2, "false")
    share(west, east, west)
    assert east.labels() == west.labels() == ["false", "true"]


def test_a_data_set_that_cannot_be_shared_keeps_no_other_from_it(nodes, store):
    east, west = nodes
    Shelf(store, "verdicts/bad").put(9, {"items": b"no json"})
    east.judge(1, "true")
    for node in nodes:
        with pytest.raises(StateError, match="cannot be read"):
            node.share()
    assert west.labels() == ["true"]


def test_of_nodes_that_put_pictures_at_a_time_none_loses_any(nodes, store, monkeypatch):
    """The second one puts all of its own while the first has written its pictures, but not its list."""
    east, west = nodes
    east.judge(1, "true")
    west.judge(2, "false")
    write = shelf_module._write

    def interrupted(path, content):
        if path.suffix == ".json":
            monkeypatch.setattr(shelf_module, "_write", write)
            west.share()
        write(path, content)

    monkeypatch.setattr(shelf_module, "_write", interrupted)
    share(east, west, east, west)
    assert east.labels() == west.labels() == ["false", "true"]


def test_who_has_changed_what():
    assert merged({}, {"a": "x"}, {"b": "y"}) == {"a": "x", "b": "y"}
    assert merged({"a": "x", "b": "x"}, {"a": "x"}, {"b": "x"}) == {"a": "x", "b": ""}
    assert merged({"a": "x"}, {"a": "x"}, {"a": ""}) == {"a": ""}
    assert merged({"a": ""}, {"a": "y"}, {"a": ""}) == {"a": "y"}
    assert merged({"a": ""}, {}, {"a": "y"}) == {"a": "y"}
    assert merged({"a": "x"}, {"a": "y"}, {"a": "x"}) == {"a": "y"}
    assert merged({"a": "x"}, {"a": "y"}, {"a": "z"}) == {"a": "z"}
