"""What the outbox costs beside the same work done bare: p99 of an alert with evidence.

    python benchmarks/outbox_latency.py --rounds 7 --alerts 150

Interleaved A B A B. A: `AlertWriter.write` of one alert with an annotated and a clean picture (1280 × 720).
B: encode both pictures, write and sync them, and commit one row to a bare SQLite (WAL, synchronous=FULL).
Prints the median over rounds of the ratio of the 99th percentiles, and its interval.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from alerts.helpers import alert, frame, make_writer

from surveil.alerts.drawing import Drawing, annotate
from surveil.alerts.evidence import Evidence, FrameContext
from surveil.alerts.outbox import Outbox
from surveil.alerts.payload import dump
from surveil.alerts.settings import EvidenceSettings
from surveil.alerts.writer import WriteJob
from surveil.clock import SystemClock

YARD = Drawing(zones={"yard": ((100.0, 100.0), (1100.0, 100.0), (1100.0, 700.0), (100.0, 700.0))})


def picture() -> object:
    """A frame with the detail of a real one: blurred noise."""
    made = frame(1280, 720)
    noise = np.random.default_rng(1).integers(0, 255, (720, 1280, 3), np.uint8)
    made.picture._pixels = cv2.GaussianBlur(noise, (0, 0), 3)
    return made


def ours(folder: Path, first: int, n: int, seen: object) -> list[float]:
    outbox = Outbox.open(folder / "outbox.db", ["a", "b"], SystemClock())
    writer = make_writer(outbox, folder, Evidence(folder, EvidenceSettings()))
    times = []
    for k in range(first, first + n):
        started = time.perf_counter()
        writer.write([WriteJob([alert(k)], FrameContext(frame=seen, drawing=YARD))])
        times.append(time.perf_counter() - started)
    outbox.close()
    return times


def bare(folder: Path, first: int, n: int, seen: object) -> list[float]:
    db = sqlite3.connect(folder / "bare.db", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE IF NOT EXISTS alerts (id TEXT PRIMARY KEY, body TEXT)")
    drawn = annotate(seen.picture.bgr(), alert(0), (), YARD)
    times = []
    for k in range(first, first + n):
        one = alert(k)
        started = time.perf_counter()
        for name, pixels in (("clean", seen.picture.bgr()), ("drawn", drawn)):
            _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 85])
            with (folder / f"{k}-{name}.jpg").open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        db.execute("INSERT INTO alerts VALUES (?, ?)", (one.id, dump(one)))
        times.append(time.perf_counter() - started)
    db.close()
    return times


def p99(times: list[float]) -> float:
    return float(np.percentile(times, 99))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--alerts", type=int, default=150)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to be measured")
    options = parser.parse_args()
    seen = picture()
    ratios, medians = [], []
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        for r in range(options.rounds):
            a = ours(Path(name), r * options.alerts, options.alerts, seen)
            b = bare(Path(name), r * options.alerts, options.alerts, seen)
            ratios.append(p99(a) / p99(b))
            medians.append(statistics.median(a) / statistics.median(b))
            print(f"round {r + 1}: p99 {p99(a) * 1e3:.1f} / {p99(b) * 1e3:.1f} ms = {ratios[-1]:.2f}")
    print(
        f"p99 ratio: median {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), bar 1.5"
    )
    print(f"median ratio: {statistics.median(medians):.2f}")


if __name__ == "__main__":
    main()
