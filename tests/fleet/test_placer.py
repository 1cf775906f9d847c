"""Placement: capacity, labels and reach hold; little moves; the order of names does not matter."""

from __future__ import annotations

from collections import Counter

from hypothesis import example, given, settings
from hypothesis import strategies as st

from surveil.fleet.placer import CameraLoad, NodeRoom, Placement, Unplaced, place


def cameras_of(n: int, cost: float = 1.0) -> list[CameraLoad]:
    return [CameraLoad(name=f"cam{i}", cost=cost) for i in range(n)]


def nodes_of(n: int, capacity: float = 40.0) -> list[NodeRoom]:
    return [NodeRoom(name=f"node{i}", capacity=capacity) for i in range(n)]


def moved(before: Placement, after: Placement) -> set[str]:
    return {name for name, node in after.owners.items() if before.owners.get(name) != node}


def test_cameras_are_spread_evenly_over_equal_nodes() -> None:
    found = place(cameras_of(12), nodes_of(4), {})
    assert found.unplaced == {}
    assert sorted(Counter(found.owners.values()).values()) == [3, 3, 3, 3]


def test_cameras_follow_capacity() -> None:
    nodes = [NodeRoom(name="small", capacity=10), NodeRoom(name="large", capacity=30)]
    counts = Counter(place(cameras_of(20), nodes, {}).owners.values())
    assert counts == {"small": 5, "large": 15}


def test_labels_lists_and_draining_limit_the_nodes_of_a_camera() -> None:
    nodes = [
        NodeRoom(name="a", capacity=9, labels={"site": "east", "gpu": "true"}),
        NodeRoom(name="b", capacity=9, labels={"site": "west"}, cameras=frozenset({"gate", "dock"})),
        NodeRoom(name="c", capacity=9, labels={"site": "west"}, draining=True),
    ]
    cameras = [
        CameraLoad(name="yard", labels={"site": "east"}),
        CameraLoad(name="gate", labels={"site": "west"}),
        CameraLoad(name="hall", labels={"site": "west"}),
        CameraLoad(name="dock", nodes=frozenset({"b", "c"})),
        CameraLoad(name="roof", labels={"gpu": "true"}),
    ]
    found = place(cameras, nodes, {"gate": "c"})
    assert found.owners == {"yard": "a", "gate": "b", "dock": "b", "roof": "a"}
    assert found.unplaced == {"hall": Unplaced.NOT_ELIGIBLE}


def test_what_has_no_room_is_named() -> None:
    found = place(cameras_of(5), nodes_of(2, capacity=2), {})
    assert len(found.owners) == 4
    assert list(found.unplaced.values()) == [Unplaced.NO_ROOM]
    assert place(cameras_of(1), [], {}).unplaced == {"cam0": Unplaced.NO_NODE}


def test_an_owner_that_has_become_too_small_gives_away_no_more_than_it_must() -> None:
    owners = {f"cam{i}": "node0" for i in range(4)}
    nodes = [NodeRoom(name="node0", capacity=3), NodeRoom(name="node1", capacity=3)]
    counts = Counter(place(cameras_of(4), nodes, owners).owners.values())
    assert counts == {"node0": 2, "node1": 2}


def test_a_node_that_joins_gets_its_share_and_nothing_else_moves() -> None:
    before = place(cameras_of(12), nodes_of(3), {})
    after = place(cameras_of(12), nodes_of(4), before.owners)
    assert {after.owners[name] for name in moved(before, after)} == {"node3"}
    assert Counter(after.owners.values()) == Counter({f"node{i}": 3 for i in range(4)})


def test_a_camera_that_may_be_anywhere_makes_room_for_one_that_may_not() -> None:
    nodes = [NodeRoom(name="east", capacity=2, labels={"site": "east"}), NodeRoom(name="west", capacity=3)]
    cameras = [*cameras_of(4), CameraLoad(name="gate", labels={"site": "east"})]
    owners = {"cam0": "east", "cam1": "east", "cam2": "west", "cam3": "west"}
    found = place(cameras, nodes, owners)
    assert found.unplaced == {}
    assert found.owners["gate"] == "east"
    assert len(moved(Placement(owners, {}), found)) == 2


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 8),
    st.integers(0, 8),
    st.lists(st.tuples(st.booleans(), st.integers(1, 4)), min_size=1, max_size=5),
    st.dictionaries(st.sampled_from([f"cam{i}" for i in range(8)]), st.integers(0, 4)),
)
def test_as_many_cameras_are_watched_as_there_is_room_for(bound, free, rooms, where) -> None:
    east = {"site": "east"}
    nodes = [
        NodeRoom(name=f"node{i}", capacity=room, labels=east if inside else {})
        for i, (inside, room) in enumerate(rooms)
    ]
    cameras = cameras_of(free) + [CameraLoad(name=f"east{i}", labels=east) for i in range(bound)]
    found = place(cameras, nodes, {camera: f"node{node}" for camera, node in where.items()})
    inside = min(bound, sum(room for at_east, room in rooms if at_east))
    assert len(found.owners) >= inside + min(free, sum(room for _, room in rooms) - inside)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 12), st.integers(1, 12), st.integers(0, 11))
@example(10, 10, 6)
def test_of_a_lost_node_only_its_own_cameras_move(nodes: int, each: int, lost: int) -> None:
    everywhere = nodes_of(nodes, capacity=1000)
    before = place(cameras_of(nodes * each), everywhere, {})
    gone = f"node{lost % nodes}"
    after = place(cameras_of(nodes * each), [n for n in everywhere if n.name != gone], before.owners)
    assert moved(before, after) == {name for name, node in before.owners.items() if node == gone}


LABELS = st.fixed_dictionaries({}, optional={"site": st.sampled_from(["east", "west"])})
NODES = st.lists(
    st.builds(
        NodeRoom,
        name=st.sampled_from([f"node{i}" for i in range(6)]),
        capacity=st.floats(0.5, 8),
        labels=LABELS,
        cameras=st.none() | st.frozensets(st.sampled_from([f"cam{i}" for i in range(20)])),
        draining=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda node: node.name,
)
CAMERAS = st.lists(
    st.builds(
        CameraLoad,
        name=st.sampled_from([f"cam{i}" for i in range(20)]),
        cost=st.floats(0.05, 3),
        labels=LABELS,
        nodes=st.none() | st.frozensets(st.sampled_from([f"node{i}" for i in range(6)])),
    ),
    unique_by=lambda camera: camera.name,
)
OWNERS = st.dictionaries(
    st.sampled_from([f"cam{i}" for i in range(20)]), st.sampled_from([f"node{i}" for i in range(8)])
)


def may(camera: CameraLoad, node: NodeRoom) -> bool:
    return (
        camera.labels.items() <= node.labels.items()
        and (camera.nodes is None or node.name in camera.nodes)
        and (node.cameras is None or camera.name in node.cameras)
    )


@settings(max_examples=200, deadline=None)
@given(CAMERAS, NODES, OWNERS, st.randoms(use_true_random=False))
def test_every_placement_is_allowed_complete_and_independent_of_order(cameras, nodes, owners, random) -> None:
    found = place(cameras, nodes, owners)
    by_name = {node.name: node for node in nodes}
    for camera in cameras:
        assert (camera.name in found.owners) != (camera.name in found.unplaced)
        if camera.name in found.owners:
            node = by_name[found.owners[camera.name]]
            assert may(camera, node)
            assert not node.draining or owners.get(camera.name) == node.name
    random.shuffle(cameras)
    random.shuffle(nodes)
    assert place(cameras, nodes, owners) == found


@settings(max_examples=300, deadline=None)
@given(CAMERAS, NODES, OWNERS)
def test_no_camera_is_left_that_a_node_watches_or_has_room_for(cameras, nodes, owners) -> None:
    """A node has more than it should only of what it had before."""
    found = place(cameras, nodes, owners)
    load = Counter[str]()
    for camera in cameras:
        if camera.name in found.owners:
            load[found.owners[camera.name]] += camera.cost
    free = {node.name: node.capacity - load[node.name] for node in nodes}
    full = {name for name, room in free.items() if room < -1e-9}
    assert all(owners.get(camera) == node for camera, node in found.owners.items() if node in full)
    for camera in (camera for camera in cameras if camera.name in found.unplaced):
        for node in (node for node in nodes if may(camera, node)):
            assert node.name != owners.get(camera.name)
            assert node.draining or free[node.name] < camera.cost
    drained = {node.name for node in nodes if node.draining} & set(found.owners.values())
    assert found.short == bool(found.unplaced or full or drained)


@settings(max_examples=200, deadline=None)
@given(CAMERAS, NODES, OWNERS)
def test_a_placement_comes_to_rest(cameras, nodes, owners) -> None:
    for _ in range(4):
        found = place(cameras, nodes, owners)
        if found.owners == owners:
            break
        owners = found.owners
    assert place(cameras, nodes, owners).owners == owners
