"""What the benchmarks share: clips like a camera's, loopback cameras, CPU of a process, intervals."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import IO, Self

import av
import av.filter
import numpy as np

from surveil.demo.scene import DrawnScene

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
RATE_BPS = {720: 2_000_000, 1080: 4_000_000}
GOP = 30
BARE = """
import sys, threading, av
def decode(url):
    with av.open(url, options={"rtsp_transport": "tcp"}, timeout=(5.0, 5.0)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for packet in container.demux(stream):
            for frame in packet.decode():
                pass
for url in sys.argv[1:]:
    threading.Thread(target=decode, args=(url,), daemon=True).start()
threading.Event().wait()
"""
"""One decoding thread per address and nothing else."""


def write_camera_clip(path: Path, scene: DrawnScene) -> None:
    """Encode a scene as a camera would: fresh noise in every picture, a constant rate, GOP 30, no B frames.

    The demo's own clips decode in a quarter of a real camera's time. These take as long: 720p at 2 Mbit/s
    4.3 ms a frame here, where recordings of real cameras took 3.9 to 4.5.
    """
    width, height = scene.size
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=scene.fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base, stream.gop_size = Fraction(1, scene.fps), GOP
        stream.bit_rate = RATE_BPS.get(height, width * height * 2)
        stream.options = {"preset": "veryfast", "bf": "0", "sc_threshold": "0", "keyint_min": str(GOP)}
        noisy = _noise(scene)
        for i in range(scene.frames):
            frame = av.VideoFrame.from_ndarray(scene.frame(i), format="bgr24").reformat(format="yuv420p")
            frame.pts, frame.time_base = i, stream.time_base
            noisy.push(frame)
            frame = noisy.pull()
            frame.pts, frame.pict_type = i, 0
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def _noise(scene: DrawnScene) -> av.filter.Graph:
    """Return FFmpeg's `noise=alls=4:allf=t`."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=scene.size[0], height=scene.size[1], format="yuv420p", time_base=Fraction(1, scene.fps)
    )
    noise, sink = graph.add("noise", "alls=4:allf=t"), graph.add("buffersink")
    source.link_to(noise)
    noise.link_to(sink)
    graph.configure()
    return graph


@contextmanager
def cameras(clip: Path, count: int, *, fps: float | None = None) -> Iterator[list[str]]:
    """Serve a clip from `count` loopback cameras, each a process of its own; yield their addresses."""
    rate = [] if fps is None else ["--fps", str(fps)]
    servers = [serve(clip, *rate) for _ in range(count)]
    try:
        yield [_line(server.stdout) for server in servers]
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait(10)


def serve(clip: Path, *options: str) -> subprocess.Popen[str]:
    """Start a loopback camera; its first line is its address."""
    argv = [sys.executable, "-m", "surveil.demo.rtsp_server", str(clip), *options]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def _line(pipe: IO[str] | None) -> str:
    assert pipe is not None
    return pipe.readline().strip()


def configure(folder: Path, urls: Sequence[str], **sections: object) -> Path:
    """Write the daemon's configuration: defaults, and an intrusion rule on the whole picture."""
    camera = {
        "zones": {"all": [[0, 0], [1, 0], [1, 1], [0, 1]]},
        "rules": [{"type": "intrusion", "zone": "all"}],
    }
    whole = {
        "version": 1,
        "cameras": {f"c{i}": {"url": url, **camera} for i, url in enumerate(urls)},
        "state_dir": str(folder / "state"),
        "http": {"listen": "127.0.0.1:0"},
        **sections,
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(whole))
    return path


def cpu_s(pid: int) -> float:
    """Return the user and system seconds of a process and all its threads, to the nanosecond."""
    return time.clock_gettime((~pid << 3) | 2)  # CPUCLOCK_SCHED of linux/posix-timers


class Program:
    """A process that is measured. Use as a context manager."""

    def __init__(self, argv: Sequence[str], log: Path, source: Path | None = None) -> None:
        """`source`: the folder that `surveil` is imported from."""
        self._argv, self._log, self._source = argv, log, source

    def __enter__(self) -> Self:
        """Start it."""
        with self._log.open("wb") as err:
            environment = {**os.environ, "PYTHONPATH": str(self._source)} if self._source else None
            self._child = subprocess.Popen(
                self._argv, stdout=subprocess.DEVNULL, stderr=err, cwd=self._source, env=environment
            )
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._child.terminate()
        self._child.wait(20)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._child.pid

    def cpu_s(self) -> float:
        """User and system seconds of the process and all its threads."""
        return cpu_s(self.pid)

    def rss_mb(self) -> float:
        """Resident memory, MB."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

    def series(self, name: str, label: str) -> float:
        """The sum of the series of a metric that have a label, such as `mode="full"`."""
        lines = [line for line in self._page().splitlines() if line.startswith(name + "{") and label in line]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def _page(self) -> str:
        found = re.search(r"http://127\.0\.0\.1:\d+", self._log.read_text())
        if found is None:
            return ""
        page: bytes = urllib.request.urlopen(f"{found[0]}/metrics", timeout=10).read()
        return page.decode()

    def metrics(self) -> Mapping[str, float]:
        """The daemon's metrics: each name with the sum of its series."""
        sums: dict[str, float] = {}
        for line in self._page().splitlines():
            if not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                name = name.partition("{")[0]
                sums[name] = sums.get(name, 0.0) + float(value)
        return sums

    def wait_until_steady(self, frames: int, patience_s: float = 120.0) -> None:
        """Wait until the daemon has analysed so many frames. Raises TimeoutError."""
        deadline = time.monotonic() + patience_s
        while self.metrics().get("surveil_frames_processed_total", 0) < frames:
            if self._child.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"the daemon does not analyse:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.5)

    def wait_until_on_demand(self, cameras: int, settle_s: float = 20.0, patience_s: float = 90.0) -> None:
        """Wait until so many cameras are decoded on demand, and gate and picture health have settled.

        Decoding changes at a different moment in each run before that. Raises TimeoutError.
        """
        deadline = time.monotonic() + patience_s
        while self.series("surveil_decode_mode", 'mode="on_demand"') < cameras:
            if time.monotonic() > deadline:
                raise TimeoutError("the cameras are not decoded on demand")
            time.sleep(0.5)
        time.sleep(settle_s)


def interval(ratios: Sequence[float]) -> tuple[float, float]:
    """Return the 90 % bootstrap interval of the median."""
    draws = np.random.default_rng(0).choice(ratios, (4000, len(ratios)))
    low, high = np.percentile(np.median(draws, axis=1), (5, 95))
    return float(low), float(high)


def machine() -> str:
    """Return what the figures were seen on, and how busy it was."""
    name = platform.processor() or platform.machine()
    return (
        f"{name}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"
    )


def row(what: str, bar: str, ratios: Sequence[float], command: str, *, at_least: bool = False) -> str:
    """Return a row of `docs/performance.md`. Missed is what even the better end of the interval misses."""
    low, high = interval(ratios)
    limit = float(bar.split()[1])
    missed = high < limit if at_least else low > limit
    word = "missed" if missed else "met"
    return f"| {what} | {bar} | {np.median(ratios):.2f} ({low:.2f} to {high:.2f}), {word} | `{command}` |"
