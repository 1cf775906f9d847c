"""Faults of a fleet under Ray: SIGKILL and SIGSTOP of each process. See `tests.system.fleet`."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from contextlib import suppress

from surveil.fleet.terms import highest_term
from tests.fleet.clock import Step
from tests.fleet.ray_machines import RayFleet, RayNode
from tests.integration.world import wait_for
from tests.system.fleet_networks import Meanwhile, network_faults

_PROGRAMS = {
    "agent": "ray::AgentActor",
    "coordinator": "ray::CoordinatorActor",
    "raylet": "raylet",
    "head": "gcs_server",
}
_ON_THE_HEAD = {"coordinator", "head"}


class RayFaults:
    """The faults by name. Each breaks something, calls `meanwhile`, and mends it."""

    def __init__(self, fleet: RayFleet, dice: random.Random) -> None:
        self._fleet, self._dice = fleet, dice
        self.steps: list[Step] = []
        """None: clocks are right."""
        self.without_contact: dict[str, Callable[[Meanwhile], None]] = {
            "daemon frozen": self._daemon_frozen,
            "node killed": lambda m: self._node_killed(self._dice.choice(self._fleet.machines[1:]), m),
            "node with the head killed": lambda m: self._node_killed(self._fleet.machines[0], m),
        }
        self.without_contact["two heads"] = self._two_heads
        for program in _PROGRAMS:
            self.without_contact[f"{program} killed"] = lambda m, p=program: self._killed(p, m)
            self.without_contact[f"{program} frozen"] = lambda m, p=program: self._frozen(p, m)
        if fleet.machines[0].place:
            self.without_contact |= network_faults(self._any)
        self.kinds = {"daemon killed": self._daemon_killed} | self.without_contact

    def _any(self) -> RayNode:
        return self._dice.choice(self._fleet.machines)

    def _daemon_killed(self, meanwhile: Meanwhile) -> None:
        machine = self._any()
        machine.kill()
        meanwhile()
        machine.start()

    def _daemon_frozen(self, meanwhile: Meanwhile) -> None:
        self._freeze([self._any().daemon.child.pid], meanwhile)

    def _node_killed(self, machine: RayNode, meanwhile: Meanwhile) -> None:
        machine.kill()
        self._signal(machine.processes(), signal.SIGKILL)
        meanwhile()
        machine.start()

    def _two_heads(self, meanwhile: Meanwhile) -> None:
        """A node becomes a second head. In the end the first is started again, and the node joins it."""
        first, second, *_ = self._fleet.machines
        self._new_term(second.lead)
        meanwhile()
        second.follow()
        self._new_term(first.follow)

    def _new_term(self, start: Callable[[], None]) -> None:
        """Start a head and wait for its coordinator."""
        term = highest_term(self._fleet.store)
        start()
        wait_for(lambda: highest_term(self._fleet.store) != term, 180)

    def _killed(self, program: str, meanwhile: Meanwhile) -> None:
        self._signal(self._chosen(program), signal.SIGKILL)
        meanwhile()

    def _frozen(self, program: str, meanwhile: Meanwhile) -> None:
        self._freeze(self._chosen(program), meanwhile)

    def _chosen(self, program: str) -> list[int]:
        machine = self._fleet.machines[0] if program in _ON_THE_HEAD else self._any()
        return wait_for(lambda: machine.processes(_PROGRAMS[program]), 180)

    def _freeze(self, processes: list[int], meanwhile: Meanwhile) -> None:
        self._signal(processes, signal.SIGSTOP)
        meanwhile()
        self._signal(processes, signal.SIGCONT)

    @staticmethod
    def _signal(processes: list[int], number: int) -> None:
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
