"""A burst of 1,000 alerts, and a sink that is dead for a day (manual clock).

    python benchmarks/outbox_burst.py

Prints how long the burst takes to be on the disk, in groups of 64 and one by one, and how many attempts a dead sink
costs in 24 hours with 10,000 alerts waiting.
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from alerts.helpers import alert
from alerts.test_courier import Sink

from surveil.alerts.courier import Courier
from surveil.alerts.outbox import Outbox
from surveil.alerts.settings import OutboxSettings
from surveil.clock import ManualClock, SystemClock
from surveil.errors import RetryLater

DAY_S = 86_400.0


def burst(folder: Path, group: int) -> float:
    """Return the seconds until 1,000 alerts for two sinks are on the disk."""
    outbox = Outbox.open(folder / f"burst-{group}.db", ["a", "b"], SystemClock())
    alerts = [alert(n) for n in range(1000)]
    started = time.perf_counter()
    for k in range(0, 1000, group):
        outbox.commit(alerts[k : k + group])
    took = time.perf_counter() - started
    outbox.close()
    return took


def dead_day(folder: Path) -> tuple[int, bool]:
    """Return the failed attempts of a day, and whether all arrived in order afterwards."""
    clock = ManualClock()
    back = clock.monotonic() + DAY_S

    def behave(_delivery: object) -> None:
        if clock.monotonic() < back:
            raise RetryLater("connection refused")

    sink = Sink(behave)
    outbox = Outbox.open(folder / "day.db", ["ops"], clock)
    courier = Courier("ops", sink, outbox, clock, OutboxSettings(), rng=random.Random(1))
    outbox.commit([alert(n) for n in range(10_000)])
    while outbox.counts()["ops"]["pending"] if courier.waits_s() == 0 else True:
        while courier.run_once():
            pass
        clock.advance(courier.waits_s())
    outbox.close()
    return len(sink.tried) - len(sink.took), sink.took == [f"{n} start" for n in range(10_000)]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for group in (64, 1):
            print(f"1,000 alerts for 2 sinks on the disk, groups of {group}: {burst(folder, group):.2f} s")
        attempts, ordered = dead_day(folder)
    print(
        f"sink dead for 24 h, 10,000 alerts: {attempts} failed attempts, all in order afterwards: {ordered}"
    )
    print(f"largest resident memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
