"""Messages between nodes and the coordinator: frozen values that travel as JSON.

Times of a node are seconds of its boot-time clock, which counts suspended time and never steps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any

RENEW_S = 2.0
"""How often a node renews its leases."""
VALID_S = 10.0
"""How long a lease is valid, from the moment at which the node began to ask for it."""
STOP_S = 8.0
"""Age of a lease at which its node stops reading: it has ended long before the lease has."""


class Policy(StrEnum):
    """What a node does without fresh leases."""

    WATCH = "watch"
    """It reads on, with the old epochs, and gives way within one validity of the next contact."""
    STOP = "stop"
    """It stops reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """One node at one moment."""

    node: str
    asked: float
    """When it was made, by the node's clock, s: leases run from here."""
    run: str = ""
    """Another for every start of the daemon."""
    applied: int = 0
    """Number of the last orders that the daemon has carried out."""
    leases: Mapping[str, int] = field(default_factory=dict)
    """Epoch by camera of the leases that are fresh."""
    reading: Mapping[str, int] = field(default_factory=dict)
    """Epoch by camera of all that it reads or is about to let go, with a fresh lease or without."""
    capacity: float = 1.0
    labels: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""
    """Of its configuration."""
    cameras: frozenset[str] | None = None
    """Cameras of its configuration; None: as with this digest before."""
    unable: Sequence[str] = ()
    """Those of them that it has failed to watch: another node is to have them."""
    costs: Mapping[str, float] = field(default_factory=dict)
    """Measured cost of cameras, in the unit of the capacity."""
    version: str = ""
    address: str = ""
    """Where its pages are: HOST:PORT, after https:// where they are served by TLS."""
    pages: str = ""
    """URL of its pages, as browsers on other machines reach them; empty: unknown."""
    pending: int = 0
    """Alerts that wait in its outbox."""
    peers: str = ""
    """Digest of the addresses of nodes that it knows."""
    draining: bool = False
    """It asks to be without cameras."""
    store_age_s: float | None = None
    """How long what it has learned has waited for the shared store; None: it has none."""

    def plain(self) -> dict[str, Any]:
        """Return JSON types."""
        return asdict(self) | {"cameras": None if self.cameras is None else sorted(self.cameras)}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> NodeReport:
        """Return the report of `plain`; fields of another version are left out. Raises TypeError, ValueError."""
        known = {key: value for key, value in plain.items() if key in cls.__dataclass_fields__}
        cameras = known.pop("cameras", None)
        return cls(**known, cameras=None if cameras is None else frozenset(cameras))


def peers_digest(peers: Mapping[str, str]) -> str:
    """Return what tells one set of addresses from another."""
    return sha256(json.dumps(peers, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a node is to read."""

    number: int
    """Rises with every answer of any coordinator: older orders are not followed."""
    asked: float
    """Of the report that they answer."""
    grants: Mapping[str, int] = field(default_factory=dict)
    """Epoch by camera: all that the node may read, and nothing else."""
    again_s: float = RENEW_S
    """How soon the coordinator wants the next report."""
    peers: Mapping[str, str] | None = None
    """Address of the pages by node; None: as the report says, they are known."""
    tell_cameras: bool = False
    """Whether the next report must name the cameras."""

    def plain(self) -> dict[str, Any]:
        """Return JSON types."""
        return asdict(self)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Orders:
        """Return the orders of `plain`; fields of another version are left out. Raises TypeError, ValueError."""
        orders = cls(**{key: value for key, value in plain.items() if key in cls.__dataclass_fields__})
        if not all(isinstance(epoch, int) for epoch in (orders.number, *orders.grants.values())):
            raise ValueError("numbers and epochs are whole numbers")
        return orders
