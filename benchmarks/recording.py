"""What continuous recording costs: CPU beside the bare decode, memory, frames of the analysis.

    python -m benchmarks.recording [--size 1080p] [--cameras 4] [--pairs 4] [--window 15]

A daemon that records and one that does not take turns, over the same loopback RTSP cameras; then one PyAV decoding
thread a stream. CPU: what recording adds, beside the bare decode. Memory: resident, at the end of the window. Frames:
those that a newer one replaced, which are lost to the analysis, with recording less without. Some 8 minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cpu import SETTLE_FRAMES, decoder, scene
from benchmarks.streams import SIZES, Program, cameras, configure, machine, row, write_camera_clip


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the daemon."""

    cpu: float
    """Seconds a second."""
    memory_mb: float
    replaced: float
    """Frames that the analysis lost."""
    recorded_mb: float


def daemon(folder: Path, urls: list[str], mode: str, window_s: float) -> Run:
    """Measure a daemon once its cameras are decoded on demand."""
    folder.mkdir()
    config = configure(folder, urls, defaults={"record": {"mode": mode}})
    argv = [sys.executable, "-m", "surveil", "run", "-c", str(config)]
    with Program(argv, folder / "daemon.log") as program:
        program.wait_until_steady(SETTLE_FRAMES * len(urls))
        program.wait_until_on_demand(len(urls))
        lost = program.series("surveil_frames_dropped_total", 'reason="overwritten"')
        cpu, start = program.cpu_s(), time.monotonic()
        time.sleep(window_s)
        cpu, passed = program.cpu_s() - cpu, time.monotonic() - start
        lost = program.series("surveil_frames_dropped_total", 'reason="overwritten"') - lost
        recorded = program.metrics().get("surveil_recording_bytes_total", 0.0) / 1e6
        return Run(cpu / passed, program.rss_mb(), lost, recorded)


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", default="1080p", choices=SIZES)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--window", type=float, default=15.0, help="seconds of a measurement")
    given = parser.parse_args()
    print(machine())
    shares, grown, lost = [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_camera_clip(folder / "clip.mp4", scene(SIZES[given.size], busy=False))
        with cameras(folder / "clip.mp4", given.cameras) as urls:
            for n in range(given.pairs):
                on = daemon(folder / f"on{n}", urls, "continuous", given.window)
                off = daemon(folder / f"off{n}", urls, "off", given.window)
                bare = decoder(urls, folder, given.window)
                print(f"bare {bare:.4f} CPU s/s; recording: {on}; not: {off}", flush=True)
                shares.append((on.cpu - off.cpu) / bare)
                grown.append(on.memory_mb - off.memory_mb)
                lost.append(on.replaced - off.replaced)
    what = f"{given.cameras} x {given.size}, recorded continuously"
    command = f"python -m benchmarks.recording --size {given.size} --cameras {given.cameras}"
    print(row(f"CPU beside bare decoding, {what}", "≤ 0.06", shares, command))
    print(row(f"resident memory, MB, {what}", "≤ 10", grown, command))
    print(row(f"frames lost to the analysis, {what}", "≤ 0", lost, command))


if __name__ == "__main__":
    main()
