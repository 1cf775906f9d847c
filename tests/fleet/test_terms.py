"""The terms of coordinators in the shared store, and what becomes of a coordinator whose store has lost them."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from surveil.errors import StateError
from surveil.fleet.messages import Policy
from surveil.fleet.tenure import Tenure
from surveil.fleet.terms import highest_term, take_term, take_term_above
from tests.fleet.simulated import Sim


class Led(Sim):
    """A fleet whose coordinator has its term from a store. Some coordinators were before it."""

    def __init__(self, store) -> None:
        super().__init__(Policy.STOP)
        self.store = store
        for _ in range(4):
            take_term(store)
        self.restart_coordinator()

    def restart_coordinator(self) -> None:
        self.coordinator = Tenure(self.loads, self.store, self.now)

    def run(self, seconds: float) -> None:
        for _ in range(int(seconds / 2)):
            super().run(2)
            self.coordinator.visit_store()

    def is_watched(self) -> bool:
        return all(len(readers) == 1 for readers in self.readers().values())

    def own_term(self) -> int:
        return self.coordinator.coordinator.term


@pytest.fixture
def sim(tmp_path) -> Led:
    led = Led(tmp_path)
    led.run(20)
    assert led.is_watched()
    return led


def test_a_term_that_the_store_has_lost_is_gone_beyond_and_one_that_is_there_is_left(tmp_path):
    take_term(tmp_path)
    assert take_term_above(tmp_path, 5) == 6
    assert take_term_above(tmp_path, 5) is None
    assert highest_term(tmp_path) == 6
    with pytest.raises(StateError, match="mount it"):
        take_term_above(tmp_path / "away", 5)


def test_a_coordinator_gives_orders_for_longer_than_a_fleet_exists(sim):
    """Five hundred nodes that ask twice a second, for a year."""
    sim.coordinator.coordinator._number += 500 * 2 * 366 * 24 * 3600
    sim.run(20)
    assert sim.is_watched()
    assert sim.own_term() == 5


def test_a_coordinator_whose_store_has_lost_the_terms_takes_one_above_those_that_nodes_know(sim):
    shutil.rmtree(sim.store / "terms")
    before = sim.readers()
    sim.restart_coordinator()
    assert sim.own_term() == 1
    for _ in range(15):
        sim.run(2)
        assert sim.readers() == before, "it has begun anew before the leases end"
    assert sim.own_term() == 6


def test_a_coordinator_whose_store_gives_its_term_a_second_time_takes_the_next(sim):
    """The store was restored from a backup. The nodes have followed newer orders of the same term."""
    sim.coordinator.coordinator._number += 1_000_000
    sim.run(20)
    (sim.store / "terms" / f"{sim.own_term():09d}").unlink()
    before = sim.readers()
    sim.restart_coordinator()
    assert sim.own_term() == 5
    for _ in range(15):
        sim.run(2)
        assert sim.readers() == before
    assert sim.own_term() == 6
    sim.nodes[0].dead = True
    sim.run(20)
    assert sim.is_watched()


def test_a_node_that_comes_from_another_fleet_follows_the_orders_of_this_one(sim):
    other, comer = sim.nodes[0].saved, sim.nodes[0]
    assert other is not None
    comer.saved = replace(other, number=other.number + 1_000_000, grants={})
    comer.restart(sim.now)
    sim.run(40)
    assert sim.is_watched()
    assert comer.may_read(sim.now)


def test_a_store_without_terms_is_waited_for(sim):
    shutil.rmtree(sim.store / "terms")
    sim.restart_coordinator()
    shutil.move(sim.store / "terms", sim.store / "away")
    sim.run(20)
    assert not sim.is_watched()
    shutil.move(sim.store / "away", sim.store / "terms")
    sim.run(30)
    assert sim.is_watched()


def test_a_coordinator_with_a_successor_takes_no_other_term(sim):
    old = sim.coordinator
    sim.restart_coordinator()
    sim.run(20)
    assert old.report(sim.nodes[0].report(sim.now), sim.now) is None
    for _ in range(3):
        old.visit_store()
        assert old.report(sim.nodes[0].report(sim.now), sim.now) is None
    assert old.coordinator.superseded
    assert "another coordinator" in old.change(lambda coordinator: coordinator.move("cam0", "node1"))
    assert sim.coordinator.change(lambda coordinator: coordinator.move("cam0", "node1")) == ""
    assert sim.coordinator.change(lambda coordinator: coordinator.drain("nobody")) == "there is no 'nobody'"
    assert highest_term(sim.store) == sim.own_term()
    assert sim.is_watched()
