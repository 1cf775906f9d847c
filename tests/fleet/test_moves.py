"""What operators move by hand is moved, and leaves no camera unwatched."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from surveil.fleet.messages import Policy
from surveil.fleet.placer import CameraLoad
from tests.fleet.simulated import Sim


def test_a_camera_that_was_moved_by_hand_stays_there() -> None:
    sim = Sim(Policy.STOP)
    sim.run(20)
    to = next(node.name for node in sim.nodes if sim.readers()["cam0"] != [node.name])
    sim.coordinator.move("cam0", to)
    sim.run(30)
    assert sim.readers()["cam0"] == [to]
    with pytest.raises(KeyError):
        sim.coordinator.move("cam0", "nobody")


def moved_by_hand() -> Sim:
    """Return a fleet whose camera cam0 was moved to node2."""
    sim = Sim(Policy.STOP)
    sim.run(20)
    sim.coordinator.move("cam0", "node2")
    sim.run(5)
    assert sim.readers()["cam0"] == ["node2"]
    return sim


def test_a_camera_whose_node_dies_moves_on_and_comes_back_though_it_was_moved_there_by_hand() -> None:
    sim = moved_by_hand()
    sim.nodes[2].dead = True
    sim.run(14)
    assert all(len(readers) == 1 for readers in sim.readers().values())
    sim.nodes[2].restart(sim.now)
    sim.run(5)
    assert sim.readers()["cam0"] == ["node2"]


def test_a_node_that_asks_to_be_without_cameras_gives_away_those_that_were_moved_to_it() -> None:
    sim = moved_by_hand()
    sim.nodes[2].draining = True
    sim.run(5)
    assert sim.nodes[2].may_read(sim.now) == set()
    assert all(len(readers) == 1 for readers in sim.readers().values())


def test_a_camera_stays_where_it_is_if_the_node_that_was_asked_for_lacks_a_label() -> None:
    sim = Sim(Policy.STOP)
    sim.nodes[0].labels = {"site": "east"}
    sim.coordinator.configure({**sim.loads, "cam0": CameraLoad(name="cam0", labels={"site": "east"})})
    sim.run(20)
    sim.coordinator.move("cam0", "node1")
    sim.run(20)
    assert sim.readers()["cam0"] == ["node0"]


def test_a_camera_stays_where_it_is_if_it_may_not_be_on_the_node_that_was_asked_for() -> None:
    sim = Sim(Policy.STOP)
    may = frozenset({"node0", "node1"})
    sim.coordinator.configure({**sim.loads, "cam0": CameraLoad(name="cam0", nodes=may)})
    sim.run(20)
    before = sim.readers()["cam0"]
    sim.coordinator.move("cam0", "node2")
    sim.run(20)
    assert sim.readers()["cam0"] == before


def test_what_was_moved_by_hand_makes_room_for_a_camera_that_may_be_nowhere_else() -> None:
    sim = Sim(Policy.STOP, nodes=2, cameras=4)
    gate = sim.loads.pop("cam3")
    for node in sim.nodes:
        node.capacity = 2
    sim.nodes[0].labels = {"site": "east"}
    sim.coordinator.configure(sim.loads)
    sim.run(20)
    for camera in ("cam0", "cam1"):
        sim.coordinator.move(camera, "node0")
        sim.run(5)
    assert sim.nodes[0].may_read(sim.now) == {"cam0", "cam1"}
    sim.loads["cam3"] = replace(gate, labels={"site": "east"})
    sim.coordinator.configure(sim.loads)
    for _ in range(2):
        sim.run(20)
        assert all(len(readers) == 1 for readers in sim.readers().values())
        assert len(sim.nodes[0].may_read(sim.now) & {"cam0", "cam1"}) == 1
        sim.coordinator.configure(sim.loads)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 4), min_size=3, max_size=3),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), max_size=4),
    st.sampled_from([None, 0, 1, 2]),
)
@example([4, 2, 1], [(0, 1), (1, 2), (2, 2)], 0)
def test_what_is_moved_by_hand_leaves_no_camera_unwatched(rooms, moves, lost) -> None:
    sim = Sim(Policy.STOP)
    for node, room in zip(sim.nodes, rooms, strict=True):
        node.capacity = room
    sim.run(15)
    for camera, node in moves:
        sim.coordinator.move(f"cam{camera}", f"node{node}")
    sim.run(15)
    if lost is not None:
        sim.nodes[lost].dead = True
    sim.run(15)
    room = sum(node.capacity for node in sim.nodes if not node.dead)
    assert sum(len(readers) for readers in sim.readers().values()) == min(6, room)
