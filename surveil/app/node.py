"""This daemon as a node of a fleet: which cameras it may watch now, and its control socket.

The agent asks for a report, brings it to the coordinator, and comes back with orders. The daemon itself talks to
nobody but the agent.
"""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Any

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from surveil import __version__
from surveil.app.failed_cameras import FailedCameras
from surveil.app.learned import LearnedCarrier
from surveil.app.services import Service, ThreadSet
from surveil.clock import Clock, Every, Stop, boot_s
from surveil.config import Config
from surveil.config.file import FleetSettings, NodeSettings
from surveil.errors import StateError
from surveil.features.classify.rule import ClassifiedSettings
from surveil.filesystem import read_json, write_atomically
from surveil.fleet.control import ControlSocket
from surveil.fleet.cost import CostMeter
from surveil.fleet.lease import Leases
from surveil.fleet.messages import NodeReport, Orders, Policy, peers_digest
from surveil.listening import split_address
from surveil.threads import Heartbeats, ThreadGroup
from surveil.types import Alert

log = structlog.get_logger(__name__)
LEASES = "fleet.json"
"""The last orders, in the state directory: a daemon that starts without a coordinator may go on by them."""
_LOOK_S = 0.5
_COUNT_S = 10.0
_TLS = "https://"
"""What the address of a node begins with whose pages are served by TLS."""
_SHARE = 0.75
"""Part of the cores that cameras may take where nothing else is said."""


class FleetNode:
    """Leases of this node. `narrow`, `begin`, `differs` and `applied` are the main thread's; the others any thread's.

    Args:
        config: the whole configuration.
        settings: its fleet section.
        folder: the state directory.
        wake: called when the leases have changed; from the thread that serves the socket.
        deliveries: how many alerts each sink has in each state.
        received: frames by camera that were received so far.

    Raises ConfigError or StateError when the control socket cannot be made.
    """

    def __init__(
        self,
        config: Config,
        settings: FleetSettings,
        folder: Path,
        wake: Callable[[], None],
        deliveries: Callable[[], Mapping[str, Mapping[str, int]]],
        received: Callable[[], Mapping[str, int]],
        now: Callable[[], float] = boot_s,
    ) -> None:
        self._name = settings.node or config.instance
        own = settings.nodes.get(self._name, NodeSettings())
        self._capacity = own.capacity or _SHARE * (os.cpu_count() or 1)
        self._labels = own.labels
        self._saved = folder / LEASES
        self._now, self._wake = now, wake
        self._leases = Leases(Policy(settings.on_lost_coordinator), now(), _restored(self._saved))
        self._run = secrets.token_hex(8)
        self._whole = config
        self._reading: Mapping[str, int] = {}
        self._epochs: dict[str, int] = {}
        self._applied = 0
        self._next: tuple[int, Mapping[str, int]] = 0, {}
        """What `narrow` has returned last: the number of its orders, and the epochs."""
        self._failed = FailedCameras()
        self._draining = False
        self._address = self._pages = ""
        self._peers: Mapping[str, str] = {}
        self._deliveries, self._pending, self._counts = deliveries, 0, Every(_COUNT_S)
        self._meter = CostMeter(received)
        self._learned = LearnedCarrier(folder, settings.store, self.holdings, self._classifiers)
        self._socket = ControlSocket(folder)

    # For the main thread.

    def narrow(self, config: Config) -> Config:
        """Return a configuration with those cameras alone that this node is to have now."""
        number, wanted = self._leases.number, self._leases.wanted(self._now())
        cameras = {name: config.cameras[name] for name in config.cameras if name in wanted}
        self._next = number, {name: wanted[name] for name in cameras}
        return replace(config, cameras=MappingProxyType(cameras))

    def begin(self, whole: Config) -> None:
        """Note that what `narrow` returned last is about to be carried out; `whole`: with all cameras of the file."""
        self._whole, (_, wanted) = whole, self._next
        self._epochs |= wanted
        self._reading = {**self._reading, **wanted}

    def differs(self) -> bool:
        """Whether the node is to have other cameras, or the same with other epochs, and is to try it now."""
        now = self._now()
        possible = self._whole.cameras.keys() - self._failed.waiting(now)
        return self._reading != {n: e for n, e in self._leases.wanted(now).items() if n in possible}

    def applied(self, cameras: Iterable[str]) -> None:
        """Note that what `narrow` returned last has been carried out as far as it could: these cameras are there."""
        self._applied, wanted = self._next
        there = set(cameras)
        missing = wanted.keys() - there
        self._failed.note(missing, there, self._now())
        self._reading = {name: self._epochs[name] for name in there if name in self._epochs}
        for name in missing:
            log.error("camera of this node could not be added, retrying", camera=name)

    def services(
        self, group: ThreadGroup, clock: Clock, stop: Stop, beats: Heartbeats
    ) -> tuple[Service, ...]:
        """Return the thread that answers at the socket, for the daemon's table."""
        beat = beats.of("lease")
        serving = ThreadSet(group, clock, ["lease"], lambda _name: self.run(stop, beat))

        def end(patience_s: float) -> bool:
            ended = serving.stop(patience_s)
            self._socket.close()
            self._learned.end(patience_s)
            return ended

        return (Service("lease", serving.start, end),)

    def collector(self) -> Collector:
        """Return what shows the leases among the metrics."""
        return LeaseCollector(self._enabled, self.holdings, self.lease_age_s, self._learned.late_s)

    def _enabled(self) -> frozenset[str]:
        """Name the cameras of the fleet that some node is to watch."""
        return frozenset(name for name, camera in self._whole.cameras.items() if camera.enabled)

    def _classifiers(self) -> set[str]:
        """Name the classifiers that rules of any camera need: one that comes here finds them here."""
        rules = (rule for camera in self._whole.cameras.values() for rule in camera.rules)
        return {rule.model for rule in rules if isinstance(rule, ClassifiedSettings)}

    # For any thread.

    def may_read(self, camera: str) -> bool:
        """Whether to read a camera now."""
        return self._leases.may_read(camera, self._now())

    def stamp(self, alert: Alert) -> Alert:
        """Return an alert with the epoch of its camera's lease among the details."""
        epoch = self._epochs.get(alert.camera)
        return alert if epoch is None else replace(alert, details={**alert.details, "epoch": epoch})

    def holdings(self) -> Iterator[tuple[str, int, bool]]:
        """Yield camera, epoch and whether its lease is fresh."""
        fresh = self._leases.fresh(self._now())
        for name, epoch in self._reading.items():
            yield name, epoch, name in fresh

    def page(self, address: str) -> BaseRoute:
        """Return the page that lists all nodes as Prometheus's HTTP service discovery reads it; `address`: of ours."""
        http = self._whole.http
        self._address = f"{_TLS}{address}" if http.certificate else address
        self._pages = http.public_url or _link(address, "https" if http.certificate else "http")

        async def targets(_request: Request) -> Response:
            return JSONResponse([_target(name, at) for name, at in sorted(self._peers.items())])

        return Route("/fleet/targets", targets)

    def elsewhere(self) -> Sequence[tuple[str, str, str, str]]:
        """Return camera, title, node and the URL of its pages, for the enabled cameras that this node does not have.

        An empty node: none has it, as far as is known here.
        """
        roster, reading = self._learned.roster, self._reading
        owners = {name: node for name, node in roster.owners.items() if node != self._name}
        return [
            (name, camera.titles.camera, owners.get(name, ""), roster.pages.get(owners.get(name, ""), ""))
            for name, camera in self._whole.cameras.items()
            if name not in reading and (name in owners or (camera.enabled and roster.pages))
        ]

    def lease_age_s(self) -> float:
        """Return how old the last renewal is, s."""
        return self._leases.age_s(self._now())

    # The control socket, on a thread of its own.

    def run(self, stop: Stop, beat: Callable[[], None]) -> None:
        """Answer until `stop`."""
        self._learned.start()
        while not stop:
            self._socket.serve_one(self._answer, _LOOK_S)
            self._leases.look(self._now())
            beat()

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        match request:
            case {"do": "status"}:
                report = self._report(with_cameras=bool(request.get("cameras"))).plain()
                age_s = self.lease_age_s()
                return report | {"lease_age_s": round(age_s, 1) if isfinite(age_s) else None}
            case {"do": "assign", "orders": dict(orders)}:
                return {"followed": self._follow(Orders.of(orders))}
            case {"do": "release", "cameras": list(cameras)}:
                self._leases.release(cameras)
                self._wake()
                return {"released": cameras}
            case {"do": "drain", "on": bool(on)}:
                self._draining = on
                return {"draining": on}
        return {"error": "unknown request: status, assign, release and drain are known"}

    def _follow(self, orders: Orders) -> bool:
        before = self._leases.grants
        if not self._leases.follow(orders, self._now()):
            return False
        if orders.peers is not None:
            self._peers = dict(orders.peers)
        if self._leases.grants != before:
            self._save(orders)
        if self.differs():
            self._wake()
        return True

    def _save(self, orders: Orders) -> None:
        """Keep the orders for the next start; a full disk does not keep this one from following them."""
        with suppress(OSError):
            write_atomically(self._saved, json.dumps(orders.plain()).encode())

    def _report(self, *, with_cameras: bool) -> NodeReport:
        now, number = self._now(), self._leases.number
        if self._counts.due(now):
            with suppress(StateError):  # The leases are renewed whatever becomes of the outbox.
                self._pending = sum(states["pending"] for states in self._deliveries().values())
        return NodeReport(
            node=self._name,
            run=self._run,
            asked=now,
            applied=self._applied if self.differs() else number,
            leases=dict(self._leases.fresh(now)),
            reading=dict(self._reading),
            capacity=self._capacity,
            labels=self._labels,
            digest=self._whole.digest[:12],
            cameras=self._enabled() if with_cameras else None,
            unable=sorted(self._failed.unable(now)),
            costs=self._meter.costs(now),
            version=__version__,
            address=self._address,
            pages=self._pages,
            pending=self._pending,
            peers=peers_digest(self._peers),
            draining=self._draining,
            store_age_s=self._learned.late_s(),
        )


class LeaseCollector(Collector):
    """The leases of a node. A camera without a fresh lease may be watched by another node, too."""

    def __init__(
        self,
        cameras: Callable[[], Iterable[str]],
        holdings: Callable[[], Iterable[tuple[str, int, bool]]],
        age_s: Callable[[], float],
        store_late_s: Callable[[], float],
    ) -> None:
        self._cameras, self._holdings = cameras, holdings
        self._age_s, self._store_late_s = age_s, store_late_s

    def collect(self) -> Iterator[Metric]:
        """Read the configuration and the leases."""
        configured = GaugeMetricFamily(
            "surveil_fleet_camera",
            "1 for each enabled camera of this node's configuration, whichever node of the fleet watches it.",
            labels=["camera"],
        )
        for name in sorted(self._cameras()):
            configured.add_metric([name], 1)
        epoch = GaugeMetricFamily(
            "surveil_camera_lease_epoch",
            "Epoch of the camera's lease; it rises whenever another node of the fleet takes the camera over.",
            labels=["camera"],
        )
        owner = GaugeMetricFamily(
            "surveil_camera_owner",
            "1 while this node has a fresh lease on the camera, 0 while it watches the camera without one.",
            labels=["camera"],
        )
        for name, number, fresh in self._holdings():
            epoch.add_metric([name], number)
            owner.add_metric([name], fresh)
        age = GaugeMetricFamily(
            "surveil_lease_age_seconds",
            "Time since this node's leases were renewed; +Inf before the first time.",
        )
        age.add_metric([], self._age_s())
        late = GaugeMetricFamily(
            "surveil_fleet_store_failing_seconds",
            "Time for which the shared store could not be read or written; 0 while it works.",
        )
        late.add_metric([], self._store_late_s())
        yield from (configured, epoch, owner, age, late)


def _link(address: str, scheme: str) -> str:
    """Return the URL of pages at HOST:PORT; empty where it would lead readers to their own machine."""
    host = ipaddress.ip_address(split_address(address)[0])
    return "" if host.is_loopback or host.is_unspecified else f"{scheme}://{address}"


def _target(node: str, address: str) -> dict[str, Any]:
    """Return a node as Prometheus's HTTP service discovery reads it."""
    scheme = {"__scheme__": "https"} if address.startswith(_TLS) else {}
    return {"targets": [address.removeprefix(_TLS)], "labels": {"node": node, **scheme}}


def _restored(path: Path) -> Orders | None:
    """Return the orders that the process before has followed. What cannot be read is forgotten: it is only a hint."""
    try:
        return Orders.of(read_json(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        log.warning("orders of the last run cannot be read", path=str(path), why=str(error))
        return None
