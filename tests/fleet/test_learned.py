"""What a camera has learned moves with it, and the newest is that of the highest epoch."""

import json

import pytest

from surveil.alerts.arming import ArmingChannel, disarm
from surveil.alerts.outbox import Outbox
from surveil.app.learned import LearnedCarrier
from surveil.clock import ManualClock
from surveil.errors import StateError
from surveil.features.normality.store import NormalityStore
from surveil.fleet.shelf import Shelf

NOW = 1_700_000_000.0


class Node:
    """A state directory with its carrier."""

    def __init__(self, folder, store):
        folder.mkdir()
        self.folder, self.held = folder, {}
        Outbox.open(folder / "surveil.db", [], ManualClock()).close()
        self.carrier = LearnedCarrier(
            folder, store, lambda: [(name, epoch, True) for name, epoch in self.held.items()]
        )

    @property
    def models(self):
        return NormalityStore(self.folder, "yard")

    def model(self):
        path = self.models.path()
        return None if path is None else path.read_bytes()

    def disarmed(self):
        board = ArmingChannel(self.folder / "surveil.db")
        keys = set(board.read())
        board.close()
        return keys

    def disarm(self, *keys):
        board = ArmingChannel(self.folder / "surveil.db")
        board.change(disarm(keys, NOW), NOW)
        board.close()

    def carry(self, **held):
        self.held = held
        self.carrier.run_once()


@pytest.fixture
def nodes(tmp_path, store):
    return [Node(tmp_path / name, store) for name in ("east", "west")]


def test_models_and_arming_follow_a_camera(nodes):
    east, west = nodes
    east.models.publish(b"thirty days")
    east.disarm(("yard", "intrusion"), ("gate", "intrusion"))
    west.disarm(("yard", "loitering"), ("dock", "intrusion"))
    east.carry(yard=5)
    east.carry(yard=5)
    west.carry(yard=6)
    assert west.model() == b"thirty days"
    assert west.disarmed() == {("yard", "intrusion"), ("dock", "intrusion")}


def test_a_node_that_was_cut_off_cannot_overwrite_what_its_successor_has_learned(nodes):
    east, west = nodes
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


def test_what_was_learned_while_the_store_was_away_gets_there_later(nodes, store):
    east, west = nodes
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


def test_a_shelf_keeps_few_and_notices_damage(store):
    shelf = Shelf(store, "learned/yard")
    assert shelf.newest() is None
    for n in range(6):
        shelf.put(1, {"normality": b"%d" % n})
    newest = shelf.newest()
    assert shelf.get(newest.parts["normality"]) == b"5"
    assert (newest.epoch, newest.number) == (1, 6)
    objects = store / "learned" / "yard" / "objects"
    assert len(list(objects.iterdir())) == 3
    (objects / newest.parts["normality"]).write_bytes(b"x")
    with pytest.raises(StateError, match="damaged"):
        shelf.get(newest.parts["normality"])
    assert all(isinstance(json.loads(p.read_text()), dict) for p in objects.parent.glob("*.json"))
