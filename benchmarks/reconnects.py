"""Memory of captures: what a further 1080p camera costs, and whether 200 forced reconnects leave anything.

    python -m benchmarks.reconnects [--reconnects 200] [--cameras 4]

Prints resident memory in MB per camera count, then its slope in KB per reconnect over the second half of
the run (the first warms allocators up). The cameras are served by a process of their own.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from surveil import logs
from surveil.capture.loop import CaptureLoop
from surveil.capture.settings import StreamSettings
from surveil.clock import Stop, SystemClock
from surveil.lane import Lost
from surveil.metrics import Metrics
from surveil.ring import FrameRing
from surveil.types import Frame
from tests.rig.clips import make_clip
from tests.rig.rtsp_camera import Camera

CLOCK = SystemClock()


def resident_mb() -> float:
    """Resident memory of this process, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


class Captures:
    """Captures of one camera each, into a ring that keeps a picture per camera, as in the daemon."""

    def __init__(self) -> None:
        self.stop = Stop()
        self.metrics = Metrics(CollectorRegistry())
        self.ring: FrameRing[None] = FrameRing()
        self.frames = threading.Semaphore(0)
        self.threads: list[threading.Thread] = []

    def add(self, url: str) -> None:
        name = f"cam{len(self.threads)}"
        self.metrics.add_camera(name, ())
        self.ring.add(name, None, 5.0)
        settings = StreamSettings(url=url, read_timeout_s=1.0)
        loop = CaptureLoop(name, settings, self.put, self.lose, self.metrics, CLOCK, self.stop)
        loop._backoff.delay_s = lambda _: 0.0  # type: ignore[method-assign]
        self.threads.append(threading.Thread(target=loop.run, name=name))
        self.threads[-1].start()

    def put(self, frame: Frame) -> None:
        self.ring.put(frame)
        self.frames.release()

    def lose(self, _: Lost) -> None:
        while self.frames.acquire(blocking=False):
            pass

    def wait(self, frames: int) -> None:
        for _ in range(frames):
            assert self.frames.acquire(timeout=20)

    def close(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()


def per_camera(url: str, cameras: int) -> None:
    captures = Captures()
    base = last = resident_mb()
    print(f"no camera: {base:.1f} MB")
    for count in range(1, cameras + 1):
        captures.add(url)
        captures.wait(40 * count)
        now = resident_mb()
        print(f"{count} cameras: {now:.1f} MB (+{now - last:.1f})")
        last = now
    captures.close()


def reconnects(camera: Camera, count: int) -> None:
    captures = Captures()
    captures.add(camera.url)
    seen = []
    for number in range(count):
        captures.wait(3)
        camera("kick" if number % 2 else "reset")
        captures.frames.acquire(timeout=20)
        seen.append(resident_mb())
    captures.close()
    half = np.array(seen[count // 2 :])
    slope = np.polyfit(np.arange(len(half)), half, 1)[0] * 1000
    print(
        f"{count} reconnects: {seen[0]:.1f} MB at first, {seen[count // 2]:.1f} half way, {seen[-1]:.1f} at the end"
    )
    print(f"slope over the second half: {slope:+.2f} KB per reconnect")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--reconnects", type=int, default=200)
    options.add_argument("--cameras", type=int, default=4)
    given = options.parse_args()
    logs.configure("json", "error")
    with tempfile.TemporaryDirectory() as folder:
        clip = make_clip(Path(folder) / "hd.mp4", size=(1920, 1080), seconds=2.0, gop=5)
        with Camera(clip) as camera:
            per_camera(camera.url, given.cameras)
            reconnects(camera, given.reconnects)


if __name__ == "__main__":
    main()
