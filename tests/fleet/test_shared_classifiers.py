"""A classifier that is deployed on one node comes to all; of two the first in the store wins."""

import pytest

from surveil.app.shared_classifiers import SharedClassifiers
from surveil.errors import StateError
from surveil.features.classify.store import ClassifierStore
from surveil.fleet.terms import take_term
from tests.fleet.carriers import share


class Node:
    """A state directory that shares its classifiers."""

    def __init__(self, folder, store, wanted=("helmet",)):
        self.store = ClassifierStore(folder, "helmet")
        self._folder, self._shared, self._wanted = folder, store, wanted
        self.start()

    def start(self):
        self.carrier = SharedClassifiers(self._folder, self._shared, lambda: self._wanted)

    def deploy(self, content):
        self.store.publish(content, reuse=True)

    def current(self):
        path = self.store.path()
        return None if path is None else path.read_bytes()

    def share(self):
        self.carrier.run_once()


@pytest.fixture
def nodes(tmp_path, store):
    return [Node(tmp_path / name, store) for name in ("east", "west")]


def test_what_is_deployed_or_rolled_back_on_any_node_comes_to_all(nodes):
    east, west = nodes
    share(east, west)
    assert west.current() is None
    east.deploy(b"one")
    share(east, west)
    assert west.current() == b"one"
    west.deploy(b"two")
    share(west, east)
    assert east.current() == b"two"
    east.deploy(b"one")
    share(east, west)
    assert west.current() == b"one"


def test_a_deployment_while_the_daemon_was_down_counts(nodes):
    east, west = nodes
    east.deploy(b"one")
    share(east, west)
    west.deploy(b"two")
    west.start()
    share(west, east)
    assert east.current() == b"two"


def test_of_two_deployments_that_of_the_store_stays(nodes):
    east, west = nodes
    east.deploy(b"one")
    share(east, west)
    east.deploy(b"of east")
    west.deploy(b"of west")
    share(east, west, east)
    assert (east.current(), west.current()) == (b"of east", b"of east")


def test_a_node_that_joins_with_another_takes_that_of_the_fleet(nodes):
    east, west = nodes
    east.deploy(b"of the fleet")
    west.deploy(b"of before it joined")
    share(east, west, east)
    assert (east.current(), west.current()) == (b"of the fleet", b"of the fleet")


def test_a_damaged_version_that_was_set_aside_is_fetched_again(nodes):
    east, west = nodes
    for content in (b"one", b"two"):
        east.deploy(content)
        share(east, west)
    newest = west.store.path()
    newest.rename(newest.with_name(f"{newest.name}.damaged"))
    west.deploy(b"one")
    share(west, east)
    assert (east.current(), west.current()) == (b"two", b"two")


def test_what_no_rule_needs_is_not_fetched(nodes, tmp_path, store):
    east, _ = nodes
    other = Node(tmp_path / "north", store, wanted=())
    east.deploy(b"one")
    share(east, other)
    assert other.current() is None


def test_a_store_that_is_away_or_new_loses_nothing(nodes, store):
    east, west = nodes
    east.deploy(b"one")
    share(east, west)
    store.rename(store.with_name("away"))
    with pytest.raises(StateError, match="mount it"):
        east.share()
    assert east.current() == b"one"
    take_term(store)
    share(east)
    assert list(store.glob("classifiers/helmet/*.json"))
