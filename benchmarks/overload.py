"""What happens when more comes than the model can carry, and how late alerts are when it does not.

    python -m benchmarks.overload [throughput fairness latency]

Pictures that are already drawn go through the real stages on their real threads; only capturing is left out.
`throughput`: 8 cameras at twice the load; pictures/s through detect beside bare `session.run`, in turns, and the
median age of a frame when its inference starts beside one round over the cameras. `fairness`: 8 quiet cameras
alone, then beside 8 busy ones at 2.75 times the load. `latency`: from a frame's arrival to its alert on the
disk, at half the load. Some 4 minutes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from benchmarks.streams import configure, machine, row
from surveil.alerts.outbox import Outbox
from surveil.app.assembly import make_pipeline
from surveil.app.evidence_store import EvidenceStore
from surveil.capture.picture import ArrayPicture
from surveil.cli.common import open_detector
from surveil.clock import Stop, SystemClock
from surveil.config import Config, load
from surveil.demo.scene import DrawnScene
from surveil.detect.detector import Detector
from surveil.features.base import Shared
from surveil.metrics import Metrics
from surveil.pipeline.work import CameraSlot
from surveil.threads import ThreadGroup
from surveil.types import Alert, Frame

CAMERAS, OVERLOAD, UNFAIR = 8, 2.0, 2.75
SIZE = (640, 360)
SOURCE_FPS = 15.0
SETTLE_S = 4.0
"""The gate of a quiet camera looks at every frame for 2 s at first; the busy ones come after that."""
Pictures = Sequence[ArrayPicture]


class World:
    """The stages of the daemon without captures."""

    def __init__(self, config: Config, detector: Detector) -> None:
        self.clock, self.stop = SystemClock(), Stop()
        self.metrics = Metrics(CollectorRegistry())
        self.config = config
        self.ages: list[float] = []
        """Of each frame when its inference started, s."""
        self.latencies: list[float] = []
        """From the arrival of a frame to its alert's commit, s."""
        self._arrived: dict[tuple[str, float], float] = {}
        self._outbox = Outbox.open(config.state_dir / "surveil.db", [], self.clock, config.outbox)
        archive = EvidenceStore(config.state_dir, self._outbox, config.storm, self.metrics, self.clock)
        for camera in config.cameras.values():
            archive.keep(camera)
        self.stages = make_pipeline(
            config, detector, archive.writer, Shared(self.metrics, self.clock), on_alerts=self._note_alerts
        )
        self._detect = self.stages.detect.process
        self.stages.detect.process = self._note_ages  # type: ignore[method-assign]
        self._group = ThreadGroup(self.stop)

    def _note_ages(self, slots: Sequence[CameraSlot]) -> None:
        now = self.clock.monotonic()
        self.ages += [now - slot.frame.arrived for slot in slots]
        self._detect(slots)

    def _note_alerts(self, alerts: Sequence[Alert]) -> None:
        now = self.clock.monotonic()
        for alert in alerts:
            if alert.phase == "start":
                self.latencies.append(now - self._arrived[alert.camera, alert.t])

    @contextmanager
    def running(
        self, feeds: Mapping[str, Callable[[float], ArrayPicture]], later: frozenset[str] = frozenset()
    ) -> Iterator[None]:
        """Run the stages and feed every camera at `SOURCE_FPS`, those in `later` after `SETTLE_S` only."""
        ring, stages = self.stages.ring, self.stages
        nobody = lambda: None  # noqa: E731
        runs = [
            partial(stages.commit.run, nobody, Stop()),
            partial(stages.analyse.run, nobody),
            *[partial(stages.detect.run, nobody)] * stages.detect.workers,
            *[partial(stages.prepare.run, Stop(), nobody)] * (os.cpu_count() or 1),
            partial(self._feed, feeds, later),
        ]
        threads = [self._group.start(f"stage-{k}", run) for k, run in enumerate(runs)]
        try:
            yield
        finally:
            self.stop.set()
            threads[-1].join()
            ring.close()
            for inbox in (None, stages.detect.inbox, stages.analyse.inbox, stages.commit.inbox):
                if inbox is not None:
                    while len(inbox):
                        time.sleep(0.05)
                    inbox.close()
                time.sleep(0.3)
            self._group.join_all(10.0, self.clock)
            self._outbox.close()

    def _feed(self, feeds: Mapping[str, Callable[[float], ArrayPicture]], later: frozenset[str]) -> None:
        start, tick = self.clock.monotonic(), 0
        while not self.clock.sleep(start + tick / SOURCE_FPS - self.clock.monotonic(), self.stop):
            t = tick / SOURCE_FPS
            for camera, draw in feeds.items():
                if camera in later and t < SETTLE_S:
                    continue
                now = self.clock.monotonic()
                self._arrived[camera, t] = now
                self.stages.ring.put(
                    Frame(
                        camera=camera, seq=tick, t=t, t_wall=self.clock.wall(), picture=draw(t), arrived=now
                    )
                )
            tick += 1

    def processed(self) -> dict[str, int]:
        """Frames analysed by camera."""
        return {name: books.processed for name, books in self.stages.ring.books().items()}


def configured(folder: Path, busy: Mapping[str, float], quiet: Mapping[str, float]) -> Config:
    """Cameras by name with their rate of analysis; the busy ones are looked at every time."""
    zone = {"zones": {"all": [[0, 0], [1, 0], [1, 1], [0, 1]]}}
    rule = {"type": "intrusion", "zone": "all", "after_s": 0.0, "linger_s": 0.5, "cooldown_s": 0.0}

    def camera(fps: float, *, gate: bool) -> dict[str, object]:
        detect = {"fps": round(fps, 3), "min_object_px": 60}
        return {
            "url": "rtsp://127.0.0.1/",
            **zone,
            "rules": [rule],
            "detect": detect,
            "motion": {"enabled": gate},
        }

    whole = {name: camera(fps, gate=False) for name, fps in busy.items()}
    whole |= {name: camera(fps, gate=True) for name, fps in quiet.items()}
    return load(configure(folder, [], cameras=whole, storm={"max_per_hour": 0}))


def yard(*, people: bool) -> Pictures:
    """Some seconds of a drawn yard."""
    scene = DrawnScene.passing(size=SIZE, people=1) if people else DrawnScene.still(size=SIZE, seconds=3.0)
    return [ArrayPicture(scene.frame(i)) for i in range(scene.frames)]


def loop(pictures: Pictures, shift: int) -> Callable[[float], ArrayPicture]:
    """Play pictures round and round, `shift` pictures on."""
    return lambda t: pictures[(round(t * SOURCE_FPS) + shift) % len(pictures)]


def bare_rate(detector: Detector, seconds: float) -> float:
    """Pictures a second of bare `session.run`, at the best of some batch sizes."""
    best = 0.0
    for size in (1, 2, 4):
        batch = np.zeros((size, *detector.input.shape), detector.input.dtype)
        runs, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds / 3:
            detector.run_bare(batch)
            runs += 1
        best = max(best, runs * size / (time.perf_counter() - start))
    return best


def detected(world: World, seconds: float) -> float:
    """Pictures a second through detect, over some seconds."""
    before, start = len(world.ages), time.perf_counter()
    time.sleep(seconds)
    return (len(world.ages) - before) / (time.perf_counter() - start)


def throughput(detector: Detector, pairs: int) -> None:
    """Twice the load, in turns with the bare session."""
    pictures, ratios, ages = yard(people=True), [], []
    for _ in range(pairs):
        bare = bare_rate(detector, 4.0)
        rates = {f"c{i}": OVERLOAD * bare / CAMERAS for i in range(CAMERAS)}
        with tempfile.TemporaryDirectory() as folder:
            world = World(configured(Path(folder), rates, {}), detector)
            with world.running({name: loop(pictures, 7 * i) for i, name in enumerate(rates)}):
                time.sleep(2.0)
                world.ages.clear()
                rate = detected(world, 5.0)
                ages.append(float(np.median(world.ages)) / (CAMERAS / rate))
        ratios.append(rate / bare)
    command = "python -m benchmarks.overload throughput"
    print(
        row(
            "pictures/s through the detect stage under overload beside bare `session.run`",
            "≥ 0.95",
            ratios,
            command,
            at_least=True,
        )
    )
    load = "8 cameras at twice the load, in units of the time for one frame of each camera"
    print(row(f"median age of a frame at inference, {load}", "≤ 1.5", ages, command))


def fairness(detector: Detector, pairs: int) -> None:
    """The quiet cameras' rate of analysis beside busy ones, by their rate alone."""
    moving, still, ratios = yard(people=True), yard(people=False), []
    bare = bare_rate(detector, 4.0)
    quiet = {f"q{i}": 5.0 for i in range(CAMERAS)}
    busy = {f"b{i}": UNFAIR * bare / CAMERAS for i in range(CAMERAS)}
    for _ in range(pairs):
        rates = []
        for crowd in ({}, busy):
            with tempfile.TemporaryDirectory() as folder:
                world = World(configured(Path(folder), crowd, quiet), detector)
                feeds = {name: loop(still, i) for i, name in enumerate(quiet)}
                feeds |= {name: loop(moving, 7 * i) for i, name in enumerate(crowd)}
                with world.running(feeds, frozenset(crowd)):
                    time.sleep(SETTLE_S + 1.0)
                    before, start = world.processed(), time.perf_counter()
                    time.sleep(10.0)
                    after, passed = world.processed(), time.perf_counter() - start
                rates.append(sum(after[q] - before[q] for q in quiet) / passed / len(quiet))
        ratios.append(rates[1] / rates[0])
    command = "python -m benchmarks.overload fairness"
    print(
        row(
            "analysed frames/s of quiet cameras beside 8 busy ones at 2.75 × the load, divided by those alone",
            "≥ 0.97",
            ratios,
            command,
            at_least=True,
        )
    )


def latency(detector: Detector, pairs: int) -> None:
    """Alerts at half the load: p99 from a frame's arrival to its alert on the disk."""
    walking, empty = yard(people=True), yard(people=False)
    middle = len(walking) // 2
    second = round(SOURCE_FPS)
    visit = [*walking[middle - second : middle + second], *empty[: 2 * second]]
    ratios, seen = [], 0
    for _ in range(pairs):
        inference_s = 1 / bare_rate(detector, 3.0)
        count = max(1, round(0.5 / inference_s / 5.0))
        rates = {f"c{i}": 5.0 for i in range(count)}
        with tempfile.TemporaryDirectory() as folder:
            world = World(configured(Path(folder), rates, {}), detector)
            with world.running({name: loop(visit, 11 * i) for i, name in enumerate(rates)}):
                time.sleep(20.0)
        seen += len(world.latencies)
        ratios.append(float(np.percentile(world.latencies, 99)) / (1 / 5.0 + inference_s))
    print(f"{seen} alerts")
    command = "python -m benchmarks.overload latency"
    print(
        row(
            "p99 from capture to committed alert at half the load, in units of detect interval + inference",
            "≤ 2",
            ratios,
            command,
        )
    )


PARTS = {"throughput": throughput, "fairness": fairness, "latency": latency}


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS), choices=PARTS)
    parser.add_argument("--pairs", type=int, default=7)
    given = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        detector = open_detector(load(configure(Path(folder), ["rtsp://127.0.0.1/"])))
    for part in given.parts:
        PARTS[part](detector, given.pairs)


if __name__ == "__main__":
    main()
