"""CPU of the whole daemon beside a bare decoder of the same streams.

    python -m benchmarks.cpu [--sizes 720p 1080p] [--cameras 1 4] [--busy] [--clip FILE] [--pairs 7]
    python -m benchmarks.cpu --beside FOLDER [...]

Interleaved A B A B …: the daemon, then one PyAV decoding thread per stream, over the same loopback RTSP
cameras; CPU is user + system time between two marks after the start. Quiet: a still scene with a parked car,
15 fps, analysed at 5; the bar is daemon / decoder. `--busy`: one person after the other walks through; the
bar is what the daemon uses beyond decoding beside bare `session.run` for the same number of crops. The clip is
drawn and encoded as a camera would (`benchmarks/streams.py`); `--clip` takes real footage. A row takes some
5 minutes. `--beside` compares with the build whose source lies in FOLDER instead of with the decoder: CPU and
resident memory; with `--busy` also CPU beyond decoding and looks a second. `--film FOOTAGE` writes the visits of the
one-by-one film of the footage to the file of `--clip`, as a 720p camera would send them, and ends.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.counting import VISITS
from benchmarks.idle_cpu import FILM, like_a_camera
from benchmarks.streams import BARE, SIZES, Program, cameras, configure, machine, row, write_camera_clip
from surveil.demo.scene import DrawnScene
from surveil.demo.walks import passers_by

ROOT = Path(__file__).resolve().parents[1]
SETTLE_FRAMES = 30
"""Analysed frames of each camera before the first mark: the gate looks at everything for 2 s at first."""
SESSION = """
import sys, time
from pathlib import Path
import numpy as np
from surveil.cli.common import open_detector
from surveil.config import load
detector = open_detector(load(Path(sys.argv[1])))
shape, dtype = detector.input.shape, detector.input.dtype
batch = np.random.default_rng(0).integers(0, 255, (1, *shape)).astype(dtype)
start = time.process_time()
for _ in range(60):
    detector.run_bare(batch)
print((time.process_time() - start) / 60)
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the daemon."""

    cpu: float
    """Seconds a second."""
    memory_mb: float
    crops: float
    """A second."""


def daemon(config: Path, count: int, window_s: float, source: Path = ROOT) -> Run:
    """Measure the daemon of a source folder once it is steady."""
    argv = [sys.executable, "-m", "surveil", "run", "-c", str(config)]
    with Program(argv, config.with_suffix(".log"), source) as program:
        program.wait_until_steady(SETTLE_FRAMES * count)
        crops = program.metrics()["surveil_detector_crops_total"]
        cpu, start = program.cpu_s(), time.monotonic()
        time.sleep(window_s)
        cpu, passed = program.cpu_s() - cpu, time.monotonic() - start
        crops = program.metrics()["surveil_detector_crops_total"] - crops
        return Run(cpu / passed, program.rss_mb(), crops / passed)


def decoder(urls: list[str], folder: Path, window_s: float) -> float:
    """Measure the bare decoder: CPU seconds a second."""
    with Program([sys.executable, "-c", BARE, *urls], folder / "bare.log") as program:
        time.sleep(4.0)
        cpu, start = program.cpu_s(), time.monotonic()
        time.sleep(window_s)
        return (program.cpu_s() - cpu) / (time.monotonic() - start)


def session(config: Path) -> float:
    """CPU seconds of one bare `session.run` on one thread."""
    done = subprocess.run(
        [sys.executable, "-c", SESSION, str(config)], capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def compare(clip: Path, name: str, count: int, given: argparse.Namespace) -> None:
    """Measure one row and print it."""
    quiet, busy, runs = [], [], []
    with tempfile.TemporaryDirectory() as folder, cameras(clip, count) as urls:
        config = configure(Path(folder), urls)
        for _ in range(given.pairs):
            run = daemon(config, count, given.window)
            bare = decoder(urls, Path(folder), given.window)
            quiet.append(run.cpu / bare)
            runs.append((run.cpu, bare, run.memory_mb, run.crops))
            if given.busy:
                busy.append((run.cpu - bare) / (run.crops * session(config)))
    cpu, bare, memory, crops = np.median(runs, axis=0)
    print(
        f"{name}: daemon {cpu:.4f}, bare decode {bare:.4f} CPU s/s, {crops:.2f} crops/s, {memory:.0f} MB resident"
    )
    command = f"python -m benchmarks.cpu --sizes {name.split(',', maxsplit=1)[0]} --cameras {count}"
    if given.busy:
        print(
            row(f"CPU beyond decoding beside bare `session.run`, {name}", "≤ 1.25", busy, f"{command} --busy")
        )
    else:
        print(row(f"CPU beside bare decoding, {name}", "≤ 1.15", quiet, command))
    sys.stdout.flush()


def compare_builds(clip: Path, name: str, count: int, given: argparse.Namespace) -> None:
    """Measure this build beside another one and print both ratios."""
    cpu, memory, beyond = [], [], []
    with tempfile.TemporaryDirectory() as folder, cameras(clip, count) as urls:
        # Each build has a state of its own: an older one cannot read the other's database.
        folders = {source: Path(folder) / name for source, name in ((ROOT, "new"), (given.beside, "old"))}
        for one in folders.values():
            one.mkdir()
        configs = {source: configure(one, urls) for source, one in folders.items()}
        for _ in range(given.pairs):
            new, old = (daemon(path, count, given.window, source) for source, path in configs.items())
            print(
                f"{new.cpu:.4f} {old.cpu:.4f} CPU s/s, {new.memory_mb:.0f} {old.memory_mb:.0f} MB, "
                f"{new.crops:.2f} {old.crops:.2f} looks/s",
                flush=True,
            )
            if given.busy:
                bare = decoder(urls, Path(folder), given.window)
                beyond.append((new.cpu - bare) / (old.cpu - bare))
            cpu.append(new.cpu / old.cpu)
            memory.append(new.memory_mb / old.memory_mb)
    command = (
        f"python -m benchmarks.cpu --sizes {name.split(',', maxsplit=1)[0]} --cameras {count} --beside FOLDER"
    )
    command += " --busy" if given.busy else ""
    print(row(f"CPU beside the other build, {name}", "≤ 1.02", cpu, command))
    print(row(f"resident memory beside the other build, {name}", "≤ 1.00", memory, command), flush=True)
    if given.busy:
        print(
            row(f"CPU beyond decoding beside the other build, {name}", "≤ 0.50", beyond, command), flush=True
        )


def scene(size: tuple[int, int], *, busy: bool) -> DrawnScene:
    """A still scene, or one in which there is always somebody about."""
    if not busy:
        return DrawnScene.still(size=size, seconds=20.0)
    walkers = passers_by(0, 4)
    return DrawnScene(walkers=walkers, size=size, fps=15, seconds=walkers[-1].leaves, seed=0)


def write_visits(film: Path, path: Path) -> None:
    """Encode the six visits of the one-by-one film, one after the other, as `benchmarks.idle_cpu` a still scene."""
    shown = "+".join(f"between(n,{first},{last})" for first, last in VISITS)
    pictures = f"select='{shown}',setpts=N/10/TB,scale=1280:720:flags=bicubic,fps=15,noise=alls=5:allf=t"
    argv = ["ffmpeg", "-y", "-loglevel", "error", "-i", str(film), "-vf", pictures, "-an"]
    subprocess.run([*argv, *like_a_camera(720, 30), str(path)], check=True)


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=SIZES)
    parser.add_argument("--cameras", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--window", type=float, default=15.0, help="seconds of a measurement")
    parser.add_argument("--busy", action="store_true", help="somebody walks about all the time")
    parser.add_argument("--clip", type=Path, help="H.264, H.265 or MJPEG footage to serve instead")
    parser.add_argument("--film", type=Path, metavar="FOOTAGE", help="write the film to --clip, and end")
    parser.add_argument("--beside", type=Path, help="source folder of another build to compare with")
    given = parser.parse_args()
    if given.film and given.clip:
        write_visits(given.film / FILM, given.clip)
        return
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        for size in ["clip"] if given.clip else given.sizes:
            clip = given.clip or Path(folder) / f"{size}.mp4"
            if not given.clip:
                write_camera_clip(clip, scene(SIZES[size], busy=given.busy))
            for count in given.cameras:
                (compare_builds if given.beside else compare)(
                    clip, f"{size}, {count} camera(s), {'busy' if given.busy else 'quiet'}", count, given
                )


if __name__ == "__main__":
    main()
