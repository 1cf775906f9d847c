"""What a camera has learned moves with it, and the newest is that of the highest epoch."""

import json
import os
import threading
from contextlib import closing, contextmanager

import numpy as np
import pytest

from surveil import filesystem
from surveil.alerts.arming import ArmingChannel, arm, disarm
from surveil.alerts.outbox import Outbox
from surveil.app.learned import LearnedCarrier
from surveil.clock import ManualClock
from surveil.errors import StateError
from surveil.features.counting.live import GRID
from surveil.features.counting.rollup import Key, Rollup, Sum
from surveil.features.counting.store import DATABASE, CountStore
from surveil.features.normality.store import NormalityStore
from surveil.fleet.shelf import LostError, Shelf, digest_of
from surveil.offline.classify import dataset
from surveil.offline.classify.feedback import feedback_folder
from tests.integration.world import wait_for

NOW = 1_700_000_000.0


class Node:
    """A state directory with its carrier."""

    def __init__(self, folder, store):
        folder.mkdir()
        self.folder, self.store, self.held = folder, store, {}
        Outbox.open(folder / "surveil.db", [], ManualClock()).close()
        self._now = 1000.0
        self.restart()

    def restart(self):
        self.carrier = LearnedCarrier(
            self.folder,
            self.store,
            lambda: [(name, epoch, True) for name, epoch in self.held.items()],
            now=lambda: self._now,
        )

    def passes(self, seconds):
        self._now += seconds

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
        self._switch(disarm(keys, NOW))

    def arm(self, *keys):
        self._switch(arm(keys, NOW))

    def _switch(self, change):
        with closing(ArmingChannel(self.folder / "surveil.db")) as board:
            board.change(change, NOW)

    def count(self, hour, n, camera="yard"):
        """Count n crossings in the hour that begins then, as a daemon does."""
        rollup = Rollup()
        rollup.sums[Key(camera=camera, hour=hour, kind="crossing", place="door", direction="in")] = Sum(n=n)
        rollup.maps[camera, hour // 86_400 * 86_400] = np.full(GRID[::-1], n, np.float32)
        with closing(CountStore(self.folder / DATABASE)) as store:
            store.add(rollup)

    def counted(self, camera="yard"):
        """Crossings by hour, and the sum of the map of all days."""
        with closing(CountStore(self.folder / DATABASE)) as store:
            hours = {key.hour: total.n for key, total in store.hours(camera, 0, 1e12)}
            return hours, float(store.map(camera, 0, 1e12).max())

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


DAY = 86_400
NOON = 20_000 * DAY + 12 * 3600


def test_counts_go_on_where_the_camera_moves_to(nodes):
    east, west = nodes
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


def test_what_was_counted_by_a_node_that_was_cut_off_is_not_added(nodes):
    """Both have counted the same people."""
    east, west = nodes
    east.count(NOON, 10)
    east.carry(yard=5)
    east.carry(yard=5)
    west.carry(yard=6)
    for node in nodes:
        node.count(NOON, 3)
    west.carry(yard=6)
    east.carry(yard=5)
    east.carry(yard=7)
    assert east.counted()[0] == {NOON: 13}


RULE = "yard", "intrusion"


@contextmanager
def away(store):
    """Take the store away for a while."""
    store.rename(store.with_name("away"))
    yield
    store.with_name("away").rename(store)


@pytest.mark.parametrize("epoch", [5, 6])
def test_a_restart_keeps_what_was_changed_here_since_the_store_was_written(nodes, epoch):
    east, west = nodes
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
    for node in nodes:
        assert (node.disarmed(), node.model(), node.counted()) == (set(), b"new", ({NOON: 13}, 13.0))


def test_a_restart_without_the_store_keeps_what_was_changed_meanwhile(nodes, store):
    east, _ = nodes
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


def test_what_another_node_has_changed_since_is_taken_after_a_restart(nodes):
    east, west = nodes
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
def test_what_was_counted_after_a_move_without_the_store_is_added(nodes, store, before):
    east, west = nodes
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


def test_what_is_changed_until_a_camera_leaves_gets_there(nodes):
    east, west = nodes
    east.disarm(RULE)
    for _ in range(2):
        east.carry(yard=5)
    east.arm(RULE)
    east.carry()
    west.carry(yard=6)
    assert not west.disarmed()


def test_what_is_changed_before_the_end_gets_there(nodes):
    east, west = nodes
    east.carry(yard=5)
    east.carrier.start()
    east.disarm(RULE)
    east.carrier.end(60.0)
    wait_for(lambda: all(thread.name != "learned" for thread in threading.enumerate()))
    west.carry(yard=6)
    assert west.disarmed() == {RULE}


def test_a_damaged_note_of_what_was_shared_is_no_note(nodes):
    east, west = nodes
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


def test_settled_days_are_neither_read_nor_stored_again(nodes, store):
    east, _ = nodes
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


def test_data_sets_are_shared_once_there_are_any(nodes):
    east, west = nodes
    east.carry()
    folder = feedback_folder(east.folder) / "intrusion"
    dataset.add(folder, np.zeros((8, 8, 3), np.uint8), "false", camera="yard")
    east.carry()
    west.carry()
    assert [item.label for item in dataset.listed(feedback_folder(west.folder) / "intrusion")] == ["false"]


def test_what_a_node_of_another_version_carries_stays_in_the_store(nodes, store):
    east, west = nodes
    Shelf(store, "learned/yard").put(4, {"later": b"of another version"})
    east.carry(yard=5)
    east.disarm(("yard", "intrusion"))
    east.carry(yard=5)
    west.carry(yard=6)
    west.disarm(("yard", "loitering"))
    west.carry(yard=6)
    parts = Shelf(store, "learned/yard").newest().parts
    assert Shelf(store, "learned/yard").get(parts["later"]) == b"of another version"


def test_a_damaged_day_is_refused(nodes, store):
    east, _ = nodes
    Shelf(store, "learned/yard").put(4, {f"counts/{NOON // DAY}": b"[]"})
    with pytest.raises(StateError, match="a day of counts"):
        east.carry(yard=5)


def test_an_hour_without_the_store_is_told_and_loses_nothing(nodes, store):
    east, west = nodes
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
