"""Random faults of a fleet, judged by its cameras.

    python -m tests.system.fleet --faults 60 --policy stop

Prints a line for each fault: what, the longest gap and the longest overlap of any camera until all were read again.
Ends with 1 when two nodes read one camera under `stop`, or, under `watch`, for more than 10 s after it was mended.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from surveil.clock import Stop, SystemClock
from tests import forked
from tests.fleet.judge import Judge
from tests.fleet.machines import Fleet, Machine
from tests.integration.world import Webhook, wait_for
from tests.rig.clips import make_clip

_HOLD_S = (1.0, 25.0)
"""For how long a fault lasts."""
_GIVES_WAY_S = 10.0


def pause(seconds: float) -> None:
    SystemClock().sleep(seconds, Stop())


class Faults:
    """Each breaks something, calls `meanwhile`, and mends it."""

    def __init__(self, fleet: Fleet, dice: random.Random) -> None:
        self._fleet, self._dice = fleet, dice
        self.kinds: dict[str, Callable[[Callable[[], None]], None]] = {
            "daemon killed": self._killed,
            "daemon frozen": self._frozen,
            "link cut": self._cut,
            "coordinator away": self._away,
            "coordinator replaced": self._replaced,
            "node drained": self._drained,
        }

    def _any(self) -> Machine:
        return self._dice.choice(self._fleet.machines)

    def _killed(self, meanwhile: Callable[[], None]) -> None:
        machine = self._any()
        machine.kill()
        meanwhile()
        machine.start()
        wait_for(machine.is_up, 60)

    def _frozen(self, meanwhile: Callable[[], None]) -> None:
        machine = self._any()
        machine.freeze()
        meanwhile()
        machine.thaw()

    def _cut(self, meanwhile: Callable[[], None]) -> None:
        machine = self._any()
        machine.cut = True
        meanwhile()
        machine.cut = False

    def _away(self, meanwhile: Callable[[], None]) -> None:
        self._fleet.desk.away = True
        meanwhile()
        self._fleet.desk.away = False

    def _replaced(self, meanwhile: Callable[[], None]) -> None:
        self._fleet.desk.begin()
        meanwhile()

    def _drained(self, meanwhile: Callable[[], None]) -> None:
        name = self._any().name
        if name not in self._fleet.desk.coordinator._nodes:
            return
        self._fleet.desk.coordinator.drain(name)
        meanwhile()
        self._fleet.desk.coordinator.drain(name, on=False)


def open_starts(hook: Webhook) -> list[str]:
    """Name the alerts that came twice under different ids: none should."""
    seen: dict[tuple[str, str], str] = {}
    doubles = []
    for alert in list(hook.alerts):
        key = (alert["event_id"], alert["phase"])
        if seen.setdefault(key, alert["id"]) != alert["id"]:
            doubles.append(alert["id"])
    return doubles


def run(folder: Path, faults: int, policy: str, seed: int) -> bool:
    """Return whether all was well."""
    dice = random.Random(seed)
    clip = make_clip(folder / "yard.mp4", fps=8, seconds=4.0, gop=8)
    well = True
    with ExitStack() as stack:
        hook = stack.enter_context(Webhook())
        judge = stack.enter_context(Judge(clip, ["gate", "yard", "dock", "hall"]))
        fleet = stack.enter_context(Fleet(folder, judge, policy, hook.url))
        fleet.settle(120)
        kinds = Faults(fleet, dice)
        for number in range(1, faults + 1):
            name = dice.choice(sorted(kinds.kinds))
            held_s, began = dice.uniform(*_HOLD_S), judge.now()
            kinds.kinds[name](lambda held_s=held_s: pause(held_s))
            mended = judge.now()
            fleet.settle(90)
            overlap_s = judge.overlap_s(mended) if policy == "watch" else judge.overlap_s(began)
            well &= overlap_s <= (_GIVES_WAY_S if policy == "watch" else 0.0)
            told = {
                "fault": number, "what": name, "held_s": round(held_s, 1), "gap_s": round(judge.gap_s(began), 1),
                "overlap_s": round(overlap_s, 1), "read_again_after_s": round(judge.now() - mended, 1),
            }  # fmt: skip
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()
        well &= not open_starts(hook)
    return well


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--policy", choices=("stop", "watch"), default="stop")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    forked.start()
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        sys.exit(not run(Path(folder), args.faults, args.policy, args.seed))


if __name__ == "__main__":
    main()
