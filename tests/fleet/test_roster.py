"""Every node knows which node has which camera, and where its pages are."""

import pytest

from surveil.errors import StateError
from surveil.fleet.coordinator import Coordinator
from surveil.fleet.messages import NodeReport
from surveil.fleet.placer import CameraLoad
from surveil.fleet.roster import NAME, Roster, read_roster, write_roster
from tests.fleet.test_node import have_what_the_leases_say


def test_a_node_names_the_cameras_of_the_others(make_node, store):
    east, west = make_node("east"), make_node("west", console=True, public_url="https://west.example")
    coordinator = Coordinator({"yard": CameraLoad(name="yard"), "gate": CameraLoad(name="gate")}, 1, 0.0)
    for node in (east, west):
        node.page("192.0.2.1:9108")
    for now in (1.0, 10.6, 11.0, 11.5):
        for node in (east, west):
            orders = coordinator.report(NodeReport.of(node._report(with_cameras=True).plain()), now)
            if orders is not None:
                node._follow(orders)
                have_what_the_leases_say(node)
    roster = coordinator.roster()
    assert roster.pages == {"east": "http://192.0.2.1:9108", "west": "https://west.example"}
    assert sorted(roster.owners) == ["gate", "yard"]
    write_roster(store, roster)
    for node, name in ((east, "east"), (west, "west")):
        node._learned.try_once()
        told = {camera: (owner, pages) for camera, _, owner, pages in node.elsewhere()}
        assert told == {c: (o, roster.pages[o]) for c, o in roster.owners.items() if o != name}
        assert len(told) == 1


def test_a_node_names_the_cameras_that_none_has(make_node, store):
    """The coordinator says that the yard is its own, but it could not be added here."""
    node = make_node("east")
    assert node.elsewhere() == [], "nothing is known yet"
    write_roster(store, Roster(owners={"yard": "east"}, pages={"east": "", "west": ""}))
    node._learned.run_once()
    assert [(camera, owner) for camera, _, owner, _ in node.elsewhere()] == [("yard", ""), ("gate", "")]


@pytest.mark.parametrize("address", ["127.0.0.1:9108", "0.0.0.0:9108", "[::1]:9108", "[::]:9108"])
def test_no_link_leads_readers_to_their_own_machine(make_node, address):
    node = make_node("east")
    node.page(address)
    assert node._report(with_cameras=False).pages == ""


def test_a_roster_that_cannot_be_read_is_an_error_and_none_is_none(store):
    assert read_roster(store) == Roster()
    for damaged in ("[]", "{", '{"owners": 3, "pages": {}}'):
        (store / NAME).write_text(damaged)
        with pytest.raises(StateError, match=NAME):
            read_roster(store)
