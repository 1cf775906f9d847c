"""Planted anomalies in real footage: does the sum of the attributes beat each of them where nothing was tuned?

`python -m benchmarks.planted [SET…]` cuts people out of normal footage (UCSD Ped2's *training* clips, vtest, one person
at a time in a yard) and puts them back where, how fast or how they never were: seven kinds, each in several held-out
normal clips. Ped2's test clips and their labels are not touched. Printed: micro frame AUC over all clips by
attribute, and of the fusion by kind; at the end, fused beside the best single attribute for every set. Footage in
SURVEIL_FOOTAGE; what is missing is skipped.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.normality import footage
from benchmarks.sprites import KINDS, Grey, quiet_place, sprites
from surveil.offline.normality.dataset import Dataset, LabelledClip, Labels
from surveil.offline.normality.evaluate import NormalityReport, evaluate
from surveil.offline.normality.figures import frame_auc

FROM, TO = 0.35, 0.8
"""Share of a clip between which the anomaly is there."""


@dataclass(frozen=True)
class Footage:
    name: str
    fps: float
    normal: list[list[Grey]]
    held_out: list[list[Grey]]


def plant(footage: Footage, folder: Path) -> tuple[Dataset, list[str]]:
    """Write normal clips and planted ones; return them and the kind of each."""
    everything = [f for clip in footage.normal for f in clip]
    background = np.median(np.stack(everything[:: max(1, len(everything) // 120)]), axis=0).astype(np.uint8)
    people = [s for clip in footage.normal for s in sprites(clip, background, 4)]
    people.sort(key=lambda s: len(s.crops), reverse=True)
    people = people[:12]
    pace = footage.fps / 10
    normal = [write(folder / f"normal{i}", clip) for i, clip in enumerate(footage.normal)]
    clips, kinds, k = [], [], 0
    for name, kind in KINDS.items():
        for _ in range(2):
            frames = [f.copy() for f in footage.held_out[k % len(footage.held_out)]]
            sprite = people[k % len(people)]
            place = quiet_place(everything, background, sprite.height)
            a, b = int(FROM * len(frames)), int(TO * len(frames))
            for i in range(a, b):
                kind(frames[i], sprite, i - a, b - a, pace, place)
            path = write(folder / f"{name}-{k}".replace(" ", "-"), frames)
            flags = tuple(int(a <= i < b) for i in range(len(frames)))
            clips.append(LabelledClip(path.name, path, Labels(frames=flags)))
            kinds.append(name)
            k += 1
    return Dataset(footage.name, footage.fps, tuple(normal), tuple(clips)), kinds


def write(folder: Path, frames: list[Grey]) -> Path:
    """Write frames as a folder of pictures."""
    folder.mkdir()
    for i, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"{i:04d}.png"), frame, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return folder


def ped2(root: Path) -> list[list[Grey]]:
    """Return the frames of Ped2's training clips."""
    return [
        [cv2.imread(str(p), 0) for p in sorted(folder.glob("*.jpg")) or sorted(folder.iterdir())]
        for folder in sorted((root / "ucsd_ped2" / "training" / "frames").iterdir())
    ]


def small(clips: list[list[Grey]]) -> list[list[Grey]]:
    """The same with people of half the height, upsampled again: as an old camera would send it."""
    return [[cv2.resize(f, (238, 158), interpolation=cv2.INTER_AREA) for f in clip] for clip in clips]


def video(path: Path) -> list[Grey]:
    """Return the grey frames of a video."""
    capture, frames = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY))
    return frames


def cut(frames: list[Grey], length: int, count: int) -> list[list[Grey]]:
    """Return the first `count` stretches of `length` frames."""
    return [frames[length * k : length * (k + 1)] for k in range(count)]


def _vtest(root: Path) -> Footage:
    frames = video(root / "vtest" / "vtest.avi")
    return Footage("vtest", 10.0, [frames[:480]], cut(frames[480:], 78, 4))


def _vtest_turned(root: Path) -> Footage:
    frames = video(root / "vtest" / "vtest.avi")
    return Footage("vtest, learned from its end", 10.0, [frames[315:]], cut(frames, 78, 4))


def _visits(root: Path) -> Footage:
    frames = video(root / "intel" / "one-by-one-person-detection.mp4")
    return Footage("one by one", 10.0, [frames[:710]], cut(frames[710:], 114, 6))


def _ped2(root: Path) -> Footage:
    clips = ped2(root)
    return Footage("Ped2, training clips", 10.0, clips[:10], clips[10:])


def _ped2_small(root: Path) -> Footage:
    clips = small(ped2(root))
    return Footage("Ped2 at 238x158", 10.0, clips[:10], clips[10:])


def _ped2_few(root: Path) -> Footage:
    clips = ped2(root)
    return Footage("Ped2, 3 clips to learn from", 10.0, clips[:3], clips[10:])


def _ped2_turned(root: Path) -> Footage:
    clips = ped2(root)
    return Footage("Ped2, learned from its last clips", 10.0, clips[5:], clips[:5])


SETS: dict[str, tuple[str, Callable[[Path], Footage]]] = {
    "vtest": ("vtest/vtest.avi", _vtest),
    "vtest-turned": ("vtest/vtest.avi", _vtest_turned),
    "visits": ("intel/one-by-one-person-detection.mp4", _visits),
    "ped2": ("ucsd_ped2/training/frames", _ped2),
    "ped2-small": ("ucsd_ped2/training/frames", _ped2_small),
    "ped2-few": ("ucsd_ped2/training/frames", _ped2_few),
    "ped2-turned": ("ucsd_ped2/training/frames", _ped2_turned),
}
"""What each needs, and what makes it."""


def rows(report: NormalityReport, kinds: list[str]) -> Iterator[tuple[str, dict[str, float]]]:
    names = [n for n in report.clips[0].single if any(c.single[n].any() for c in report.clips)]
    for kind in ("all", *KINDS):
        clips = [c for c, k in zip(report.clips, kinds, strict=True) if kind in ("all", k)]
        labels = np.concatenate([c.labels for c in clips])
        fused = np.concatenate([c.scores for c in clips])
        kept = ~np.isnan(fused)
        found = {"fused": frame_auc(fused[kept], labels[kept])}
        for n in names:
            found[n] = frame_auc(np.concatenate([c.single[n] for c in clips])[kept], labels[kept])
        yield kind, found


def dump(report: NormalityReport, kinds: list[str], name: str, folder: Path) -> None:
    """Write the scores of every clip, for trying other fusions."""
    folder.mkdir(exist_ok=True)
    for c, kind in zip(report.clips, kinds, strict=True):
        path = folder / f"{name}-{c.name}.npz"
        np.savez(path, labels=c.labels, fused=c.scores, t=c.t, kind=kind, **c.single)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", help=f"of {', '.join(SETS)}; all by default")
    parser.add_argument("--dump", type=Path, help="folder for scores (.npz), for trying other fusions")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    root, summary = footage(), []
    for name in given.sets or SETS:
        needs, make = SETS[name]
        if not (root / needs).exists():
            print(f"{name}: skipped, no {needs} under SURVEIL_FOOTAGE")
            continue
        one = make(root)
        with tempfile.TemporaryDirectory() as folder:
            dataset, kinds = plant(one, Path(folder))
            report = evaluate(dataset)
        print(f"\n{one.name}: {len(one.normal)} normal clips, {len(kinds)} planted")
        table = dict(rows(report, kinds))
        for kind, found in table.items():
            print(f"{kind:14}" + "".join(f" {n} {v:.3f}" for n, v in found.items()), flush=True)
        everything = table["all"]
        best = max((n for n in everything if n != "fused"), key=everything.__getitem__)
        summary.append(
            f"{one.name:34} fused {everything['fused']:.3f}  best single {everything[best]:.3f} ({best})"
        )
        if given.dump:
            dump(report, kinds, name, given.dump)
    print("\n" + "\n".join(summary))


if __name__ == "__main__":
    main()
