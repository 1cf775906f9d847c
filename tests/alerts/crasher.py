"""A process that commits alerts and delivers them until it is killed: the victim of the kill -9 tests.

Prints the id of each alert after its commit has returned. Arguments: state directory, which holds the settings of
the sinks in `sinks.json`, and the number of the first alert.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
from pathlib import Path

from surveil.alerts.courier import Courier
from surveil.alerts.delivery import Context
from surveil.alerts.evidence import Evidence, FrameContext
from surveil.alerts.outbox import Outbox
from surveil.alerts.rows import Entry
from surveil.alerts.settings import EvidenceSettings, OutboxSettings
from surveil.alerts.sinks import SINKS, make_sink
from surveil.alerts.sinks.base import SinkSettings
from surveil.alerts.writer import WriteJob
from surveil.clock import Stop, SystemClock

from .helpers import alert, frame, make_writer


def sinks(path: Path) -> dict[str, SinkSettings]:
    """Read the sinks' settings from a JSON file."""
    made = json.loads(path.read_text())
    return {name: SINKS[settings["type"]].settings(**settings) for name, settings in made.items()}


def start_couriers(
    outbox: Outbox, state_dir: Path, kinds: dict[str, SinkSettings], stop: Stop
) -> list[Courier]:
    clock = SystemClock()
    couriers = []
    for name, settings in kinds.items():
        sink = make_sink(settings, Context(name=name, state_dir=state_dir, stop=stop))
        couriers.append(Courier(name, sink, outbox, clock, OutboxSettings(backoff_max_s=1)))
        threading.Thread(target=couriers[-1].run, args=(stop,), daemon=True).start()
    return couriers


def main(state_dir: Path, first: int) -> None:
    kinds = sinks(state_dir / "sinks.json")
    outbox = Outbox.open(state_dir / "outbox.db", list(kinds), SystemClock())
    couriers = start_couriers(outbox, state_dir, kinds, Stop())

    def wake() -> None:
        for courier in couriers:
            courier.wake()

    writer = make_writer(outbox, state_dir, Evidence(state_dir, EvidenceSettings(clean=False)), wake=wake)
    ended = outbox.end_open_events(0.0)
    picture = frame(160, 90)
    for n in itertools.count(first):
        for phase in ("start", "end"):
            counts = {Entry("gate", "intrusion", "opened"): 1} if phase == "start" else {}
            new = writer.write([WriteJob([alert(n, phase)], FrameContext(frame=picture), counts)])
            # Nothing is said before the first commit of this life, so that a kill comes after one.
            for committed in (*ended, *new):
                print(committed.id, flush=True)
            ended = []


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
