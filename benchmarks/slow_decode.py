"""Age of the frames that are analysed when decoding gets half the CPU it needs: `python -m benchmarks.slow_decode`.

A real capture over loopback RTSP into a real ring, in a process that is stopped and continued so that it
gets half of the CPU that it uses when nobody holds it back (what a CPU quota does). Prints the largest age in
the first and the second half of the run: it must not grow. 3 minutes.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.streams import GOP, cameras, cpu_s, machine, write_camera_clip
from surveil.demo.scene import DrawnScene

FPS = 30.0
PERIOD_S = 0.1
SETTLE_S = 10.0
CHILD = """
import sys, threading
from prometheus_client import CollectorRegistry
from surveil import logs
from surveil.capture.loop import CaptureLoop
from surveil.capture.settings import StreamSettings
from surveil.clock import Stop, SystemClock
from surveil.metrics import Metrics
from surveil.ring import FrameRing
logs.configure("json", "warning")
clock, stop, ring = SystemClock(), Stop(), FrameRing()
ring.add("c", None, 5.0)
settings = StreamSettings(url=sys.argv[1])
capture = CaptureLoop("c", settings, ring.put, ring.lose, Metrics(CollectorRegistry()), clock, stop)
threading.Thread(target=capture.run, daemon=True).start()
while slot := ring.take(stop):
    if hasattr(slot.item, "picture"):
        frame = slot.item
        print(clock.monotonic(), clock.monotonic() - frame.arrived + frame.lag_s, flush=True)
    ring.give_back(slot)
"""


def hold_back(pid: int, quota: float, seconds: float) -> None:
    """Let a process use `quota` CPU seconds a second, period by period."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start, used = time.monotonic(), cpu_s(pid)
        os.kill(pid, signal.SIGCONT)
        while time.monotonic() - start < PERIOD_S:
            if cpu_s(pid) - used >= quota * PERIOD_S:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(max(0.0, start + PERIOD_S - time.monotonic()))
            else:
                time.sleep(0.002)
    os.kill(pid, signal.SIGCONT)


def main() -> None:
    """Print the row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    given = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        clip, log = Path(name) / "clip.mp4", Path(name) / "ages"
        write_camera_clip(clip, DrawnScene.still(size=(1280, 720), seconds=20.0))
        with cameras(clip, 1, fps=FPS) as urls, log.open("wb") as out:
            child = subprocess.Popen([sys.executable, "-c", CHILD, *urls], stdout=out)
            try:
                time.sleep(SETTLE_S)
                used, start = cpu_s(child.pid), time.monotonic()
                time.sleep(SETTLE_S)
                needed = (cpu_s(child.pid) - used) / (time.monotonic() - start)
                held_from = time.monotonic()
                hold_back(child.pid, needed / 2, given.seconds)
            finally:
                child.kill()
                child.wait(10)
        moments, ages = np.loadtxt(log, ndmin=2).T
    bound = 1.0 + GOP / FPS
    ages = ages[moments > held_from + SETTLE_S]
    first, second = np.array_split(ages, 2)
    print(
        f"needs {needed:.3f} CPU s/s, was given {needed / 2:.3f}; {len(ages)} frames analysed in {given.seconds:.0f} s"
    )
    word = "met" if second.max() <= bound else "missed"
    print(
        f"| age of analysed frames, decoding at half the speed | ≤ 1 s + one GOP = {bound:.1f} s | median "
        f"{np.median(ages):.2f} s, largest {first.max():.2f} then {second.max():.2f} s, {word} | "
        "`python -m benchmarks.slow_decode` |"
    )


if __name__ == "__main__":
    main()
