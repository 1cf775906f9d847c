"""Ray under a fleet: it keeps one coordinator and an agent per node running. The decisions are not made here.

Ray places and restarts; it does not fence: it restarts an actor elsewhere while the one on a hung node runs on. So
nothing here is trusted to be single. Leases are, see `lease` and `seats`.

Ray reads its environment when it is imported: call `rayprocess.settle` before this module is imported.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from surveil import logs
from surveil.clock import Every, Stop, SystemClock, boot_s
from surveil.errors import StateError
from surveil.fleet.agent import Agent, CoordinatorLostError
from surveil.fleet.coordinator import Coordinator
from surveil.fleet.messages import RENEW_S, NodeReport
from surveil.fleet.placer import CameraLoad
from surveil.fleet.roster import Roster, write_roster
from surveil.fleet.tenure import Tenure

NAMESPACE = "surveil"
COORDINATOR = "coordinator"
_CALL_S = 1.5
"""How long a coordinator may take to answer: shorter than a renewal."""
_ANSWER_S = 5.0
"""How long the agent of a machine that lives may take to answer."""
_TRIES = 30


class CoordinatorActor:
    """The coordinator in a process of Ray. Calls come one after another."""

    def __init__(self, cameras: Sequence[Mapping[str, Any]], store: str) -> None:
        self._store, self._roster = Path(store), Roster()
        self._tenure = Tenure(_loads_of(cameras), self._store, boot_s())
        self._looks = Every(RENEW_S)
        threading.Thread(target=self._visit_store, name="store", daemon=True).start()

    def _visit_store(self) -> None:
        """See whether another coordinator has begun, and tell who has which camera."""
        told, clock, stop = Roster(), SystemClock(), Stop()
        while not clock.sleep(RENEW_S, stop):
            self._tenure.visit_store()
            roster = self._roster
            if roster != told and not self._tenure.coordinator.superseded:
                with suppress(StateError):
                    write_roster(self._store, roster)
                    told = roster

    def report(self, plain: Mapping[str, Any]) -> dict[str, Any] | None:
        """Take a report; return the orders."""
        now = boot_s()
        orders = self._tenure.report(NodeReport.of(plain), now)
        if self._looks.due(now):
            self._roster = self._tenure.coordinator.roster()
        return None if orders is None else orders.plain()

    def configure(self, cameras: Sequence[Mapping[str, Any]]) -> int:
        """Place these cameras from now on; return the term."""
        self._tenure.configure(_loads_of(cameras))
        return self.term()

    def term(self) -> int:
        """Return the term of this coordinator."""
        return self._tenure.coordinator.term

    def pid(self) -> int:
        """Return the process of the coordinator."""
        return os.getpid()

    def view(self) -> dict[str, Any]:
        """Return the fleet as it is, as JSON types."""
        now = boot_s()
        self._tenure.look(now)
        return asdict(self._tenure.coordinator.view(now))

    def move(self, camera: str, node: str) -> str:
        """Pin a camera to a node, or to none; return what is wrong."""
        return self._tenure.change(lambda coordinator: coordinator.move(camera, node))

    def drain(self, node: str, *, on: bool) -> str:
        """Drain a node, or let it have cameras again; return what is wrong."""
        return self._tenure.change(lambda coordinator: coordinator.drain(node, on=on))

    def rebalance(self) -> str:
        """Forget what was moved by hand."""
        return self._tenure.change(Coordinator.rebalance)


class AgentActor:
    """The agent of one node in a process of Ray."""

    def __init__(self, folder: str) -> None:
        logs.configure()
        self._stop = Stop()
        agent = Agent(Path(folder), call_coordinator, SystemClock())
        self._thread = threading.Thread(target=agent.run, args=(self._stop,), name="agent", daemon=True)
        self._thread.start()

    def pid(self) -> int:
        """Return the process: it runs then."""
        return os.getpid()

    def where(self) -> str:
        """Return the id of its node in Ray."""
        return _own_id()


def call_coordinator(plain: Mapping[str, Any]) -> dict[str, Any] | None:
    """Report to the coordinator. Raises CoordinatorLostError."""
    return _call("report", plain)  # type: ignore[no-any-return]


def ask_coordinator(method: str, *arguments: Any, **named: Any) -> Any:
    """Call the coordinator. Raises StateError when it cannot be reached."""
    try:
        return _call(method, *arguments, **named)
    except CoordinatorLostError as error:
        raise StateError(
            f"the coordinator does not answer ({error}); is `surveil fleet start` up?"
        ) from error


def _call(method: str, *arguments: Any, **named: Any) -> Any:
    try:
        actor = ray.get_actor(COORDINATOR, namespace=NAMESPACE)
        return ray.get(getattr(actor, method).remote(*arguments, **named), timeout=_CALL_S)
    except (RayError, ValueError, TimeoutError, ConnectionError) as error:
        raise CoordinatorLostError(f"{type(error).__name__}: {str(error).splitlines()[0]}") from error


def _loads_of(cameras: Sequence[Mapping[str, Any]]) -> dict[str, CameraLoad]:
    return {load.name: load for load in map(_load_of, cameras)}


def _load_of(plain: Mapping[str, Any]) -> CameraLoad:
    nodes = plain["nodes"]
    return CameraLoad(**{**plain, "nodes": None if nodes is None else frozenset(nodes)})


# On this node.


def connect(head: str, own_ip: str) -> None:
    """Join the cluster at `head` as a client of the node at `own_ip`. Raises StateError when there is none."""
    try:
        ray.init(
            address=head,
            namespace=NAMESPACE,
            log_to_driver=False,
            configure_logging=False,
            _node_ip_address=own_ip,
        )
    except (RayError, ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise StateError(f"no Ray at {head} ({error}); start the fleet with `surveil fleet start`") from error


def leave(actors: Iterable[str]) -> None:
    """End the actors that live on this node and leave the cluster, before Ray ends here.

    Ray waits half a minute for actors that live, and a client whose Ray has gone aborts.
    """
    if not ray.is_initialized():
        return  # Asked for an actor, Ray would start itself anew.
    for name in actors:
        with suppress(RayError, ValueError):
            ray.kill(ray.get_actor(name, namespace=NAMESPACE))
    ray.shutdown()


def run_coordinator(cameras: Sequence[Mapping[str, Any]], store: Path) -> str:
    """Have one coordinator on this node, unless there is one; return the name of its actor.

    Ray starts it again when its process ends. Raises StateError when Ray refuses.
    """
    actor = ray.remote(CoordinatorActor).options(name=COORDINATOR, **_here(), get_if_exists=True)
    try:
        actor.remote(cameras, str(store))
    except (RayError, ValueError, ConnectionError) as error:
        raise StateError(f"Ray does not start the coordinator: {error}") from error
    return COORDINATOR


def run_agent(node: str, folder: Path) -> str:
    """Have one agent on this node in the place of any that was here before; return the name of its actor.

    Raises StateError when another machine has an agent of this name, or the name does not become free.
    """
    name = f"agent-{node}"
    if _is_elsewhere(name):
        raise StateError(
            f"another machine of the fleet is called {node}; set another fleet.node here, or, "
            "if an earlier start has left it on this machine, end the Ray of that start"
        )
    with suppress(ValueError):
        ray.kill(ray.get_actor(name, namespace=NAMESPACE))
    for _ in range(_TRIES):
        with suppress(ValueError):  # Ray frees the name of an actor some time after its end.
            ray.remote(AgentActor).options(name=name, **_here()).remote(str(folder))
            return name
        SystemClock().sleep(1.0, Stop())
    raise StateError(f"Ray does not free the name {name}; is there another node called {node}?")


def _is_elsewhere(agent: str) -> bool:
    """Whether an agent answers from another node: without it the daemon there would have no leases."""
    try:
        actor = ray.get_actor(agent, namespace=NAMESPACE)
        return bool(ray.get(actor.where.remote(), timeout=_ANSWER_S) != _own_id())
    except (RayError, ValueError, TimeoutError, ConnectionError, AttributeError):
        return False  # That of another version has no such method.


def _own_id() -> str:
    return str(ray.get_runtime_context().get_node_id())


def _here() -> dict[str, Any]:
    """Return the options of a detached actor that stays on this node and is started again for ever."""
    here = NodeAffinitySchedulingStrategy(_own_id(), soft=False)
    return {
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "max_restarts": -1,
        "num_cpus": 0,
        "scheduling_strategy": here,
    }
