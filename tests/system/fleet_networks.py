"""Faults of the networks of a fleet's nodes: links that are cut. See `tests.system.fleet`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tests.fleet.network import Place, Way

Meanwhile = Callable[[], None]


class Placed(Protocol):
    """A node."""

    place: Place | None


def network_faults(choose: Callable[[], Placed]) -> dict[str, Callable[[Meanwhile], None]]:
    """The faults by name. Each cuts something at the node that `choose` returns, calls `meanwhile`, and mends it."""

    def unplugged(meanwhile: Meanwhile, way: Way) -> None:
        link = choose().place.fleet
        link.cut(way)
        meanwhile()
        link.mend(way)

    def alone(meanwhile: Meanwhile) -> None:
        place = choose().place
        for link in (place.fleet, place.plant):
            link.cut(Way.BOTH)
        meanwhile()
        for link in (place.fleet, place.plant):
            link.mend(Way.BOTH)

    return {
        "network of the fleet cut": lambda meanwhile: unplugged(meanwhile, Way.BOTH),
        "nothing reaches a node": lambda meanwhile: unplugged(meanwhile, Way.TO_THE_NODE),
        "nothing comes from a node": lambda meanwhile: unplugged(meanwhile, Way.FROM_THE_NODE),
        "node off all networks": alone,
    }
