"""Random faults of a fleet, judged by its cameras and by what its alerts became.

    python -m tests.system.fleet --faults 60 --policy stop

Prints a line for each fault: what, the longest gap and the longest overlap of any camera until all were read again; and
one for the whole. Ends with 1 when

- two nodes read one camera under `stop`; under `watch` while all nodes had contact, or for more than 10 s after;
- an alert was lost or told twice, an event was left without an end, or begun again before its end.

Where `unshare` may make namespaces each node has a small file system, which can be filled, a network of its own, whose
links are cut, and another boot time. With `--ray` (which needs Ray) the faults are those of Ray's processes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from surveil.clock import Stop, SystemClock
from surveil.demo.clip import write_clip
from surveil.demo.scene import DrawnScene
from surveil.fleet import rayprocess
from tests import forked
from tests.fleet import outcome
from tests.fleet.judge import OWN, Judge
from tests.fleet.machines import Fleet, has_heard
from tests.fleet.network import PLANT, Network
from tests.fleet.ray_machines import SHORT_CHECKS, RayFleet
from tests.integration.world import Webhook, wait_for
from tests.system.fleet_faults import Faults
from tests.system.fleet_ray import RayFaults

_HOLD_S = (1.0, 25.0)
"""For how long a fault lasts."""
_GIVES_WAY_S = 10.0
_CONTACT_S = 300.0
_ENDS_S = 20.0
"""Cameras go back to a node that has returned, and their events end where they were: the last may be under way."""
_CAMERAS = ["gate", "yard", "dock", "hall"]
_REACHED = {"hall": ["node0", "node1"]}
_OWN_NAMESPACES = "SURVEIL_TEST_OWN_NAMESPACES"
_MACHINES = 3
_STATE_MB = 32


def pause(seconds: float) -> None:
    SystemClock().sleep(seconds, Stop())


class Trial:
    """A fleet, and what has been seen of it."""

    def __init__(self, fleet: Fleet, hook: Webhook, faults: Faults, dice: random.Random, policy: str) -> None:
        self._fleet, self._judge, self._hook = fleet, fleet.judge, hook
        self._faults, self._dice, self._policy = faults, dice, policy
        self._overlap_s = self._gap_s = 0.0
        self.well = True

    def break_something(self, number: int, name: str) -> None:
        held_s, began = self._dice.uniform(*_HOLD_S), self._judge.now()
        self._faults.kinds[name](lambda: pause(held_s))
        mended = self._judge.now()
        lone = self._policy == "watch" and name in self._faults.without_contact
        if lone:  # Ray takes its time to reach a node again
            wait_for(lambda: self._has_contact(mended), _CONTACT_S)
        contact = self._judge.now()
        self._fleet.settle()
        overlap_s, gap_s = self._judge.overlap_s(contact if lone else began), self._judge.gap_s(began)
        well = overlap_s <= (_GIVES_WAY_S if lone else 0.0)
        self.well &= well
        self._overlap_s, self._gap_s = max(overlap_s, self._overlap_s), max(gap_s, self._gap_s)
        tell(
            fault=number, what=name, held_s=held_s, gap_s=gap_s, overlap_s=overlap_s,
            contact_after_s=contact - mended, read_again_after_s=self._judge.now() - mended, well=well,
        )  # fmt: skip

    def _has_contact(self, since: float) -> bool:
        return all(has_heard(machine.state, self._judge.now() - since) for machine in self._fleet.machines)

    def _written(self) -> dict[str, outcome.Alerts]:
        return {machine.name: outcome.written(machine.state) for machine in self._fleet.machines}

    def _unended(self) -> set[str]:
        owners = {name: owner.name for name in self._judge.cameras if (owner := self._fleet.owner(name))}
        return outcome.unended(self._written(), owners)

    def sum_up(self) -> None:
        states = {machine.name: machine.state for machine in self._fleet.machines}
        with suppress(AssertionError):  # it is counted below
            wait_for(lambda: not self._unended(), _ENDS_S)
        wait_for(lambda: not any(map(outcome.waiting, states.values())), 120)
        nodes, arrived = self._written(), list(self._hook.alerts)
        found = {
            "lost": len(outcome.lost(nodes, arrived)),
            "told_twice": len(outcome.twice(nodes, arrived)),
            "unended": len(self._unended()),
            "begun_twice": len(outcome.begun_twice(nodes)),
        }
        overtaken = outcome.overtaken(nodes, self._faults.steps)
        self.well &= bool(arrived) and not any(found.values()) and not (self._policy == "stop" and overtaken)
        tell(
            alerts=len({alert["id"] for alert in arrived}), **found, of_a_replaced_node=overtaken,
            longest_overlap_s=self._overlap_s, longest_gap_s=self._gap_s, well=self.well,
        )  # fmt: skip


def tell(**what: Any) -> None:
    rounded = {key: round(value, 1) if isinstance(value, float) else value for key, value in what.items()}
    sys.stdout.write(json.dumps(rounded) + "\n")
    sys.stdout.flush()


def run(folder: Path, args: argparse.Namespace) -> bool:
    """Return whether all was well."""
    dice, policy, ray = random.Random(args.seed), args.policy, args.ray
    clip = folder / "passing.mp4"
    write_clip(clip, DrawnScene.passing(seed=3, people=2, size=(640, 360)))
    apart = os.environ.get(_OWN_NAMESPACES) == "1"
    with ExitStack() as stack:
        if apart:
            _mount(folder, stack)
        network = stack.enter_context(Network(_MACHINES)) if apart else None
        host = PLANT if apart else "127.0.0.1"
        tables = [place.sockets for place in network.places] if network else [OWN]
        hook = stack.enter_context(Webhook(host))
        judge = stack.enter_context(Judge(clip, _CAMERAS, host, tables))
        if ray:
            checks = {} if args.usual_checks else SHORT_CHECKS
            fleet = stack.enter_context(RayFleet(folder, judge, policy, hook.url, checks, network))
            fleet.settle()
            faults = RayFaults(fleet, dice)
        else:
            fleet = stack.enter_context(Fleet(folder, judge, policy, hook.url, _MACHINES, _REACHED, network))
            fleet.settle(120)
            faults = Faults(fleet, dice, small=apart)
        trial = Trial(fleet, hook, faults, dice, policy)
        kinds = _drawn([args.only] if args.only else sorted(faults.kinds), dice)
        for i, kind in zip(range(1, args.faults + 1), kinds, strict=False):
            trial.break_something(i, kind)
        trial.sum_up()
    return trial.well


def _drawn(kinds: list[str], dice: random.Random) -> Iterator[str]:
    """Yield all kinds in a random order, and again in another."""
    while True:
        yield from dice.sample(kinds, k=len(kinds))


def _mount(folder: Path, until: ExitStack) -> None:
    """Give each node a small file system, and Ray another folder than that of other runs, until `until` is closed."""
    for i in range(_MACHINES):
        state = folder / f"node{i}" / "state"
        state.mkdir(parents=True)
        _mount_at(state, f"size={_STATE_MB}m,mode=0700", until)
    rayprocess.FOLDER.mkdir(exist_ok=True)
    _mount_at(rayprocess.FOLDER, "mode=0755", until)


def _mount_at(path: Path, options: str, until: ExitStack) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], check=True)
    until.callback(subprocess.run, ["umount", "--lazy", str(path)], check=True)


def _own_namespaces() -> None:
    """Go on in namespaces of our own, where the machine lets us: what is mounted and plugged there ends with us."""
    unshare = shutil.which("unshare")
    if _OWN_NAMESPACES in os.environ or unshare is None:
        return
    prefix = [unshare, "--map-root-user", "--mount", "--net"]
    allowed = all(
        subprocess.run(one, capture_output=True, check=False).returncode == 0
        for one in ([*prefix, unshare, "--net", "--time", "true"], ["ip", "-Version"])
    )
    os.environ[_OWN_NAMESPACES] = str(int(allowed))
    if allowed:
        os.execv(unshare, [*prefix, sys.executable, "-m", "tests.system.fleet", *sys.argv[1:]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--policy", choices=("stop", "watch"), default="stop")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ray", action="store_true", help="under Ray, and faults of its processes")
    parser.add_argument("--only", metavar="KIND", help="this kind of fault, for example 'node killed'")
    parser.add_argument(
        "--usual-checks", action="store_true", help="Ray's health checks as they are by default"
    )
    parser.add_argument("--keep", action="store_true", help="keep the nodes' folders and logs")
    args = parser.parse_args()
    _own_namespaces()
    forked.start()
    folder = tempfile.mkdtemp(prefix="fleet-")
    try:
        well = run(Path(folder), args)
    finally:
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(not well)


if __name__ == "__main__":
    main()
