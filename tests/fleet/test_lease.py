"""A camera has one reader, whatever is late, lost, frozen or restarted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surveil.fleet.lease import FROZEN_S, Leases
from surveil.fleet.messages import STOP_S, VALID_S, Orders, Policy, peers_digest
from tests.fleet.simulated import Sim


def orders(number: int, asked: float, **grants: int) -> Orders:
    return Orders(number=number, asked=asked, grants=grants)


def awake(leases: Leases, start: float, end: float) -> None:
    """Look every second, as a process does that runs."""
    now = start
    while now <= end:
        leases.look(now)
        now += 1.0


def test_reading_stops_before_the_lease_ends() -> None:
    leases = Leases(Policy.STOP, 100.0)
    assert leases.follow(orders(1, 100.0, yard=7), 100.5)
    awake(leases, 100.0, 100.0 + STOP_S)
    assert leases.may_read("yard", 100.0 + STOP_S - 0.01)
    assert not leases.may_read("yard", 100.0 + STOP_S)
    assert not leases.may_read("gate", 101.0)
    assert leases.wanted(100.0 + STOP_S) == {}


def test_a_watching_node_reads_on_without_contact_with_the_old_epoch() -> None:
    leases = Leases(Policy.WATCH, 100.0)
    leases.follow(orders(1, 100.0, yard=7), 100.5)
    awake(leases, 100.0, 1000.0)
    assert leases.may_read("yard", 1000.0)
    assert leases.wanted(1000.0) == {"yard": 7}
    assert leases.fresh(1000.0) == {}
    leases.follow(orders(2, 1000.0), 1000.1)
    assert not leases.may_read("yard", 1000.1)


def test_after_it_was_frozen_a_watching_node_waits_for_a_contact_before_it_reads() -> None:
    leases = Leases(Policy.WATCH, 100.0)
    leases.follow(orders(1, 100.0, yard=7), 100.5)
    thawed = 100.5 + VALID_S + FROZEN_S
    assert not leases.may_read("yard", thawed), "before anything has noticed"
    leases.look(thawed)
    assert not leases.may_read("yard", thawed + 1)
    assert leases.wanted(thawed + 1) == {"yard": 7}, "it is not taken apart meanwhile"
    awake(leases, thawed, thawed + VALID_S)
    assert leases.may_read("yard", thawed + VALID_S), "nobody came: an intruder missed is worse"


def test_a_contact_ends_the_wait_at_once() -> None:
    leases = Leases(Policy.WATCH, 100.0)
    leases.follow(orders(1, 100.0, yard=7), 100.5)
    leases.look(200.0)
    leases.follow(orders(2, 200.5, yard=7), 200.6)
    assert leases.may_read("yard", 200.6)


def test_orders_that_are_old_or_late_are_not_followed() -> None:
    leases = Leases(Policy.STOP, 100.0)
    assert leases.follow(orders(5, 100.0, yard=7), 100.5)
    assert not leases.follow(orders(5, 101.0, gate=8), 101.0)
    assert not leases.follow(orders(4, 101.0, gate=8), 101.0)
    assert not leases.follow(orders(6, 101.0, gate=8), 101.0 + VALID_S)
    assert not leases.follow(orders(6, 103.0, gate=8), 102.0), "of another machine's clock"
    assert leases.grants == {"yard": 7}


@pytest.mark.parametrize(("policy", "found"), [(Policy.WATCH, {"yard": 7}), (Policy.STOP, {})])
def test_a_restarted_daemon_goes_on_without_a_coordinator_where_it_may(policy: Policy, found) -> None:
    leases = Leases(policy, 500.0, orders(3, 100.0, yard=7))
    awake(leases, 500.0, 500.0 + VALID_S - 1)
    assert leases.wanted(500.0 + VALID_S - 1) == {}
    awake(leases, 500.0 + VALID_S - 1, 500.0 + VALID_S)
    assert leases.wanted(500.0 + VALID_S) == found


# The fleet as a whole.


def test_every_camera_gets_one_reader() -> None:
    sim = Sim(Policy.STOP)
    sim.run(20)
    assert all(len(readers) == 1 for readers in sim.readers().values())


def test_nothing_is_placed_for_one_validity_after_a_start() -> None:
    sim = Sim(Policy.STOP)
    sim.run(VALID_S)
    assert not any(sim.readers().values())


@pytest.mark.parametrize("policy", list(Policy))
def test_a_restarted_coordinator_leaves_every_camera_where_it_is(policy: Policy) -> None:
    sim = Sim(policy)
    sim.run(20)
    before = sim.readers()
    sim.restart_coordinator()
    for _ in range(80):
        sim.run(0.25)
        assert sim.readers() == before


def test_cameras_that_were_watched_without_a_coordinator_for_long_stay_where_they_are() -> None:
    sim = Sim(Policy.WATCH)
    sim.run(20)
    before, old = sim.readers(), dict(sim.epochs())
    for node in sim.nodes:
        node.cut = True
    sim.run(600)
    assert sim.readers() == before
    sim.restart_coordinator()
    for node in sim.nodes:
        node.cut = False
    for _ in range(80):
        sim.run(0.25)
        assert sim.readers() == before
    assert all(epoch > old[camera] for camera, epoch in sim.epochs())


def test_cameras_of_a_dead_node_are_read_again_within_fourteen_seconds() -> None:
    sim = Sim(Policy.STOP)
    sim.run(20)
    sim.nodes[0].dead = True
    sim.run(13)
    assert all(len(readers) == 1 for readers in sim.readers().values())


def test_a_lost_node_moves_its_own_cameras_alone_and_its_return_only_what_balances() -> None:
    """Through reports, leases and orders, with nodes that come to know of it one after another."""
    sim = Sim(Policy.STOP, nodes=6, cameras=36)
    sim.run(20)
    before = sim.readers()
    own = {camera for camera, readers in before.items() if readers == ["node0"]}
    sim.nodes[0].dead = True
    sim.run(14)
    without = sim.readers()
    assert {camera for camera in before if before[camera] != without[camera]} == own
    sim.nodes[0].restart(sim.now)
    sim.run(30)
    after = sim.readers()
    moved = [camera for camera in without if without[camera] != after[camera]]
    assert {after[camera][0] for camera in moved} == {"node0"}
    assert len(moved) <= 36 / 6


def test_a_cut_off_node_that_watches_on_gives_way_at_the_next_contact() -> None:
    sim = Sim(Policy.WATCH)
    sim.run(20)
    node = sim.nodes[0]
    own = node.may_read(sim.now)
    node.cut = True
    sim.run(20)
    assert all(len(sim.readers()[camera]) == 2 for camera in own)
    assert all(len(holders) == 1 for holders in sim.leaseholders().values())
    node.cut = False
    sim.run(3)
    assert all(len(readers) == 1 for readers in sim.readers().values())


def test_a_drained_node_hands_over_within_a_second_and_gets_its_share_back() -> None:
    sim = Sim(Policy.STOP)
    sim.run(20)
    sim.coordinator.drain("node0")
    sim.run(3)
    assert sim.nodes[0].may_read(sim.now) == set()
    assert all(len(readers) == 1 for readers in sim.readers().values())
    sim.coordinator.drain("node0", on=False)
    sim.run(5)
    assert len(sim.nodes[0].may_read(sim.now)) == 2


def test_nodes_are_told_of_each_other_until_they_know() -> None:
    sim = Sim(Policy.STOP)
    sim.run(20)
    report = sim.nodes[0].report(sim.now)
    told = sim.coordinator.report(replace(report, address="10.0.0.1:9108"), sim.now)
    assert told.peers == {"node0": "10.0.0.1:9108"}
    known = replace(report, address="10.0.0.1:9108", peers=peers_digest(told.peers))
    assert sim.coordinator.report(known, sim.now).peers is None


def test_a_second_daemon_of_the_same_name_gets_no_orders() -> None:
    sim = Sim(Policy.STOP)
    sim.run(20)
    first = sim.nodes[0]
    report = first.report(sim.now)
    first.restart(sim.now)
    sim.run(3)
    assert sim.coordinator.report(report, sim.now) is None


def test_a_second_machine_of_the_same_name_reads_nothing_while_the_first_is_there() -> None:
    sim = Sim(Policy.STOP)
    sim.run(20)
    first, before = sim.nodes[0], sim.readers()
    twin = replace(first, offset=7777.0, run=9, saved=None, reading={}, sent=[], answers=[])
    twin.restart(sim.now)
    sim.nodes.append(twin)
    for _ in range(80):
        sim.run(0.25)
        assert sim.readers() == before
    first.dead = True
    for _ in range(80):
        sim.run(0.25)
        assert all(len(readers) <= 1 for readers in sim.readers().values())
    assert twin.may_read(sim.now)


def test_a_daemon_that_was_restarted_has_its_cameras_again_at_once() -> None:
    sim = Sim(Policy.STOP)
    sim.run(20)
    before = sim.readers()
    sim.nodes[0].restart(sim.now)
    sim.run(3)
    assert sim.readers() == before


def test_a_late_report_of_the_run_before_does_not_lock_a_node_out() -> None:
    """A new coordinator may hear of a daemon first, and then what the one before it had sent."""
    sim = Sim(Policy.STOP)
    sim.run(20)
    node = sim.nodes[0]
    late = node.report(sim.now)
    node.restart(sim.now)
    sim.restart_coordinator()
    sim.run(3)
    sim.coordinator.report(late, sim.now)
    sim.run(40)
    assert node.may_read(sim.now)


def test_a_coordinator_that_was_replaced_orders_nothing() -> None:
    sim = Sim(Policy.STOP)
    old = sim.coordinator
    sim.restart_coordinator()
    sim.run(20)
    assert old.report(sim.nodes[0].report(sim.now), sim.now) is None
    assert old.view(sim.now).superseded


@st.composite
def faults(draw: st.DrawFn) -> list[tuple[str, int, float]]:
    kinds = ["run", "run", "send", "deliver", "answer", "freeze", "thaw", "cut", "mend", "die", "restart",
             "coordinator", "drain", "allow"]  # fmt: skip
    one = st.tuples(st.sampled_from(kinds), st.integers(0, 5), st.floats(0.25, 12))
    return draw(st.lists(one, min_size=5, max_size=30))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(list(Policy)), faults())
def test_no_two_nodes_have_a_fresh_lease_of_one_camera(policy: Policy, events) -> None:
    sim = Sim(policy)
    sim.run(15)
    highest: dict[str, int] = {}
    for kind, which, seconds in events:
        _do(sim, kind, which, seconds, lambda: _check(sim, policy, highest))
    for node in sim.nodes:
        node.cut = node.frozen = False
        if node.dead:
            node.restart(sim.now)
        sim.coordinator.drain(node.name, on=False) if node.name in sim.coordinator._nodes else None
    sim.run(40)
    assert all(len(readers) == 1 for readers in sim.readers().values()), sim.coordinator.view(sim.now)


def _do(sim: Sim, kind: str, which: int, seconds: float, check) -> None:
    node = sim.nodes[which % len(sim.nodes)]
    match kind:
        case "send" if not node.dead and not node.frozen:
            sim.send(node)
        case "deliver":
            sim.deliver(node, which)
        case "answer" if not node.dead and not node.frozen:
            sim.answer(node, which)
        case "freeze" | "thaw":
            node.frozen = kind == "freeze"
        case "cut" | "mend":
            node.cut = kind == "cut"
        case "die":
            node.dead = True
        case "restart":
            node.restart(sim.now)
        case "coordinator":
            sim.restart_coordinator()
        case "drain" | "allow" if node.name in sim.coordinator._nodes:
            sim.coordinator.drain(node.name, on=kind == "drain")
    for _ in range(int(seconds / 0.25) if kind == "run" else 1):
        sim.run(0.25)
        check()


def _check(sim: Sim, policy: Policy, highest: dict[str, int]) -> None:
    assert all(len(holders) <= 1 for holders in sim.leaseholders().values())
    if policy is Policy.STOP:
        assert all(len(readers) <= 1 for readers in sim.readers().values())
    for camera, epoch in sim.epochs():
        assert epoch >= highest.get(camera, 0), "epochs rise with every hand-over"
        highest[camera] = epoch


@pytest.mark.parametrize("policy", Policy)
def test_another_node_gets_what_one_cannot_watch_and_keeps_it(policy: Policy) -> None:
    sim = Sim(policy, nodes=2)
    sim.run(30)
    (first,) = sim.readers()["cam0"]
    node = next(node for node in sim.nodes if node.name == first)
    node.unable = {"cam0"}
    sim.run(5)
    (second,) = sim.readers()["cam0"]
    assert second != first
    node.unable = set()
    sim.run(60)
    assert sim.readers()["cam0"] == [second]
