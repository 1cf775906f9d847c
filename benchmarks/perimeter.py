"""Who is found by the rule `perimeter`, and what the weather costs: `python -m benchmarks.perimeter`.

Drawn approaches (walk, run, crawl, roll, behind a log, behind a sheet of cardboard, and at night or in rain), people
cut out of real footage (SURVEIL_FOOTAGE) and pasted into its empty scene, upright and lying, and hours of nothing but
drawn weather go through the motion gate, the analyser and the rule, each with its defaults, at 5 pictures a second.
No model looks: it could only leave something out. Printed: the share found of each approach with its interval, the
median way until the alert; the alerts of each kind of weather, and how many a day that leaves possible (with none in
T: 3 / T at 95 %). `--seed` draws everything again; the thresholds were chosen with seeds up to 1000.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import Pool

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.perimeter_pasted import SPEEDS, pasted
from benchmarks.perimeter_scenes import APPROACHES, FPS, SIZE, WEATHER, approach, weather
from surveil.engine import CameraEngine
from surveil.features.perimeter.analyser import MoverAnalyser
from surveil.features.perimeter.rule import Perimeter, PerimeterSettings
from surveil.offline.rules.figures import wilson
from surveil.rules.base import Places
from surveil.track.settings import TrackSettings
from surveil.track.tracker import Tracker
from surveil.types import Findings, Frame, Observation
from surveil.view import FrameView
from surveil.vision.motion import MotionGate, plane_size
from surveil.vision.settings import MotionSettings

MIN_OBJECT_PX = 40.0
ZONE = {"yard": ((0.02, 0.05), (0.98, 0.05), (0.98, 1.0), (0.02, 1.0))}


@dataclass(frozen=True)
class Drawn:
    """A picture that is only asked for its brightness."""

    pixels: NDArray[np.uint8]
    width: int = SIZE[0]
    height: int = SIZE[1]

    def luma(self, width: int, height: int) -> NDArray[np.uint8]:
        return np.asarray(cv2.resize(self.pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)

    def rgb(self, box: tuple[int, int, int, int], width: int, height: int) -> NDArray[np.uint8]:
        raise NotImplementedError

    def bgr(self) -> NDArray[np.uint8]:
        raise NotImplementedError


def alerts(pictures: Iterator[NDArray[np.uint8]]) -> Iterator[tuple[float, float]]:
    """Yield the time (s) of every alert, and the way that it names."""
    rule = Perimeter(PerimeterSettings(zone="yard"), Places(ZONE, {}))
    engine = CameraEngine("gate", [rule], Tracker(TrackSettings()))
    gate = MotionGate(MotionSettings(), idle_interval_s=10.0)
    analyser = MoverAnalyser(MIN_OBJECT_PX)
    for i, pixels in enumerate(pictures):
        t = i / FPS
        frame = Frame(camera="gate", seq=i, t=t, t_wall=t, picture=Drawn(pixels))
        view = FrameView(frame, ())
        view.motion = gate.update(view.luma(*plane_size(*SIZE, MIN_OBJECT_PX)), t, SIZE)
        found = analyser.observe(view)
        findings = Findings([found] if found else [])
        step = engine.step(Observation(frame, *SIZE, motion=view.motion, findings=findings))
        for alert in step.alerts:
            if alert.phase == "start":
                yield t, float(str(alert.details["way"]))


def found(case: tuple[str, int]) -> float | None:
    """Return the way until the first alert of an approach; None: it was not found."""
    kind, seed = case
    first = next(alerts(pasted(kind, seed) if kind in SPEEDS else approach(kind, seed)), None)
    return None if first is None else first[1]


def false(case: tuple[str, int, float]) -> list[float]:
    """Return the times of the alerts in some weather."""
    return [t for t, _ in alerts(weather(*case))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=2000)
    parser.add_argument("--people", type=int, default=100, help="of each approach")
    parser.add_argument("--minutes", type=float, default=15.0, help="of each kind of weather")
    parser.add_argument("--only", default="", help="kinds, separated by commas")
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    only = set(filter(None, given.only.split(",")))
    started = time.process_time()
    drawn = [f"{kind}{when}" for when in ("", " at night", " in rain") for kind in APPROACHES]
    everything = [*drawn, *SPEEDS] if given.people else []
    kinds = [kind for kind in everything if not only or kind in only]
    with Pool(given.jobs, cv2.setNumThreads, (1,)) as pool:
        for kind in kinds:
            ways = pool.map(found, [(kind, given.seed + n) for n in range(given.people)], chunksize=1)
            hits = [way for way in ways if way is not None]
            missed = [given.seed + n for n, way in enumerate(ways) if way is None]
            share = wilson(len(hits), len(ways))
            told = f"after {statistics.median(hits):.1f} lengths" if hits else ""
            print(
                f"{kind:16} {share.value:.3f} ({share.low:.3f} to {share.high:.3f}) {told} missed {missed[:12]}",
                flush=True,
            )
        names = [kind for kind in WEATHER if given.minutes and (not only or kind in only)]
        total, hours = 0, 0.0
        cases = [(kind, given.seed, 60 * given.minutes) for kind in names]
        for kind, times in zip(names, pool.imap(false, cases), strict=True):
            total, hours = total + len(times), hours + given.minutes / 60
            print(
                f"{kind:22} {len(times)} alerts in {given.minutes:g} min {[round(t, 1) for t in times[:10]]}",
                flush=True,
            )
    if hours and not total:
        print(f"no alert in {hours:.2f} h of weather: at most {3 / hours * 24:.0f} a day (upper 95 % bound)")
    elif hours:
        print(f"{total} alerts in {hours:.2f} h of weather")
    print(f"{time.process_time() - started:.0f} s of CPU in this process")


if __name__ == "__main__":
    main()
