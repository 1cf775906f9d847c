"""What decoding on demand is worth where many cameras are idle most of the time.

    python -m benchmarks.many_idle mixed FOOTAGE --beside FOLDER [--part 10]
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
from dataclasses import dataclass
from itertools import chain
from math import inf
from pathlib import Path

import cv2
import numpy as np

from benchmarks.idle_cpu import FILM, empty_picture
from benchmarks.rehearsal import FPS, encode, film
from benchmarks.streams import SIZES, Program, cameras, configure, machine, row
from surveil.types import Bytes

ROOT = Path(__file__).resolve().parents[1]
SIZE = SIZES["720p"]
GOP_S, GRAIN = 2.0, 5
MINUTES = ("", "", "leaves", "", "person", "leaves", "", "", "leaves", "")
"""Of ten: what is in each."""
COMES_S = 8.0
"""Second of the one-by-one film at which somebody is in the picture."""
_PATIENCE_S = 25.0
"""How long a daemon on one core may take to get under way, and again until its cameras are decoded on demand."""
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


@dataclass(frozen=True, slots=True)
class Books:
    """What a daemon did so far."""

    cpu_s: float
    received: float
    dropped: Mapping[str, float]


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

    def books(self) -> Books:
        """Return what it did so far."""
        received = self.program.metrics()["surveil_frames_received_total"]
        return Books(self.program.cpu_s(), received, self.dropped())

    def dropped(self) -> Mapping[str, float]:
        """Return the frames that were dropped so far, by reason."""
        reasons = ("decimated", "overwritten", "damaged", "lost", "idle", "behind")
        name = "surveil_frames_dropped_total"
        return {reason: self.program.series(name, f'reason="{reason}"') for reason in reasons}

    def late(self) -> dict[float, float]:
        """Return how many frames that had waited encoded were at most so old (s) when their analysis started."""
        name = "surveil_late_frame_age_seconds_bucket"
        return {limit: self.program.series(name, f'le="{limit:.1f}"') for limit in (1.0, 2.0, GOP_S + 2)} | {
            inf: self.program.series(name, 'le="+Inf"')
        }


def _defaults(source: Path) -> dict[str, object]:
    has_demand = (source / "surveil" / "capture" / "backlog.py").exists()
    return {"defaults": {"idle_reaction_s": GOP_S}} if has_demand else {}


def _knows_demand(program: Program) -> bool:
    return "surveil_decode_mode" in program.metrics()


def mixed(given: argparse.Namespace) -> None:
    """Compare CPU in a mixed hour: both builds watch the same camera side by side, once for each pair."""
    recording, makers = given.footage / FILM, {"": empty, "person": person, "leaves": leaves}
    ratios = []
    with tempfile.TemporaryDirectory() as work, ExitStack() as stack:
        parts = (makers[what](recording, given.part) for what in MINUTES)
        clip = write(chain.from_iterable(parts), Path(work) / "hour.mp4")
        urls = stack.enter_context(cameras(clip, 1))
        builds = {"new": ROOT, "old": given.beside}
        daemons = {name: Daemon(Path(work) / name, urls, source) for name, source in builds.items()}
        for daemon in daemons.values():
            stack.enter_context(daemon.program)
        for daemon in daemons.values():
            daemon.wait_until_asleep()
        for _ in range(given.pairs):
            before = {name: daemon.books() for name, daemon in daemons.items()}
            time.sleep(given.part * len(MINUTES))
            cpu = [_told(name, before[name], daemon.books()) for name, daemon in daemons.items()]
            ratios.append(cpu[0] / cpu[1])
    command = "python -m benchmarks.many_idle mixed FOOTAGE --beside FOLDER"
    title = f"CPU in a mixed hour, minutes of {given.part:g} s, beside the other build"
    print(row(title, "≤ .6", ratios, command))


def _told(name: str, before: Books, after: Books) -> float:
    """Print what a daemon did between two moments; return the CPU seconds that it took."""
    cpu, idle = after.cpu_s - before.cpu_s, after.dropped["idle"] - before.dropped["idle"]
    received = after.received - before.received
    print(f"{name}: {cpu:.2f} CPU s, {idle / max(1.0, received):.0%} never decoded", flush=True)
    return cpu


def carries(given: argparse.Namespace) -> None:
    """Find how many cameras one core carries, by halving: who carries some carries fewer, too."""
    recording = given.footage / FILM
    with tempfile.TemporaryDirectory() as work:
        clips = (
            write(empty(recording, 24), Path(work) / "quiet.mp4"),
            write(person(recording, 10), Path(work) / "busy.mp4"),
        )
        for name, source in (("this build", ROOT), ("the other build", given.beside)):
            carried, counts = 0, sorted(given.counts)
            while counts:
                middle = len(counts) // 2
                folder = Path(work) / f"{name[:4]}{counts[middle]}"
                lost = lost_by(clips, counts[middle], folder, source, given.window)
                print(f"{name}, {counts[middle]} cameras: lost {lost}", flush=True)
                if any(lost.values()):
                    counts = counts[:middle]
                else:
                    carried, counts = counts[middle], counts[middle + 1 :]
            print(f"{name} carries {carried} cameras on one core (bar: 2.5 times the other)", flush=True)


def lost_by(
    clips: tuple[Path, Path], count: int, folder: Path, source: Path, window_s: float
) -> Mapping[str, float]:
    """Return how many due frames a daemon on one core loses, by reason; one that does not get under way loses all."""
    quiet, busy = clips
    busy_count = max(1, count // 10)
    with ExitStack() as stack:
        urls = stack.enter_context(cameras(quiet, count - busy_count))
        urls = [*urls, *stack.enter_context(cameras(busy, busy_count))]
        daemon = Daemon(folder, urls, source, cores="0")
        stack.enter_context(daemon.program)
        try:
            daemon.wait_until_asleep(_PATIENCE_S)
            before = daemon.dropped()
            time.sleep(window_s)
            after = daemon.dropped()
        except OSError as error:  # too busy to be asked, a timeout among them
            return {f"no answer: {error}"[:60]: inf}
    return {reason: after[reason] - before[reason] for reason in LOST}


def burst(given: argparse.Namespace) -> None:
    """Let cameras wake at once."""
    recording = given.footage / FILM
    with tempfile.TemporaryDirectory() as work:
        clip = write(chain(empty(recording, 24.0), person(recording, 6.0)), Path(work) / "burst.mp4")
        with cameras(clip, given.cameras) as urls:
            daemon = Daemon(Path(work) / "burst", urls, ROOT)
            with daemon.program as program:
                daemon.wait_until_asleep()
                before, late = daemon.dropped(), daemon.late()
                time.sleep(90.0)
                after, sums = daemon.dropped(), program.metrics()
                late = {limit: count - late[limit] for limit, count in daemon.late().items()}
    dropped = {reason: after[reason] - before[reason] for reason in after}
    balance = sums["surveil_frames_received_total"] - sums["surveil_frames_processed_total"]
    balance -= sum(after.values()) + sums.get("surveil_frames_waiting", 0.0)
    print(f"dropped {dropped}; received - processed - dropped - waiting: {balance:.0f} (frames in flight)")
    print("late frames:", ", ".join(f"{count:.0f} of at most {limit} s" for limit, count in late.items()))
    older = 1 - late[GOP_S + 2] / max(1.0, late[inf])
    command = f"python -m benchmarks.many_idle burst FOOTAGE --cameras {given.cameras}"
    title = f"share of late frames older than GOP + 2 s, {given.cameras} cameras that wake at once"
    print(row(title, "≤ 0", [older], command))


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("mixed", "carries", "burst"))
    parser.add_argument("footage", type=Path)
    parser.add_argument("--beside", type=Path, help="source folder of another build")
    parser.add_argument("--part", type=float, default=10.0, help="seconds that stand for a minute")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--counts", nargs="+", type=int, default=list(range(4, 45, 4)))
    parser.add_argument("--window", type=float, default=15.0, help="seconds of a measurement")
    parser.add_argument("--cameras", type=int, default=16)
    given = parser.parse_args()
    if given.what != "burst" and given.beside is None:
        parser.error("--beside FOLDER is needed: the source of the build to compare with")
    print(machine())
    {"mixed": mixed, "carries": carries, "burst": burst}[given.what](given)


if __name__ == "__main__":
    main()
