"""A burst of 1,000 alerts, and a sink that is dead for a day (manual clock).

    python benchmarks/outbox_burst.py

Prints how long the burst takes to be on the disk, in groups of 64 and one by one; how long the analysis of a camera
without alerts ever waits while another one has 1,000 with pictures within a second, beside the same without them; and
how many attempts a dead sink costs in 24 hours with 10,000 alerts waiting.
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from alerts.helpers import alert, frame, make_writer
from alerts.test_courier import Sink

from surveil.alerts.courier import Courier
from surveil.alerts.evidence import Evidence
from surveil.alerts.outbox import Outbox
from surveil.alerts.settings import EvidenceSettings, OutboxSettings
from surveil.clock import ManualClock, Stop, SystemClock
from surveil.engine import Step
from surveil.errors import RetryLater
from surveil.events import Outcomes
from surveil.lane import Slot
from surveil.metrics import Metrics
from surveil.pipeline.commit import CommitRequest, CommitStage, PictureOverlay
from surveil.pipeline.work import Work

DAY_S = 86_400.0


def burst(folder: Path, group: int) -> float:
    """Return the seconds until 1,000 alerts for two sinks are on the disk."""
    outbox = Outbox.open(folder / f"burst-{group}.db", ["a", "b"], SystemClock())
    alerts = [alert(n) for n in range(1000)]
    started = time.perf_counter()
    for k in range(0, 1000, group):
        outbox.committer.commit(alerts[k : k + group])
    took = time.perf_counter() - started
    outbox.close()
    return took


def others(folder: Path, alerts: int) -> tuple[float, float, int]:
    """Return the longest and the 99th percentile of the other camera's waits, ms, and how many alerts were lost.

    The analysis hands 1,000 frames of each camera to a running commit stage in one second; the alerts of the one have
    pictures of 640 x 360.
    """
    clock, registry = SystemClock(), CollectorRegistry()
    outbox = Outbox.open(folder / f"others-{alerts}.db", ["a", "b"], clock)
    writer = make_writer(outbox, folder, Evidence(folder, EvidenceSettings()))
    stage = CommitStage(writer, lambda _slot: None, Metrics(registry), clock)
    thread = threading.Thread(target=stage.run, args=(lambda: None, Stop()))
    thread.start()
    places, seen, waits = PictureOverlay(zones={}, lines={}, sinks=()), frame(640, 360), []
    quiet = CommitRequest(
        camera="door", step=Step(outcomes=Outcomes({("intrusion", "joined", ""): 1}), raised={"intrusion": 1})
    )
    began = clock.monotonic()
    for n in range(1000):
        work = Work(camera="gate", gate=None, planner=None)
        if n < alerts:
            stage.offer(
                CommitRequest(
                    camera="gate",
                    step=Step(alerts=(alert(n),)),
                    slot=Slot("gate", work, seen),
                    places=places,
                )
            )
        started = clock.monotonic()
        stage.offer(quiet)
        waits.append((clock.monotonic() - started) * 1e3)
        clock.sleep(max(0.0, began + n / 1000 - clock.monotonic()), Stop())
    stage.inbox.close()
    thread.join()
    lost = alerts - sum(outbox.queue.counts()["a"].values())
    outbox.close()
    return max(waits), float(np.percentile(waits, 99)), lost


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
    outbox.committer.commit([alert(n) for n in range(10_000)])
    while outbox.queue.counts()["ops"]["pending"] if courier.waits_s() == 0 else True:
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
        for n in (0, 1000):
            longest, p99, lost = others(folder, n)
            print(
                f"{n} alerts in a second: another camera waits {longest:.2f} ms at most, p99 {p99:.3f}; {lost} lost"
            )
        attempts, ordered = dead_day(folder)
    print(
        f"sink dead for 24 h, 10,000 alerts: {attempts} failed attempts, all in order afterwards: {ordered}"
    )
    print(f"largest resident memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
