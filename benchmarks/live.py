"""What the live view costs: CPU of viewers, dropped frames, the API beside a page, memory.

    python -m benchmarks.live viewer  [--pairs 7] [--window 10] [--size 1080p]
    python -m benchmarks.live viewers [--pairs 7] [--window 10] [--size 720p]
    python -m benchmarks.live api     [--pairs 7] [--calls 200] [--size 720p] [--tiles 9]
    python -m benchmarks.live memory  [--pairs 5] [--window 10] [--size 720p]

`viewer`: one viewer of one camera; what serving costs with the viewer less what it costs without, beside a bare
decoder of the stream. `viewers`: 16 viewers of 4 cameras each; the CPU of the threads that analyse with the viewers
beside without, and frames dropped because a newer one came. `api`: the 99th percentile of `/api/v1/cameras` beside a
page of `--tiles` cameras (9), and without it. `memory`: resident memory with the console on and nobody looking, less
without it. With and without take turns in one daemon, `memory` in two at a time. A row takes some 5 minutes.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import numpy as np

from benchmarks.cpu import scene
from benchmarks.streams import BARE, SIZES, Program, cameras, configure, machine, row, write_camera_clip

SETTLE_FRAMES = 30
ANALYSES = ("capture-", "prepare-", "detect-", "analyse", "commit")
"""Threads by the beginning of their names; the others serve, and keep house."""
OVERWRITTEN = re.compile(r'^surveil_frames_dropped_total\{.*reason="overwritten".*\} (\S+)$', re.MULTILINE)
VIEWERS = """
import asyncio, sys
host, port, target = sys.argv[1], int(sys.argv[2]), sys.argv[3]
async def look():
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET {target} HTTP/1.1\\r\\nHost: {host}\\r\\n\\r\\n".encode())
    first = await reader.read(65536)
    assert b" 200 " in first, first
    print("sees", flush=True)
    while await reader.read(1 << 20):
        pass
async def main():
    await asyncio.gather(*(look() for _ in range(int(sys.argv[4]))))
asyncio.run(main())
"""
"""So many viewers in one process, which read what they are sent and do nothing with it."""


class ConsoleDaemon(Program):
    """`surveil run`, with what a browser needs of it."""

    def __init__(self, config: Path) -> None:
        self._file = config.with_suffix(".log")
        super().__init__([sys.executable, "-m", "surveil", "run", "-c", str(config)], self._file)

    @property
    def address(self) -> tuple[str, int]:
        """Of the pages, once it runs."""
        found = re.search(r"http://(127\.0\.0\.1):(\d+)", self._file.read_text())
        assert found is not None
        return found[1], int(found[2])

    def get(self, target: str) -> bytes:
        """Return a page."""
        connection = HTTPConnection(*self.address, timeout=30)
        try:
            connection.request("GET", target)
            return connection.getresponse().read()
        finally:
            connection.close()

    def overwritten(self) -> float:
        """Frames that were due and dropped."""
        return sum(map(float, OVERWRITTEN.findall(self.get("/metrics").decode())))

    def cpu_by_work(self) -> tuple[float, float]:
        """CPU seconds of the threads that analyse, and of the others."""
        analysing = serving = 0.0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            try:
                name = (task / "comm").read_text().strip()
                spent = int((task / "schedstat").read_text().split()[0]) / 1e9
            except OSError:  # has ended meanwhile
                continue
            if name.startswith(ANALYSES):
                analysing += spent
            else:
                serving += spent
        return analysing, serving

    def rates(self, window_s: float) -> tuple[float, float]:
        """CPU seconds a second of both within a window."""
        before, start = self.cpu_by_work(), time.monotonic()
        time.sleep(window_s)
        after, passed = self.cpu_by_work(), time.monotonic() - start
        return (after[0] - before[0]) / passed, (after[1] - before[1]) / passed


@contextmanager
def looking(daemon: ConsoleDaemon, count: int, query: str = "") -> Iterator[None]:
    """Have so many viewers look."""
    host, port = daemon.address
    argv = [sys.executable, "-c", VIEWERS, host, str(port), f"/api/v1/live{query}", str(count)]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        for _ in range(count):
            assert child.stdout.readline() == "sees\n", "a viewer was refused"
        yield
    finally:
        child.terminate()
        child.wait(10)
        child.stdout.close()


def clip_of(folder: Path, size: str) -> Path:
    """Draw and encode a still scene: what analysis costs does not change from window to window."""
    path = folder / "clip.mp4"
    write_camera_clip(path, scene(SIZES[size], busy=False))
    return path


@contextmanager
def running(folder: Path, urls: Sequence[str], *, console: bool = True) -> Iterator[ConsoleDaemon]:
    """Run a daemon on cameras, steady."""
    config = configure(folder, urls, http={"listen": "127.0.0.1:0", "console": console})
    with ConsoleDaemon(config) as daemon:
        daemon.wait_until_steady(SETTLE_FRAMES * len(urls))
        yield daemon


def viewer(options: argparse.Namespace, folder: Path) -> None:
    """One viewer beside decoding once."""
    ratios = []
    with cameras(clip_of(folder, options.size), 1) as urls, running(folder, urls) as daemon:
        for _ in range(options.pairs):
            without = daemon.rates(options.window)[1]
            with looking(daemon, 1):
                serving = daemon.rates(options.window)[1]
            decoding = bare(urls, folder, options.window)
            ratios.append((serving - without) / decoding)
            tell(f"serving {without:.4f} -> {serving:.4f}, decoding {decoding:.4f}: {ratios[-1]:.3f}")
    tell(row(f"CPU of one viewer / decoding, {options.size}", "≤ .10", ratios, command("viewer")))


def bare(urls: Sequence[str], folder: Path, window_s: float) -> float:
    """CPU seconds a second of a bare decoder."""
    with Program([sys.executable, "-c", BARE, *urls], folder / "bare.log") as program:
        time.sleep(4.0)
        before, start = program.cpu_s(), time.monotonic()
        time.sleep(window_s)
        return (program.cpu_s() - before) / (time.monotonic() - start)


def viewers(options: argparse.Namespace, folder: Path) -> None:
    """The analysis of 4 cameras beside 16 viewers."""
    ratios, dropped = [], [0.0, 0.0]
    with cameras(clip_of(folder, options.size), 4) as urls, running(folder, urls) as daemon:
        for _ in range(options.pairs):
            before = daemon.overwritten()
            without, alone = daemon.rates(options.window)
            between = daemon.overwritten()
            with looking(daemon, 16):
                analysing, serving = daemon.rates(options.window)
                after = daemon.overwritten()
            dropped = [dropped[0] + between - before, dropped[1] + after - between]
            ratios.append(analysing / without)
            tell(f"analysing {without:.4f} -> {analysing:.4f}, serving {alone:.4f} -> {serving:.4f}")
    tell(row("CPU of the analysis, 4 cameras, 16 viewers / none", "≤ 1.05", ratios, command("viewers")))
    tell(f"frames dropped for a newer one: {dropped[0]:.0f} without viewers, {dropped[1]:.0f} with them")


def api(options: argparse.Namespace, folder: Path) -> None:
    """An API call beside a page of so many cameras."""
    ratios = []
    with cameras(clip_of(folder, options.size), options.tiles) as urls, running(folder, urls) as daemon:
        for _ in range(options.pairs):
            without = slowest(daemon, options.calls)
            with looking(daemon, 1):
                beside = slowest(daemon, options.calls)
            ratios.append(beside / without)
            tell(f"p99 {without * 1000:.1f} ms -> {beside * 1000:.1f} ms")
    tell(
        row(
            f"p99 of an API call beside {options.tiles} live tiles / none",
            "≤ 3",
            ratios,
            command(f"api --tiles {options.tiles}"),
        )
    )


def slowest(daemon: ConsoleDaemon, calls: int) -> float:
    """The 99th percentile of a call, s; some time between calls, as between the clicks of a person."""
    took = []
    for _ in range(calls):
        start = time.monotonic()
        daemon.get("/api/v1/cameras")
        took.append(time.monotonic() - start)
        time.sleep(0.02)
    return float(np.percentile(took, 99))


def memory(options: argparse.Namespace, folder: Path) -> None:
    """Resident memory with the console on, nobody looking."""
    more = []
    with cameras(clip_of(folder, options.size), 1) as urls:
        for i in range(options.pairs):
            found = []
            for console in (False, True):
                place = folder / f"{i}{console}"
                place.mkdir()
                with running(place, urls, console=console) as daemon:
                    time.sleep(options.window)
                    found.append(daemon.rss_mb())
            more.append(found[1] - found[0])
            tell(f"{found[0]:.1f} MB -> {found[1]:.1f} MB")
    tell(row("resident memory, console on − off, MB", "≤ 12", more, command("memory")))


WORK: dict[str, tuple[Callable[[argparse.Namespace, Path], None], str]] = {
    "viewer": (viewer, "1080p"),
    "viewers": (viewers, "720p"),
    "api": (api, "720p"),
    "memory": (memory, "720p"),
}


def command(what: str) -> str:
    """Return how a row is had."""
    return f"python -m benchmarks.live {what}"


def tell(line: str) -> None:
    """Print a line now."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Measure one row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=WORK)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--window", type=float, default=10.0)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--tiles", type=int, default=9)
    parser.add_argument("--size", choices=SIZES)
    options = parser.parse_args()
    work, size = WORK[options.what]
    options.size = options.size or size
    tell(machine())
    with tempfile.TemporaryDirectory(prefix="surveil-bench-") as folder:
        work(options, Path(folder))


if __name__ == "__main__":
    main()
