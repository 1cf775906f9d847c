"""What a camera has learned moves with it, and the newest is that of the highest epoch."""

import numpy as np
import pytest

from surveil.errors import StateError
from surveil.fleet.shelf import Shelf
from surveil.offline.classify import dataset
from surveil.offline.classify.feedback import feedback_folder
from tests.fleet.carriers import DAY, NOON, RULE, away


def test_models_and_arming_follow_a_camera(carriers):
    east, west = carriers
    east.models.publish(b"thirty days")
    east.disarm(("yard", "intrusion"), ("gate", "intrusion"))
    west.disarm(("yard", "loitering"), ("dock", "intrusion"))
    east.carry(yard=5)
    east.carry(yard=5)
    west.carry(yard=6)
    assert west.model() == b"thirty days"
    assert west.disarmed() == {("yard", "intrusion"), ("dock", "intrusion")}


def test_a_node_that_was_cut_off_cannot_overwrite_what_its_successor_has_learned(carriers):
    east, west = carriers
    east.models.publish(b"old")
    east.carry(yard=5)
    east.carry(yard=5)
    west.carry(yard=6)
    west.models.publish(b"new")
    west.carry(yard=6)
    east.models.publish(b"of the node that was cut off")
    east.carry(yard=5)
    east.carry(yard=7)
    assert east.model() == b"new"


def test_what_was_learned_while_the_store_was_away_gets_there_later(carriers, store):
    east, west = carriers
    east.carry(yard=5)
    store.rename(store.with_name("away"))
    east.models.publish(b"meanwhile")
    with pytest.raises(StateError, match="mount it"):
        east.carry(yard=5)
    with pytest.raises(StateError, match="mount it"):
        west.carry(yard=6)
    store.with_name("away").rename(store)
    east.carry(yard=5)
    west.carry(yard=6)
    assert west.model() == b"meanwhile"


def test_counts_go_on_where_the_camera_moves_to(carriers):
    east, west = carriers
    for day in range(4):
        east.count(NOON - day * DAY, 10 + day)
    east.count(NOON, 7, camera="gate")
    east.carry(yard=5)
    east.carry(yard=5)
    west.carry(yard=6)
    assert west.counted() == ({NOON - day * DAY: 10 + day for day in range(4)}, 10 + 11 + 12 + 13)
    assert west.counted("gate")[0] == {}
    west.count(NOON, 5)
    west.count(NOON + 3600, 1)
    west.carry(yard=6)
    east.carry(yard=7)
    assert east.counted()[0][NOON] == 15
    assert east.counted()[0][NOON + 3600] == 1
    assert east.counted()[0][NOON - 3 * DAY] == 13
    assert east.counted("gate")[0] == {NOON: 7}


def test_what_was_counted_by_a_node_that_was_cut_off_is_not_added(carriers):
    """Both have counted the same people."""
    east, west = carriers
    east.count(NOON, 10)
    east.carry(yard=5)
    east.carry(yard=5)
    west.carry(yard=6)
    for node in carriers:
        node.count(NOON, 3)
    west.carry(yard=6)
    east.carry(yard=5)
    east.carry(yard=7)
    assert east.counted()[0] == {NOON: 13}


def test_settled_days_are_neither_read_nor_stored_again(carriers, store):
    east, _ = carriers
    for day in range(40):
        east.count(NOON - day * DAY, 1)
    east.carry(yard=5)
    east.carry(yard=5)
    objects = store / "learned" / "yard" / "objects"
    before = {path: path.stat().st_mtime_ns for path in objects.iterdir()}
    east.count(NOON, 1)
    east.carry(yard=5)
    after = {path: path.stat().st_mtime_ns for path in objects.iterdir()}
    assert len(after.keys() - before.keys()) == 1
    assert all(after[path] == at for path, at in before.items())


def test_data_sets_are_shared_once_there_are_any(carriers):
    east, west = carriers
    east.carry()
    folder = feedback_folder(east.folder) / "intrusion"
    dataset.add(folder, np.zeros((8, 8, 3), np.uint8), "false", camera="yard")
    east.carry()
    west.carry()
    assert [item.label for item in dataset.listed(feedback_folder(west.folder) / "intrusion")] == ["false"]


def test_what_a_node_of_another_version_carries_stays_in_the_store(carriers, store):
    east, west = carriers
    Shelf(store, "learned/yard").put(4, {"later": b"of another version"})
    east.carry(yard=5)
    east.disarm(("yard", "intrusion"))
    east.carry(yard=5)
    west.carry(yard=6)
    west.disarm(("yard", "loitering"))
    west.carry(yard=6)
    parts = Shelf(store, "learned/yard").newest().parts
    assert Shelf(store, "learned/yard").get(parts["later"]) == b"of another version"


def test_an_hour_without_the_store_is_told_and_loses_nothing(carriers, store):
    east, west = carriers
    east.carry(yard=5)
    store.rename(store.with_name("away"))
    for n in range(720):
        if n % 60 == 0:
            east.models.publish(b"model %d" % n)
            east.count(NOON, 1)
        east.carrier.try_once()
        east.passes(5.0)
    assert 3590 <= east.carrier.late_s() <= 3600
    store.with_name("away").rename(store)
    east.carrier.try_once()
    assert east.carrier.late_s() == 0
    west.carry(yard=6)
    assert west.model() == b"model 660"
    assert west.counted()[0] == {NOON: 12}


def test_what_was_changed_just_before_a_move_is_taken_though_it_is_put_late(carriers):
    """The rounds of the two nodes do not wait for each other."""
    east, west = carriers
    east.disarm(RULE)
    east.models.publish(b"old")
    east.count(NOON, 10)
    east.carry(yard=5)
    east.arm(RULE)
    east.models.publish(b"new")
    east.count(NOON, 3)
    west.round(yard=6)
    assert (west.disarmed(), west.model()) == ({RULE}, b"old")
    west.count(NOON, 4)
    west.count(NOON + DAY, 1)
    east.round()
    for _ in range(2):
        west.passes(5.0)
        west.round(yard=6)
    east.carry(yard=7)
    for node in carriers:
        assert (node.disarmed(), node.model()) == (set(), b"new")
        assert node.counted()[0] == {NOON: 17, NOON + DAY: 1}


def test_what_was_changed_before_a_move_is_put_though_the_store_was_away_at_that_moment(carriers, store):
    east, west = carriers
    east.disarm(RULE)
    east.models.publish(b"old")
    east.carry(yard=5)
    east.arm(RULE)
    east.models.publish(b"new")
    with away(store):
        for node, held in ((east, {}), (west, {"yard": 6})):
            with pytest.raises(StateError, match="mount it"):
                node.round(**held)
    west.round(yard=6)
    east.round()
    west.carry(yard=6)
    assert (west.disarmed(), west.model()) == (set(), b"new")


def test_a_camera_that_goes_on_at_once_takes_what_was_put_late_along(carriers):
    east, west = carriers
    east.models.publish(b"old")
    east.carry(yard=5)
    east.models.publish(b"new")
    west.round(yard=6)
    west.disarm(RULE)
    east.round()
    west.round()
    east.carry(yard=7)
    assert (east.model(), east.disarmed()) == (b"new", {RULE})


def test_a_restart_while_the_node_before_may_still_put_loses_nothing(carriers):
    east, west = carriers
    east.count(NOON, 10)
    east.carry(yard=5)
    east.count(NOON, 3)
    west.round(yard=6)
    west.count(NOON, 4)
    west.restart()
    west.round(yard=6)
    west.count(NOON, 5)
    east.round()
    west.carry(yard=6)
    assert west.counted() == ({NOON: 22}, 22.0)
