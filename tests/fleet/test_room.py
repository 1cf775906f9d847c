"""Cameras whose cost changes, and nodes with too little room."""

from __future__ import annotations

from surveil.fleet.messages import Policy
from surveil.fleet.placer import CameraLoad
from tests.fleet.simulated import Sim


def unwatched(sim: Sim) -> list[str]:
    return [camera for camera, readers in sim.readers().items() if not readers]


def fleet(cameras: int, capacity: float, cost: float) -> Sim:
    """Return two nodes that have measured their cameras."""
    sim = Sim(Policy.STOP, nodes=2, cameras=cameras)
    for node in sim.nodes:
        node.capacity, node.cost = capacity, cost
    sim.run(30)
    assert unwatched(sim) == []
    return sim


def measure(sim: Sim, cost: float) -> None:
    for node in sim.nodes:
        node.cost = cost
    sim.run(10)


def lose(sim: Sim, node: int, seconds: float = 15) -> None:
    sim.nodes[node].dead = True
    sim.run(seconds)


def test_what_has_no_room_is_watched_as_soon_as_costs_have_fallen() -> None:
    sim = fleet(cameras=4, capacity=3, cost=1.0)
    lose(sim, 1)
    assert len(unwatched(sim)) == 1
    measure(sim, 0.5)
    assert unwatched(sim) == []


def test_a_camera_that_has_cost_more_than_any_node_has_is_not_left_for_ever() -> None:
    sim = fleet(cameras=1, capacity=3, cost=1.0)
    measure(sim, 14.0)
    lose(sim, [node.name for node in sim.nodes].index(sim.readers()["cam0"][0]))
    assert unwatched(sim) == ["cam0"]
    sim.run(250)
    assert unwatched(sim) == []


def test_cameras_without_room_are_tried_no_faster_than_their_cost_is_measured() -> None:
    """A node does not take all of them because they are said to cost little."""
    sim = fleet(cameras=20, capacity=10.9, cost=1.0)
    for node in sim.nodes:
        node.cost = 1.0
    sim.coordinator.configure({name: CameraLoad(name=name, cost=0.1) for name in sim.loads})
    lose(sim, 1, 900)
    assert 11 <= len(sim.nodes[0].may_read(sim.now)) <= 12


def test_a_node_whose_cameras_come_to_cost_more_than_it_has_gives_some_away() -> None:
    sim = fleet(cameras=6, capacity=4, cost=1.0)
    busy, idle = sim.nodes
    before = sim.readers()
    busy.cost, idle.cost = 1.3, 0.1
    sim.run(30)
    assert sim.readers() == before, "it has room for them"
    busy.cost = 2.0
    sim.run(15)
    assert unwatched(sim) == []
    assert loads_of(sim, 0) <= busy.capacity


def test_a_node_whose_cameras_cost_more_than_it_has_keeps_those_that_fit_nowhere_else() -> None:
    sim = fleet(cameras=4, capacity=3, cost=1.0)
    measure(sim, 2.0)
    sim.coordinator.configure(sim.loads)
    for _ in range(80):
        sim.run(0.25)
        assert unwatched(sim) == []


def test_a_drained_node_keeps_what_fits_nowhere_else_until_there_is_room() -> None:
    sim = fleet(cameras=4, capacity=2, cost=1.0)
    sim.nodes[1].capacity = 3
    sim.coordinator.drain("node0")
    sim.run(20)
    assert len(sim.nodes[0].may_read(sim.now)) == 1
    assert unwatched(sim) == []
    sim.nodes[1].capacity = 4
    sim.run(5)
    assert sim.nodes[0].may_read(sim.now) == set()
    assert unwatched(sim) == []


def loads_of(sim: Sim, node: int) -> float:
    return next(view.load for view in sim.coordinator.view(sim.now).nodes if view.name == f"node{node}")


def test_a_cost_that_is_declared_by_a_reload_is_used() -> None:
    """Also in the place of a measurement."""
    sim = fleet(cameras=1, capacity=10, cost=2.0)
    for cost in (5.0, 0.3):
        sim.coordinator.configure({"cam0": CameraLoad(name="cam0", cost=cost, declared=True)})
        sim.run(10)
        assert loads_of(sim, 0) + loads_of(sim, 1) == cost
