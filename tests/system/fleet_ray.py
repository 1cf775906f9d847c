"""Faults of a fleet under Ray: SIGKILL and SIGSTOP of each process. See `tests.system.fleet`."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from contextlib import suppress

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
