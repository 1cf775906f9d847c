"""CPU of the daemon on a still scene beside ffmpeg's decoder and Motion.

    python -m benchmarks.idle_cpu FOOTAGE [--sizes 720p 1080p] [--cameras 1 4] [--gop 1 2] [--reaction 1] [--pairs 7]
    python -m benchmarks.idle_cpu FOOTAGE --clip FILE

Interleaved A B C A B C …: the daemon once every camera is decoded on demand, `ffmpeg -threads 1 … -f null` of every
camera, and `motion` where it is installed. CPU is user + system time between two marks. `--clip` only writes the clip.

The clip is an empty picture: the median of the first 60 frames of the one-by-one film, before anybody comes, with
`noise=alls=5:allf=t`, encoded by x264 (veryfast, main, 2 Mbit/s for 720p and 4 Mbit/s for 1080p, maxrate 1.25 times
that, one reference, no weighted prediction, no B frames, 15 fps).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.streams import RATE_BPS, SIZES, Program, cameras, configure, machine, row
from surveil.types import Bytes

ROOT = Path(__file__).resolve().parents[1]
FPS, SECONDS = 15, 24
FILM = "intel/one-by-one-person-detection.mp4"
_RARE_S = 11.0
"""Idle looks are more often than this until every place has been looked at twice."""
MOTION = """daemon off
setup_mode off
target_dir {folder}
movie_output off
picture_output off
webcontrol_port 0
netcam_url {url}
width {width}
height {height}
framerate 15
"""


def empty_picture(film: Path) -> Bytes:
    """Return the median of the first 60 frames: uint8 BGR."""
    with av.open(str(film)) as container:
        frames = [
            frame.to_ndarray(format="bgr24")
            for number, frame in zip(range(60), container.decode(video=0), strict=False)
            if number % 3 == 0
        ]
    return np.asarray(np.median(np.stack(frames), axis=0), np.uint8)


def write_clip(film: Path, path: Path, size: tuple[int, int], gop_s: float) -> None:
    """Encode the still scene."""
    picture = cv2.resize(empty_picture(film), size, interpolation=cv2.INTER_CUBIC)
    with tempfile.TemporaryDirectory() as folder:
        still = Path(folder) / "still.png"
        cv2.imwrite(str(still), picture)
        argv = [
            "ffmpeg", "-y", "-loglevel", "error", "-loop", "1", "-framerate", str(FPS), "-i", str(still),
            "-t", str(SECONDS), "-vf", "noise=alls=5:allf=t", *like_a_camera(size[1], round(gop_s * FPS)),
            str(path),
        ]  # fmt: skip
        subprocess.run(argv, check=True)


def like_a_camera(height: int, keyint: int) -> list[str]:
    """Return how ffmpeg encodes as cameras do, at the rate of a height."""
    rate = RATE_BPS[height]
    return [
        "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "main", "-pix_fmt", "yuv420p",
        "-b:v", str(rate), "-maxrate", str(rate * 5 // 4), "-bufsize", str(rate), "-x264-params",
        f"ref=1:weightp=0:bframes=0:keyint={keyint}:min-keyint={keyint}:scenecut=0",
    ]  # fmt: skip


def daemon(config: Path, count: int, window_s: float, settle_s: float) -> tuple[float, float]:
    """Return CPU seconds a second, and resident MB, once every camera is decoded on demand and has settled."""
    with Program(
        [sys.executable, "-m", "surveil", "run", "-c", str(config)], config.with_suffix(".log"), ROOT
    ) as it:
        it.wait_until_steady(10 * count)
        it.wait_until_on_demand(count)
        _wait_until_seen(it, settle_s - 20.0)
        return _measured([it], window_s), it.rss_mb()


def _wait_until_seen(program: Program, patience_s: float) -> None:
    """Wait until every place has been looked at twice, one after the other: then the looks become rare."""
    deadline, looks = time.monotonic() + patience_s, -1.0
    while time.monotonic() < deadline:
        before, looks = looks, program.metrics()["surveil_detector_crops_total"]
        if looks == before:
            return
        time.sleep(min(_RARE_S, max(0.0, deadline - time.monotonic())))


def decoders(urls: list[str], folder: Path, window_s: float) -> float:
    """Return what ffmpeg takes for every frame of all cameras, one thread each, CPU seconds a second."""
    argv = ["ffmpeg", "-loglevel", "error", "-rtsp_transport", "tcp", "-threads", "1", "-i"]
    with ExitStack() as stack:
        programs = [
            stack.enter_context(Program([*argv, url, "-f", "null", "-"], folder / f"ffmpeg{i}.log"))
            for i, url in enumerate(urls)
        ]
        time.sleep(5.0)
        return _measured(programs, window_s)


def motion(urls: list[str], folder: Path, window_s: float, size: tuple[int, int]) -> float | None:
    """Return what Motion takes, CPU seconds a second; None where it is not installed."""
    found = shutil.which("motion")
    if found is None:
        return None
    with ExitStack() as stack:
        programs = []
        for i, url in enumerate(urls):
            config = folder / f"motion{i}.conf"
            config.write_text(MOTION.format(folder=folder, url=url, width=size[0], height=size[1]))
            argv = [found, "-n", "-c", str(config)]
            programs.append(stack.enter_context(Program(argv, folder / f"motion{i}.log")))
        time.sleep(10.0)
        return _measured(programs, window_s)


def _measured(programs: list[Program], window_s: float) -> float:
    before, start = sum(p.cpu_s() for p in programs), time.monotonic()
    time.sleep(window_s)
    return (sum(p.cpu_s() for p in programs) - before) / (time.monotonic() - start)


def compare(film: Path, name: str, count: int, gop_s: float, given: argparse.Namespace) -> None:
    """Measure one row and print it."""
    beside_bare, beside_motion, runs = [], [], []
    with tempfile.TemporaryDirectory() as work:
        folder, clip = Path(work), Path(work) / "still.mp4"
        write_clip(film, clip, SIZES[name], gop_s)
        with cameras(clip, count) as urls:
            config = configure(folder, urls, defaults={"idle_reaction_s": given.reaction})
            for _ in range(given.pairs):
                cpu, memory = daemon(config, count, given.window, given.settle)
                bare = decoders(urls, folder, given.window)
                other = motion(urls, folder, given.window, SIZES[name])
                runs.append((cpu, bare, memory))
                beside_bare.append(cpu / bare)
                if other is not None:
                    beside_motion.append(cpu / other)
    cpu, bare, memory = np.median(runs, axis=0)
    title = f"{name}, {count} cameras, GOP {gop_s:g} s, reaction {given.reaction:g} s"
    print(f"{title}: daemon {cpu:.4f}, ffmpeg {bare:.4f} CPU s/s, {memory:.0f} MB resident")
    options = f"--sizes {name} --cameras {count} --gop {gop_s:g} --reaction {given.reaction:g}"
    command = f"python -m benchmarks.idle_cpu FOOTAGE {options}"
    bar = "≤ .75" if gop_s > given.reaction else "≤ .50" if gop_s <= 1 else "≤ .38"
    print(row(f"CPU on a still scene beside ffmpeg's one thread, {title}", bar, beside_bare, command))
    if beside_motion:
        print(row(f"the same beside Motion, {title}", "≤ .30", beside_motion, command))
    sys.stdout.flush()


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("footage", type=Path)
    parser.add_argument("--sizes", nargs="+", default=["720p"], choices=sorted(SIZES))
    parser.add_argument("--cameras", nargs="+", type=int, default=[1])
    parser.add_argument("--gop", nargs="+", type=float, default=[1.0, 2.0])
    parser.add_argument("--reaction", type=float, default=1.0, help="`idle_reaction_s`")
    parser.add_argument(
        "--settle", type=float, default=120.0, help="longest wait before the daemon is measured, s"
    )
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--window", type=float, default=30.0, help="seconds between two marks")
    parser.add_argument("--clip", type=Path, help="write the clip and measure nothing")
    given = parser.parse_args()
    film = given.footage / FILM
    if given.clip:
        write_clip(film, given.clip, SIZES[given.sizes[0]], given.gop[0])
        return
    print(machine())
    for name in given.sizes:
        for count in given.cameras:
            for gop_s in given.gop:
                compare(film, name, count, gop_s, given)


if __name__ == "__main__":
    main()
