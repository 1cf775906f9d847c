"""Restarts, moves without the store and damage lose as little as they can of what moves with a camera."""

import shutil
import threading
from functools import partial
from pathlib import Path

import pytest

from surveil.errors import StateError
from surveil.fleet.shelf import Shelf, digest_of
from tests.fleet.carriers import DAY, NOON, RULE, away
from tests.integration.world import wait_for


@pytest.mark.parametrize("epoch", [5, 6])
def test_a_restart_keeps_what_was_changed_here_since_the_store_was_written(carriers, epoch):
    east, west = carriers
    east.disarm(RULE)
    east.models.publish(b"old")
    east.count(NOON, 10)
    for _ in range(2):
        east.carry(yard=5)
    east.arm(RULE)
    east.models.publish(b"new")
    east.count(NOON, 3)
    east.restart()
    for _ in range(2):
        east.carry(yard=epoch)
    assert not east.disarmed()
    west.carry(yard=7)
    for node in carriers:
        assert (node.disarmed(), node.model(), node.counted()) == (set(), b"new", ({NOON: 13}, 13.0))


def test_a_restart_without_the_store_keeps_what_was_changed_meanwhile(carriers, store):
    east, _ = carriers
    east.disarm(RULE)
    east.count(NOON, 10)
    for _ in range(2):
        east.carry(yard=5)
    with away(store):
        east.arm(RULE)
        for _ in range(2):
            east.count(NOON, 2)
            with pytest.raises(StateError, match="mount it"):
                east.carry(yard=5)
            east.restart()
    for _ in range(2):
        east.carry(yard=5)
    assert not east.disarmed()
    assert east.counted() == ({NOON: 14}, 14.0)


def test_what_another_node_has_changed_since_is_taken_after_a_restart(carriers):
    east, west = carriers
    east.disarm(RULE)
    for _ in range(2):
        east.carry(yard=5)
    for _ in range(2):
        west.carry(yard=6)
        west.arm(RULE)
        west.models.publish(b"of west")
    east.restart()
    east.carry(yard=7)
    assert not east.disarmed()
    assert east.model() == b"of west"


@pytest.mark.parametrize("before", [0, 4])
def test_what_was_counted_after_a_move_without_the_store_is_added(carriers, store, before):
    east, west = carriers
    if before:
        west.count(NOON, before)
        for _ in range(2):
            west.carry(yard=4)
        east.carry(yard=5)
    east.count(NOON, 10)
    for _ in range(2):
        east.carry(yard=5)
    with away(store):
        for _ in range(2):
            with pytest.raises(StateError, match="mount it"):
                west.carry(yard=6)
            west.count(NOON, 3)
            west.count(NOON + DAY, 1)
            west.restart()
    for _ in range(2):
        west.carry(yard=6)
    assert west.counted()[0] == {NOON: before + 16, NOON + DAY: 2}
    assert west.counted()[1] == before + 18
    east.carry(yard=7)
    assert east.counted() == west.counted()


def test_what_was_counted_after_a_move_is_added_once_where_the_store_fails_meanwhile(carriers, store):
    east, west = carriers
    east.count(NOON, 10)
    east.count(NOON + DAY, 20)
    for _ in range(2):
        east.carry(yard=5)
    with away(store):
        with pytest.raises(StateError, match="mount it"):
            west.carry(yard=6)
        west.count(NOON, 3)
        west.count(NOON + DAY, 4)
    parts = Shelf(store, "learned/yard").newest().parts
    path = store / "learned" / "yard" / "objects" / parts[f"counts/{NOON // DAY + 1}"]
    content = path.read_bytes()
    path.unlink()
    path.mkdir()
    for _ in range(2):
        with pytest.raises(StateError, match="cannot be read"):
            west.carry(yard=6)
        west.restart()
    path.rmdir()
    path.write_bytes(content)
    for _ in range(2):
        west.carry(yard=6)
    assert west.counted() == ({NOON: 13, NOON + DAY: 24}, 37.0)


def test_what_a_node_counts_that_was_cut_off_and_restarted_is_not_added(carriers):
    """Both have counted the same people: it goes on by its old lease."""
    east, west = carriers
    for _ in range(2):
        east.count(NOON, 5)
        east.carry(yard=5)
    west.carry(yard=6)
    for node in carriers:
        node.count(NOON, 3)
    west.carry(yard=6)
    for epoch in (5, 7):
        east.restart()
        east.carry(yard=epoch)
    assert east.counted() == ({NOON: 13}, 13.0)


def test_what_was_put_but_not_noted_stays(carriers):
    """The daemon died between the two."""
    east, _ = carriers
    east.count(NOON, 5)
    for _ in range(2):
        east.carry(yard=5)
    (note,) = (east.folder / "carried").iterdir()
    before = note.read_bytes()
    east.count(NOON, 3)
    east.disarm(RULE)
    east.carry(yard=5)
    note.write_bytes(before)
    east.arm(RULE)
    east.count(NOON, 1)
    east.restart()
    east.carry(yard=5)
    assert (east.counted(), east.disarmed()) == (({NOON: 9}, 9.0), set())


def test_what_is_changed_until_a_camera_leaves_gets_there(carriers):
    east, west = carriers
    east.disarm(RULE)
    for _ in range(2):
        east.carry(yard=5)
    east.arm(RULE)
    east.carry()
    west.carry(yard=6)
    assert not west.disarmed()


def test_what_is_changed_before_the_end_gets_there(carriers):
    east, west = carriers
    east.carry(yard=5)
    east.carrier.start()
    east.disarm(RULE)
    east.carrier.end(60.0)
    wait_for(lambda: all(thread.name != "learned" for thread in threading.enumerate()))
    west.carry(yard=6)
    assert west.disarmed() == {RULE}


def test_a_damaged_note_of_what_was_shared_is_no_note(carriers):
    east, west = carriers
    east.carry(yard=5)
    (note,) = (east.folder / "carried").iterdir()
    for text in ("[]", "{", '{"epoch": 5, "parts": [], "began": 5, "begun": {}}'):
        note.write_text(text)
        east.restart()
        east.disarm(RULE)
        for _ in range(2):
            east.carry(yard=5)
        west.carry(yard=6)
        assert west.disarmed() == east.disarmed()


@pytest.mark.parametrize("part", ["arming", "normality", f"counts/{NOON // DAY}"])
@pytest.mark.parametrize("damage", [Path.unlink, partial(Path.write_bytes, data=b"x")])
def test_a_part_that_the_store_has_lost_keeps_no_other_from_moving(carriers, store, part, damage):
    east, west = carriers
    east.disarm(RULE)
    east.models.publish(b"thirty days")
    east.count(NOON, 10)
    east.count(NOON - DAY, 9)
    for _ in range(2):
        east.carry(yard=5)
    shelf = Shelf(store, "learned/yard")
    damage(store / "learned" / "yard" / "objects" / shelf.newest().parts[part])
    for _ in range(2):
        west.carry(yard=6)
        west.count(NOON - DAY, 1)
    assert (west.model() == b"thirty days") == (part != "normality")
    assert (west.disarmed() == {RULE}) == (part != "arming")
    assert west.counted()[0] == {NOON - DAY: 11} | ({} if "counts" in part else {NOON: 10})
    west.carry(yard=6)
    assert all(shelf.get(digest) for digest in shelf.newest().parts.values())
    assert (shelf.newest().epoch, "arming" in shelf.newest().parts) == (6, True)


@pytest.mark.parametrize("part", ["arming", f"counts/{NOON // DAY}", "counts/today"])
@pytest.mark.parametrize("content", [b"[[1]]", b"{", b"\xff"])
def test_a_part_that_makes_no_sense_is_left(carriers, store, part, content):
    east, _ = carriers
    east.disarm(RULE)
    east.count(NOON, 2)
    Shelf(store, "learned/yard").put(4, {part: content, "normality": b"of another node"})
    for _ in range(2):
        east.carry(yard=5)
    assert (east.disarmed(), east.counted()[0], east.model()) == ({RULE}, {NOON: 2}, b"of another node")
    parts = Shelf(store, "learned/yard").newest().parts
    assert parts.keys() == {"arming", "normality", f"counts/{NOON // DAY}"}
    assert parts[part if part in parts else "normality"] != digest_of(content)


@pytest.mark.parametrize("damaged", [1, 2])
def test_a_damaged_list_keeps_no_other_node_from_taking_the_one_before_or_putting_its_own(
    carriers, store, damaged
):
    east, west = carriers
    east.models.publish(b"old")
    east.carry(yard=5)
    east.models.publish(b"new")
    east.carry(yard=5)
    lists = sorted((store / "learned" / "yard").glob("0*.json"))
    assert len(lists) == 2
    for path in lists[-damaged:]:
        path.write_bytes(b"")
    west.disarm(RULE)
    west.carry(yard=6)
    assert west.model() == {1: b"old", 2: None}[damaged]
    west.models.publish(b"of west")
    west.carry(yard=6)
    east.carry(yard=7)
    assert (east.model(), east.disarmed()) == (b"of west", {RULE} if damaged == 2 else set())


def damage(store, _backup):
    """Empty the newest list."""
    max((store / "learned" / "yard").glob("*.json")).write_bytes(b"")


def restore(store, backup):
    """Put an older state of the store back."""
    shutil.rmtree(store)
    shutil.copytree(backup, store)


@pytest.mark.parametrize("lose", [damage, restore])
@pytest.mark.parametrize("epoch", [6, 8])
def test_a_store_that_has_lost_its_newest_list_does_not_set_its_node_back(
    carriers, store, tmp_path, lose, epoch
):
    east, west = carriers
    east.disarm(RULE)
    east.models.publish(b"old")
    east.count(NOON, 10)
    for _ in range(2):
        east.carry(yard=5)
    west.carry(yard=6)
    shutil.copytree(store, tmp_path / "backup")
    west.arm(RULE)
    west.models.publish(b"new")
    west.count(NOON, 5)
    west.carry(yard=6)
    lose(store, tmp_path / "backup")
    west.restart()
    for node, held in ((west, epoch), (east, 9)):
        node.carry(yard=held)
        node.carry(yard=held)
        assert (node.disarmed(), node.model(), node.counted()[0]) == (set(), b"new", {NOON: 15})
