"""CPU of the whole daemon beside a bare decoder of the same streams: `python -m benchmarks.cpu`.

Interleaved pairs A B A B …: the daemon for some seconds, then one PyAV decode loop per stream, each in a
process of its own, over the same loopback RTSP cameras. CPU is user + system time of the process between
two marks after its start, so that loading the model does not count. Printed: the median ratio and the
interval between the quartiles' bootstrap (5 % to 95 %).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from surveil.demo.clip import write_clip
from surveil.demo.scene import Scene

TICK = os.sysconf("SC_CLK_TCK")
SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
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


def cpu_s(pid: int) -> float:
    """Return user + system seconds of a process and its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process, MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def measure(argv: list[str], warm_s: float, window_s: float) -> tuple[float, float]:
    """Run a program; return CPU seconds per second and resident MB after it has warmed up."""
    child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(warm_s)
        before, start = cpu_s(child.pid), time.monotonic()
        time.sleep(window_s)
        used = (cpu_s(child.pid) - before) / (time.monotonic() - start)
        return used, rss_mb(child.pid)
    finally:
        child.terminate()
        child.wait(10)


def config(urls: list[str], folder: Path) -> Path:
    """Write the daemon's configuration: defaults, an intrusion rule on the whole picture."""
    camera = {
        "zones": {"all": [[0, 0], [1, 0], [1, 1], [0, 1]]},
        "rules": [{"type": "intrusion", "zone": "all"}],
    }
    whole = {
        "version": 1,
        "cameras": {f"c{i}": {"url": url, **camera} for i, url in enumerate(urls)},
        "state_dir": str(folder / "state"),
        "http": {"listen": "127.0.0.1:0"},
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(whole))
    return path


def serve(clip: Path) -> subprocess.Popen[str]:
    """Start a loopback camera in a process of its own."""
    argv = [sys.executable, "-m", "surveil.demo.rtsp_server", str(clip)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def interval(ratios: list[float]) -> tuple[float, float]:
    """Return the 90 % bootstrap interval of the median."""
    draws = np.random.default_rng(0).choice(ratios, (4000, len(ratios)))
    low, high = np.percentile(np.median(draws, axis=1), (5, 95))
    return float(low), float(high)


def run(scene: Scene, cameras: int, pairs: int, window_s: float, warm_s: float) -> None:
    """Measure one row and print it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        clip = folder / "clip.mp4"
        write_clip(clip, scene)
        servers = [serve(clip) for _ in range(cameras)]
        for server in servers:
            stack.callback(server.wait, 10)
            stack.callback(server.terminate)
        urls = [server.stdout.readline().strip() for server in servers]
        daemon = [sys.executable, "-m", "surveil", "run", "-c", str(config(urls, folder))]
        bare = [sys.executable, "-c", BARE, *urls]
        rows = []
        for _ in range(pairs):
            (a, memory), (b, _) = (measure(argv, warm_s, window_s) for argv in (daemon, bare))
            rows.append((a, b, memory))
        ratios = [a / b for a, b, _ in rows]
        low, high = interval(ratios)
        a, b, memory = np.median(rows, axis=0)
        name = f"{scene.size[1]}p, {cameras} camera(s), {'quiet' if not scene.walkers else 'busy'}"
        print(
            f"| {name} | {a:.4f} | {b:.4f} | {np.median(ratios):.2f} ({low:.2f} to {high:.2f}) | {memory:.0f} |",
            flush=True,
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=SIZES)
    parser.add_argument("--cameras", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--window", type=float, default=15.0)
    parser.add_argument("--warm", type=float, default=8.0)
    parser.add_argument("--busy", action="store_true", help="somebody walks about all the time")
    given = parser.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    print("| what | daemon, CPU s/s | bare decode | ratio (90 % interval) | RSS MB |\n|---|---|---|---|---|")
    for size in given.sizes:
        kind = Scene.default if given.busy else Scene.still
        scene = kind(size=SIZES[size], seconds=20.0)
        for cameras in given.cameras:
            run(scene, cameras, given.pairs, given.window, given.warm)


if __name__ == "__main__":
    main()
