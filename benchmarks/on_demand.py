"""Decoding on demand beside decoding in full: the same alerts? `python -m benchmarks.on_demand FOLDER`.

Films are encoded as cameras encode (H.264 or H.265, CRF, capped VBR or CBR, key frames every 1, 2 or 4 s, grain), and
played through the whole pipeline as live streams in virtual time: once decoded on demand and once in full. Printed
are the events of both, each difference, and how late alerts were.

Without more, the films are the recordings in FOLDER, UCSD Ped2's test clips, and a drawn yard. `--suites things
tampering perimeter yard` plays the drawn films of `benchmarks.rules` instead, each after a time in which nothing moves,
and `--suites faults` cameras that are tampered with while nobody is there.
`--stays N` plays N drawn cases of somebody who stays for 1.2 groups of pictures or for part of one.
"""

from __future__ import annotations

import argparse
import logging
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import chain, islice, repeat
from pathlib import Path

import cv2
import numpy as np
import structlog

from benchmarks.health import SICK
from benchmarks.rehearsal import FPS, Grain, Played, delay_s, differences, encode, film, play_both
from benchmarks.rules.drawn import CAMERAS, MADE, DrawnFilm
from surveil.demo.scene import DrawnScene
from surveil.detect.settings import ModelSettings
from surveil.models.store import ModelStore, open_detector
from surveil.types import Bytes

Film = Callable[[], Iterator[Bytes]]
"""Gives BGR pictures, 15 a second, from the beginning."""
CODINGS = [
    ("h264", "crf", 1.0, 0),
    ("h264", "vbr", 2.0, 3),
    ("h264", "cbr", 4.0, 3),
    ("hevc", "crf", 2.0, 0),
    ("hevc", "cbr", 1.0, 3),
]
"""Codec, rate, seconds between key frames, grain."""
NAMES = {
    "vtest": "vtest/vtest.avi",
    "one-by-one": "intel/one-by-one-person-detection.mp4",
    "cars": "intel/car-detection.mp4",
    "bag": "abandoned_bag/video4.avi",
}
LATE_S = 0.5
"""Alerts may be so much more than a group of pictures later than in full."""
PAUSE_S, FAULT_S = 16.0, 26.3
GRAIN = 2
STAY_RULES = [{"type": "presence", "classes": ["person"]}]


# Films.


def films(folder: Path) -> dict[str, Film]:
    """Return the films that can be made."""
    found: dict[str, Film] = {
        name: lambda path=folder / path: film(path, float("inf"))
        for name, path in NAMES.items()
        if (folder / path).exists()
    }
    if (folder / "ucsd_ped2").exists():
        found["ped2"] = lambda: ped2(folder, "testing")
    return found | {"yard": drawn_yard}


def drawn_yard() -> Iterator[Bytes]:
    """Yield a drawn yard: nobody is there at first, and now and then somebody is."""
    scene = DrawnScene.default(seed=3, size=(960, 540), fps=FPS, seconds=60.0)
    return still_first(PAUSE_S, FPS, (scene.frame(i) for i in range(scene.frames)))


def still_first(seconds: float, fps: float, pictures: Iterable[Bytes]) -> Iterator[Bytes]:
    """Yield the first of the pictures with grain for a while, then all."""
    rest, grain = iter(pictures), Grain(GRAIN)
    first = next(rest)
    return chain((grain.on(first) for _ in range(round(seconds * fps))), rest)


def faults(seed: int) -> Iterator[DrawnFilm]:
    """Yield what can be done to a camera before which nobody is."""
    scene = DrawnScene.passing(seed=seed + 60, size=(640, 360), fps=10, seconds=1.0)
    for state, make in SICK.items():
        empty, effect, grain = scene.frame(0), make(3 * seed + 9), Grain(GRAIN)
        pictures = (effect(grain.on(empty), t / 10 - FAULT_S) for t in range(round((FAULT_S + 14.0) * 10)))
        yield DrawnFilm(suite="faults", name=f"{state}-{seed}", pictures=pictures, fps=10, conditions=())


def ped2(folder: Path, part: str, most: int = 99) -> Iterator[Bytes]:
    """Yield clips of UCSD Ped2's `testing` or `training`, each after a pause in which nobody is there."""
    clips = sorted((folder / "ucsd_ped2" / part / "frames").iterdir())
    for clip in clips[:most]:
        pictures = [cv2.imread(str(path)) for path in sorted(clip.iterdir())]
        empty = np.median(np.stack(pictures[::8]), axis=0).astype(np.uint8)
        yield from repeat(empty, round(PAUSE_S * FPS))
        yield from (pictures[number * 10 // FPS] for number in range(len(pictures) * FPS // 10))


SUITES = {**MADE, "faults": faults}


# What is compared.


def compare(folder: Path, seconds: float, only: Sequence[str], model: Path | None) -> None:
    """Play every film in every coding and print what differs."""
    totals = Counter[str]()
    with tempfile.TemporaryDirectory() as work:
        detector = open_detector(ModelSettings(file=model), ModelStore(Path(work) / "models"))
        clip = Path(work) / "clip.mp4"
        for name, made in films(folder).items():
            for codec, coding, gop_s, grain in CODINGS:
                label = f"{name} {codec} {coding} GOP {gop_s:g} s grain {grain}"
                if only and not any(word in label for word in only):
                    continue
                pictures = islice(made(), round(seconds * FPS))
                encode(pictures, clip, codec=codec, coding=coding, gop_s=gop_s, grain=grain)
                _tell(label, *play_both(clip, detector), gop_s, totals)
    _tell_all(totals)


def suites(names: Sequence[str], seeds: range, gop_s: float, model: Path | None) -> None:
    """Play the drawn films of some suites and print what differs."""
    with tempfile.TemporaryDirectory() as work:
        detector = open_detector(ModelSettings(file=model), ModelStore(Path(work) / "models"))
        for name in names:
            totals = Counter[str]()
            for one in chain.from_iterable(SUITES[name](seed) for seed in seeds):
                clip, camera = (
                    Path(work) / "clip.mp4",
                    asdict(CAMERAS["tampering" if name == "faults" else name]),
                )
                _write(one, clip, gop_s)
                both = play_both(clip, detector, idle_reaction_s=gop_s, **camera)
                _tell(f"{one.suite} {one.name} GOP {gop_s:g} s", *both, gop_s, totals)
            _tell_all(totals)


def _write(one: DrawnFilm, clip: Path, gop_s: float) -> None:
    coloured = (p if p.ndim == 3 else cv2.cvtColor(p, cv2.COLOR_GRAY2BGR) for p in one.pictures)
    pictures = coloured if one.suite == "faults" else still_first(PAUSE_S, one.fps, coloured)
    encode(pictures, clip, codec="h264", coding="vbr", gop_s=gop_s, grain=0, fps=round(one.fps))


def _tell(label: str, demand: Played, full: Played, gop_s: float, totals: Counter[str]) -> None:
    found = differences(demand, full)
    equal = {(a.rule, a.phase, a.label, a.t) for a in demand.alerts} & {
        (a.rule, a.phase, a.label, a.t) for a in full.alerts
    }
    late = delay_s(demand, full)
    if late > gop_s + LATE_S:
        found.append(f"late: {late:.2f} s")
    totals.update(alerts=len(full.alerts), equal=len(equal), different=len(found))
    print(
        f"{label}: {'/'.join(demand.modes)}, {len(full.alerts)} alerts in full, {len(demand.alerts)} on demand, "
        f"{len(equal)} at the same time; {demand.idle:.0%} not decoded, at most {late:.2f} s later",
        flush=True,
    )
    for line in found:
        print("   ", line, flush=True)


def _tell_all(totals: Counter[str]) -> None:
    print("in all:", ", ".join(f"{name} {n}" for name, n in totals.items()), flush=True)


# Drawn stays.


def stays(count: int, gop_s: float, shares: Sequence[float], model: Path | None) -> None:
    """Play drawn cases of somebody who is there for some groups of pictures, or for a part of one."""
    with tempfile.TemporaryDirectory() as work:
        detector = open_detector(ModelSettings(file=model), ModelStore(Path(work) / "models"))
        for share in shares:
            alerted = Counter[str]()
            for seed in range(count):
                clip = Path(work) / "clip.mp4"
                encode(_visit(seed, share * gop_s), clip, codec="h264", coding="vbr", gop_s=gop_s, grain=3)
                demand, full = play_both(clip, detector, idle_reaction_s=gop_s, rules=STAY_RULES)
                starts = [[a.t for a in p.alerts if a.phase == "start"] for p in (demand, full)]
                alerted.update(full=bool(starts[1]), demand=bool(starts[0] and starts[1]))
                alerted.update(same=bool(starts[0]) and starts[0][:1] == starts[1][:1])
            print(
                f"there for {share:g} GOP: {count} cases, {alerted['full']} alert in full, {alerted['demand']} on "
                f"demand, {alerted['same']} of them from the same frame on",
                flush=True,
            )


def _visit(seed: int, stay_s: float) -> Iterator[Bytes]:
    """Yield 18 s of a drawn yard in which somebody stands for a while, from a random moment on."""
    dice = random.Random(seed)
    scene = DrawnScene.passing(seed=seed, people=1, size=(640, 360))
    empty = scene.frame(0)
    there = [scene.frame(i) for i in range(scene.frames)]
    changed = [float(np.abs(one.astype(np.int16) - empty).mean()) for one in there]
    middle = int(np.argmax(changed))
    begin = 12.0 + dice.uniform(0.0, 2.0)
    for number in range(18 * FPS):
        t = number / FPS - begin
        inside = 0 <= t < stay_s
        at = min(len(there) - 1, max(0, middle + round((t - stay_s / 2) * scene.fps)))
        yield there[at] if inside else empty


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", help="where the footage lies")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each film")
    parser.add_argument("--only", nargs="*", default=[], help="words of the cases that are played")
    parser.add_argument("--suites", nargs="+", default=[], choices=sorted(SUITES), help="drawn films instead")
    parser.add_argument("--seeds", type=int, default=2, help="of drawn films")
    parser.add_argument("--stays", type=int, default=0, help="drawn cases of each length of stay")
    parser.add_argument(
        "--shares", type=float, nargs="+", default=[1.2, 0.5], help="lengths of stays, in GOPs"
    )
    parser.add_argument("--model", type=Path, help="ONNX file of another detector, such as a quicker one")
    parser.add_argument("--gop", type=float, default=2.0, help="of the drawn cases, s")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    if given.stays:
        stays(given.stays, given.gop, given.shares, given.model)
    elif given.suites:
        suites(given.suites, range(given.seeds), given.gop, given.model)
    elif given.folder is not None:
        compare(given.folder, given.seconds, given.only, given.model)
    else:
        parser.error("FOLDER, --suites or --stays is wanted")


if __name__ == "__main__":
    main()
