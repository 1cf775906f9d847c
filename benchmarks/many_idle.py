"""What decoding on demand is worth where many cameras are idle most of the time.

    python -m benchmarks.many_idle mixed FOOTAGE --beside FOLDER [--part 20]
    python -m benchmarks.many_idle carries FOOTAGE --beside FOLDER [--counts 8 16 24 …]
    python -m benchmarks.many_idle burst FOOTAGE [--cameras 16]

`mixed`: CPU of a 720p camera in an hour of which one minute in ten has a person in it and three have leaves in the
wind, each minute cut to `--part` seconds, beside the build whose source lies in FOLDER; and the share of its pictures
that were never decoded. `carries`: how many 720p cameras at 15 fps, quiet but for one in ten, a daemon on one core
analyses without a frame being overwritten or given up, for either build. `burst`: cameras that wake all at once; the
ages of their frames when they are analysed, the books of frames, and what was dropped for which reason.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from benchmarks.idle_cpu import FILM, empty_picture
from benchmarks.on_demand import FPS, encode, film
from benchmarks.streams import SIZES, Program, cameras, configure, machine, row
from surveil.types import Bytes

ROOT = Path(__file__).resolve().parents[1]
SIZE = SIZES["720p"]
GOP_S, GRAIN = 2.0, 5
MINUTES = ("", "", "leaves", "", "person", "leaves", "", "", "leaves", "")
"""Of ten: what is in each."""
COMES_S = 8.0
"""Second of the one-by-one film at which somebody is in the picture."""
LOST = ("overwritten", "behind")
"""Reasons for which a frame that was due is not analysed."""


def still(recording: Path) -> Bytes:
    """Return the empty scene."""
    return np.asarray(cv2.resize(empty_picture(recording), SIZE, interpolation=cv2.INTER_CUBIC), np.uint8)


def empty(recording: Path, seconds: float) -> Iterator[Bytes]:
    """Yield the empty scene."""
    picture = still(recording)
    for _ in range(round(seconds * FPS)):
        yield picture


def person(recording: Path, seconds: float) -> Iterator[Bytes]:
    """Yield somebody who is there all the time."""
    for number, picture in enumerate(film(recording, COMES_S + seconds)):
        if number >= COMES_S * FPS:
            yield np.asarray(cv2.resize(picture, SIZE, interpolation=cv2.INTER_CUBIC), np.uint8)


def leaves(recording: Path, seconds: float) -> Iterator[Bytes]:
    """Yield the empty scene with a bush that sways in gusts."""
    picture, dice = still(recording), np.random.default_rng(1)
    bush = dice.integers(40, 160, (60, 80), np.uint8)
    bush = np.repeat(cv2.resize(bush, (320, 240), interpolation=cv2.INTER_NEAREST)[..., None], 3, axis=2)
    for number in range(round(seconds * FPS)):
        t = number / FPS
        by = round(6 * np.sin(2 * np.pi * t / 1.7) * max(0.0, np.sin(2 * np.pi * t / 9)))
        shown = picture.copy()
        shown[440:680, 60 + by : 380 + by] = bush
        yield shown


def write(pictures: Iterator[Bytes], path: Path) -> Path:
    """Encode as a camera does: H.264, capped VBR, GOP 2 s, grain."""
    encode(pictures, path, codec="h264", coding="vbr", gop_s=GOP_S, grain=GRAIN)
    return path


class Daemon:
    """A build of the daemon that watches cameras; on the cores of `cores`, if given."""

    def __init__(self, folder: Path, urls: list[str], source: Path, cores: str = "") -> None:
        folder.mkdir(exist_ok=True)
        config = configure(folder, urls, **_defaults(source))
        pinned = ["taskset", "-c", cores] if cores else []
        argv = [*pinned, sys.executable, "-m", "surveil", "run", "-c", str(config)]
        self.program = Program(argv, config.with_suffix(".log"), source)
        self._count = len(urls)

    def wait_until_asleep(self, patience_s: float = 90.0) -> None:
        """Wait until every camera is decoded on demand; a build that does not know that is given 30 s."""
        self.program.wait_until_steady(10 * self._count, patience_s)
        deadline = time.monotonic() + (patience_s if _knows_demand(self.program) else 30.0)
        while time.monotonic() < deadline:
            if self.program.series("surveil_decode_mode", 'mode="on_demand"') >= self._count:
                break
            time.sleep(0.5)
        time.sleep(15.0)

    def dropped(self) -> Mapping[str, float]:
        """Return the frames that were dropped so far, by reason."""
        reasons = ("decimated", "overwritten", "damaged", "lost", "idle", "behind")
        name = "surveil_frames_dropped_total"
        return {reason: self.program.series(name, f'reason="{reason}"') for reason in reasons}


def _defaults(source: Path) -> dict[str, object]:
    has_demand = (source / "surveil" / "capture" / "backlog.py").exists()
    return {"defaults": {"idle_reaction_s": GOP_S}} if has_demand else {}


def _knows_demand(program: Program) -> bool:
    return "surveil_decode_mode" in program.metrics()


def mixed(given: argparse.Namespace) -> None:
    """Compare CPU in a mixed hour."""
    recording, makers = given.footage / FILM, {"": empty, "person": person, "leaves": leaves}
    ratios = []
    with tempfile.TemporaryDirectory() as work:
        parts = (makers[what](recording, given.part) for what in MINUTES)
        clip = write(chain.from_iterable(parts), Path(work) / "hour.mp4")
        with cameras(clip, 1) as urls:
            for number in range(given.pairs):
                cpu = []
                for name, source in (("new", ROOT), ("old", given.beside)):
                    daemon = Daemon(Path(work) / f"{name}{number}", urls, source)
                    with daemon.program as program:
                        daemon.wait_until_asleep()
                        before, lost = program.cpu_s(), daemon.dropped()
                        received = program.metrics()["surveil_frames_received_total"]
                        time.sleep(given.part * len(MINUTES))
                        cpu.append(program.cpu_s() - before)
                        idle = daemon.dropped()["idle"] - lost["idle"]
                        received = program.metrics()["surveil_frames_received_total"] - received
                        print(f"{name}: {cpu[-1]:.2f} CPU s, {idle / received:.0%} never decoded", flush=True)
                ratios.append(cpu[0] / cpu[1])
    command = "python -m benchmarks.many_idle mixed FOOTAGE --beside FOLDER"
    print(
        row(
            f"CPU in a mixed hour, minutes of {given.part:g} s, beside the other build",
            "≤ .6",
            ratios,
            command,
        )
    )


def carries(given: argparse.Namespace) -> None:
    """Find how many cameras one core carries."""
    recording = given.footage / FILM
    with tempfile.TemporaryDirectory() as work:
        quiet = write(empty(recording, 24), Path(work) / "quiet.mp4")
        busy = write(person(recording, 10), Path(work) / "busy.mp4")
        for name, source in (("this build", ROOT), ("the other build", given.beside)):
            carried = 0
            for cameras_wanted in given.counts:
                busy_count = max(1, cameras_wanted // 10)
                with ExitStack() as stack:
                    urls = stack.enter_context(cameras(quiet, cameras_wanted - busy_count))
                    urls = [*urls, *stack.enter_context(cameras(busy, busy_count))]
                    daemon = Daemon(Path(work) / f"{name[:4]}{cameras_wanted}", urls, source, cores="0")
                    stack.enter_context(daemon.program)
                    daemon.wait_until_asleep()
                    before = daemon.dropped()
                    time.sleep(given.window)
                    after = daemon.dropped()
                lost = {reason: after[reason] - before[reason] for reason in LOST}
                print(f"{name}, {cameras_wanted} cameras: lost {lost}", flush=True)
                if any(lost.values()):
                    break
                carried = cameras_wanted
            print(f"{name} carries {carried} cameras on one core (bar: 2.5 times the other)", flush=True)


def burst(given: argparse.Namespace) -> None:
    """Let cameras wake at once."""
    recording = given.footage / FILM
    with tempfile.TemporaryDirectory() as work:
        clip = write(chain(empty(recording, 24.0), person(recording, 6.0)), Path(work) / "burst.mp4")
        with cameras(clip, given.cameras) as urls:
            daemon = Daemon(Path(work) / "burst", urls, ROOT)
            with daemon.program as program:
                daemon.wait_until_asleep()
                before = daemon.dropped()
                time.sleep(90.0)
                after, sums = daemon.dropped(), program.metrics()
                for limit in ("2.0", "5.0", "+Inf"):
                    old = program.series("surveil_late_frame_age_seconds_bucket", f'le="{limit}"')
                    print(f"late frames of at most {limit} s: {old:.0f}")
    dropped = {reason: after[reason] - before[reason] for reason in after}
    balance = sums["surveil_frames_received_total"] - sums["surveil_frames_processed_total"]
    balance -= sum(after.values()) + sums.get("surveil_frames_waiting", 0.0)
    print(f"dropped {dropped}; received - processed - dropped - waiting: {balance:.0f} (frames in flight)")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("mixed", "carries", "burst"))
    parser.add_argument("footage", type=Path)
    parser.add_argument("--beside", type=Path, help="source folder of another build")
    parser.add_argument("--part", type=float, default=20.0, help="seconds that stand for a minute")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--counts", nargs="+", type=int, default=list(range(4, 61, 4)))
    parser.add_argument("--window", type=float, default=30.0, help="seconds of a measurement")
    parser.add_argument("--cameras", type=int, default=16)
    given = parser.parse_args()
    if given.what != "burst" and given.beside is None:
        parser.error("--beside FOLDER is needed: the source of the build to compare with")
    print(machine())
    {"mixed": mixed, "carries": carries, "burst": burst}[given.what](given)


if __name__ == "__main__":
    main()
