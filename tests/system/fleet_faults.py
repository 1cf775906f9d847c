"""Faults of a fleet. Each breaks something, calls `meanwhile`, and mends it."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable
from pathlib import Path

from surveil.app.node import LEASES
from tests.fleet import clock
from tests.fleet.desk import Desk, Loss
from tests.fleet.machines import Fleet, Machine, frozen
from tests.integration.world import wait_for
from tests.system.fleet_networks import Meanwhile, network_faults

_BALLAST = "ballast"
_STEP_S = 3600.0


class Faults:
    """The faults by name, and what chooses the machine.

    Args:
        fleet: what is broken.
        dice: chooses.
        small: whether state directories are small file systems of their own, which can be filled.
    """

    def __init__(self, fleet: Fleet, dice: random.Random, *, small: bool) -> None:
        self._fleet, self._dice = fleet, dice
        orders = [machine.state / LEASES for machine in fleet.machines]
        self.steps: list[clock.Step] = []
        """Which clocks were wrong, and when."""
        self._old_orders = [(path, path.read_bytes()) for path in orders if path.exists()]
        keeping: dict[str, Callable[[Meanwhile], None]] = {
            "daemon killed": self._daemon_killed,
            "node returns with an old epoch": self._old_epoch,
            "coordinator replaced": self._replaced,
            "node drained": self._drained,
            "store away": self._store_away,
            "version mix": self._mixed,
            "clock stepped": self._clock_stepped,
        }
        if small:
            keeping["disk full"] = self._disk_full
        self.without_contact: dict[str, Callable[[Meanwhile], None]] = {
            "daemon frozen": self._daemon_frozen,
            "agent killed": self._agent_killed,
            "agent frozen": self._agent_frozen,
            "link cut": lambda meanwhile: self._cut(Loss.EVERYTHING, meanwhile),
            "link cut one way": lambda meanwhile: self._cut(Loss.ORDERS, meanwhile),
            "coordinator away": self._away,
            "coordinator frozen": self._coordinator_frozen,
            "two heads": self._two_heads,
        }
        """Those in which a node that watches hears nothing of the coordinator that counts."""
        if fleet.machines[0].place:
            self.without_contact |= network_faults(self._any)
        self.kinds = keeping | self.without_contact

    def _any(self) -> Machine:
        return self._dice.choice(self._fleet.machines)

    # A node.

    def _daemon_killed(self, meanwhile: Meanwhile) -> None:
        machine = self._any()
        machine.kill()
        meanwhile()
        machine.restart()

    def _old_epoch(self, meanwhile: Meanwhile) -> None:
        path, orders = self._dice.choice(self._old_orders)
        machine = next(one for one in self._fleet.machines if one.state == path.parent)
        machine.kill()
        meanwhile()
        path.write_bytes(orders)
        machine.restart()

    def _daemon_frozen(self, meanwhile: Meanwhile) -> None:
        with frozen(self._any().daemon.child):
            meanwhile()

    def _agent_killed(self, meanwhile: Meanwhile) -> None:
        machine = self._any()
        machine.kill_agent()
        meanwhile()
        machine.start_agent()

    def _agent_frozen(self, meanwhile: Meanwhile) -> None:
        with frozen(self._any().agent):
            meanwhile()

    def _disk_full(self, meanwhile: Meanwhile) -> None:
        ballast = self._any().state / _BALLAST
        _fill(ballast)
        meanwhile()
        ballast.unlink()

    def _clock_stepped(self, meanwhile: Meanwhile) -> None:
        machine, ahead_s = self._any(), self._dice.choice((-_STEP_S, _STEP_S))
        with clock.stepped(machine.clock, machine.name, ahead_s, self.steps):
            meanwhile()

    # The way between.

    def _cut(self, loses: Loss, meanwhile: Meanwhile) -> None:
        line = self._any().line
        line.loses = loses
        meanwhile()
        line.loses = Loss.NOTHING

    def _mixed(self, meanwhile: Meanwhile) -> None:
        line = self._any().line
        line.mixed = True
        meanwhile()
        line.mixed = False

    # The coordinator and the store.

    def _away(self, meanwhile: Meanwhile) -> None:
        self._fleet.desk.away = True
        meanwhile()
        self._fleet.desk.away = False

    def _coordinator_frozen(self, meanwhile: Meanwhile) -> None:
        with self._fleet.desk.lock:
            meanwhile()

    def _replaced(self, meanwhile: Meanwhile) -> None:
        self._fleet.desk.begin()
        meanwhile()

    def _two_heads(self, meanwhile: Meanwhile) -> None:
        """Some nodes go over to a second head; the others stay with the first until both have been seen."""
        second = Desk(self._fleet.desk.loads, self._fleet.store)
        lines = [machine.line for machine in self._fleet.machines]
        for line in self._dice.sample(lines, k=self._dice.randrange(1, len(lines))):
            line.desk = second
        meanwhile()
        for line in lines:
            line.desk = second
        self._fleet.desk = second

    def _drained(self, meanwhile: Meanwhile) -> None:
        name, coordinator = self._any().name, self._fleet.desk.coordinator
        wait_for(lambda: name in coordinator._nodes)
        coordinator.drain(name)
        meanwhile()
        coordinator.drain(name, on=False)

    def _store_away(self, meanwhile: Meanwhile) -> None:
        away = self._fleet.store.with_name("away")
        self._fleet.store.rename(away)
        meanwhile()
        away.rename(self._fleet.store)


def _fill(path: Path) -> None:
    """Write until the disk takes no more."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
