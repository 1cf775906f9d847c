"""Planted anomalies in real footage: does the sum of the attributes beat each of them where nothing was tuned?

`python -m benchmarks.planted` cuts people out of normal footage (UCSD Ped2's *training* clips, vtest) and puts
them back where, how fast or how they never were: seven kinds, each in several held-out normal clips. Ped2's test
clips and their labels are not touched. Printed: micro frame AUC over all clips by attribute, and of the fusion
by kind. Footage in SURVEIL_FOOTAGE; what is missing is skipped.
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
from surveil.learn.dataset import Clip, Dataset, Labels
from surveil.learn.evaluate import Report, evaluate
from surveil.learn.figures import frame_auc

Grey = np.ndarray
FROM, TO = 0.35, 0.8
"""Share of a clip between which the anomaly is there."""


@dataclass(frozen=True)
class Sprite:
    """Somebody who walks, frame by frame, cut out."""

    crops: list[Grey]
    masks: list[Grey]
    x: float
    """Where the foot was at first, px."""
    y: float
    vx: float
    """px a frame."""
    vy: float

    @property
    def height(self) -> int:
        return self.crops[0].shape[0]


def sprites(frames: list[Grey], background: Grey, wanted: int) -> list[Sprite]:
    """Cut out the people who can be followed longest."""
    tracks: list[list[tuple[int, int, int, int, int]]] = []
    for i, frame in enumerate(frames):
        for x, y, w, h in _blobs(frame, background):
            near = [t for t in tracks if t[-1][0] == i - 1 and _same(t[-1][1:], (x, y, w, h))]
            (near[0] if near else tracks.append([]) or tracks[-1]).append((i, x, y, w, h))
    tracks = sorted((t for t in tracks if len(t) >= 12), key=len, reverse=True)[:wanted]
    return [_sprite(t, frames, background) for t in tracks]


def _blobs(frame: Grey, background: Grey) -> Iterator[tuple[int, int, int, int]]:
    mask = cv2.morphologyEx(
        (cv2.absdiff(frame, background) > 22).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 3))
    )
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    rows, columns = frame.shape
    for x, y, w, h, area in stats[1:count].tolist():
        inside = x > 1 and y > 1 and x + w < columns - 1 and y + h < rows - 1
        if inside and 1.6 * w <= h <= 3.6 * w and h >= 0.08 * rows and area > 0.4 * w * h:
            yield x, y, w, h


def _same(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    near = abs(a[0] + a[2] / 2 - b[0] - b[2] / 2) < 0.3 * a[3] and abs(a[1] + a[3] - b[1] - b[3]) < 0.2 * a[3]
    return near and 0.8 < a[3] / b[3] < 1.25


def _sprite(track: list[tuple[int, int, int, int, int]], frames: list[Grey], background: Grey) -> Sprite:
    w, h = (max(t[k] for t in track) + 6 for k in (3, 4))
    crops, masks = [], []
    for i, x, y, bw, bh in track:
        left, top = (
            min(max(0, x + bw // 2 - w // 2), frames[i].shape[1] - w),
            min(max(0, y + bh - h + 3), frames[i].shape[0] - h),
        )
        part = np.s_[top : top + h, left : left + w]
        mask = (cv2.absdiff(frames[i][part], background[part]) > 15).astype(np.uint8)
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((7, 5)))
        crops.append(frames[i][part])
        masks.append(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0))
    first, last = track[0], track[-1]
    n = last[0] - first[0]
    foot = [(t[1] + t[3] / 2, t[2] + t[4]) for t in (first, last)]
    return Sprite(crops, masks, *foot[0], (foot[1][0] - foot[0][0]) / n, (foot[1][1] - foot[0][1]) / n)


def put(
    frame: Grey, crop: Grey, mask: Grey, x: float, y: float, scale: tuple[float, float] = (1.0, 1.0)
) -> None:
    """Draw a crop with its foot at x, y."""
    h, w = crop.shape
    where = np.float32([[scale[0], 0, x - scale[0] * w / 2], [0, scale[1], y - scale[1] * h]])
    size = (frame.shape[1], frame.shape[0])
    moved, alpha = (cv2.warpAffine(part, where, size, flags=cv2.INTER_LINEAR) for part in (crop, mask))
    frame[:] = (frame * (1 - alpha) + moved * alpha).astype(np.uint8)


Kind = Callable[[Grey, Sprite, int, int, float, tuple[float, float]], None]
"""Draws frame `i` of `n` of an anomaly; `pace` is frames per tenth of a second; the last is a place."""


def _at(sprite: Sprite, i: float) -> tuple[Grey, Grey]:
    k = int(i) % (2 * len(sprite.crops) - 1)
    k = min(k, 2 * len(sprite.crops) - 2 - k)
    return sprite.crops[k], sprite.masks[k]


def _bounce(value: float, low: float, high: float) -> float:
    span = high - low
    k = (value - low) % (2 * span)
    return low + (k if k < span else 2 * span - k)


def runner(frame: Grey, s: Sprite, i: int, _n: int, pace: float, _place: tuple[float, float]) -> None:
    speed = max(abs(s.vx), 0.4 * s.height * 0.1 / pace)
    put(frame, *_at(s, 2 * i), _bounce(s.x + 3 * speed * i, s.height, frame.shape[1] - s.height), s.y)


def crossing(frame: Grey, s: Sprite, i: int, _n: int, pace: float, _place: tuple[float, float]) -> None:
    speed = max(abs(s.vx), 0.6 * s.height * 0.1 / pace)
    put(frame, *_at(s, i), s.x, _bounce(s.y + speed * i, 1.2 * s.height, frame.shape[0] - 2.0))


def stander(frame: Grey, s: Sprite, i: int, _n: int, _pace: float, _place: tuple[float, float]) -> None:
    put(frame, s.crops[0], s.masks[0], s.x + 0.3 * np.sin(i), s.y)


def giant(frame: Grey, s: Sprite, i: int, _n: int, _pace: float, _place: tuple[float, float]) -> None:
    put(frame, *_at(s, i), _bounce(s.x + s.vx * i, s.height, frame.shape[1] - s.height), s.y, (2.0, 2.0))


def dancer(frame: Grey, s: Sprite, i: int, _n: int, pace: float, _place: tuple[float, float]) -> None:
    beat = 2 * np.pi * 2.0 * i * 0.1 / pace
    put(
        frame,
        *_at(s, 2 * i),
        s.x + 0.15 * s.height * np.sin(beat),
        s.y - 0.1 * s.height * abs(np.sin(beat)),
        (1.0 + 0.4 * np.sin(beat / 2), 1.0),
    )


def thrown(frame: Grey, s: Sprite, i: int, _n: int, pace: float, _place: tuple[float, float]) -> None:
    t = (i * 0.1 / pace) % 1.2
    x, y = s.x + 2.0 * s.height * (t - 0.6), s.y - s.height * (0.5 + 2.2 * t - 1.9 * t * t)
    r = max(3, s.height // 7)
    cv2.rectangle(frame, (round(x), round(y)), (round(x) + r, round(y) + r), 230, -1)


def off_the_way(frame: Grey, s: Sprite, i: int, _n: int, _pace: float, place: tuple[float, float]) -> None:
    put(frame, *_at(s, i), place[0] + 0.3 * s.height * np.sin(i * abs(s.vx) / (0.3 * s.height + 1)), place[1])


KINDS: dict[str, Kind] = {
    "runner": runner,
    "crossing": crossing,
    "stander": stander,
    "giant": giant,
    "dancer": dancer,
    "thrown": thrown,
    "off the way": off_the_way,
}


def quiet_place(frames: list[Grey], background: Grey, height: int) -> tuple[float, float]:
    """Find where least ever happened, for somebody of this height."""
    busy = np.mean([cv2.absdiff(f, background) > 20 for f in frames[::5]], axis=0).astype(np.float32)
    pooled = cv2.boxFilter(busy, -1, (height // 2, height))
    rows, columns = pooled.shape
    pooled[: height + 4] = pooled[rows - height // 2 :] = pooled[:, :height] = pooled[
        :, columns - height :
    ] = 9
    y, x = np.unravel_index(int(pooled.argmin()), pooled.shape)
    return float(x), float(y + height / 2)


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
    normal = [_write(folder / f"normal{i}", clip) for i, clip in enumerate(footage.normal)]
    clips, kinds, k = [], [], 0
    for name, kind in KINDS.items():
        for _ in range(2):
            frames = [f.copy() for f in footage.held_out[k % len(footage.held_out)]]
            sprite = people[k % len(people)]
            place = quiet_place(everything, background, sprite.height)
            a, b = int(FROM * len(frames)), int(TO * len(frames))
            for i in range(a, b):
                kind(frames[i], sprite, i - a, b - a, pace, place)
            path = _write(folder / f"{name}-{k}".replace(" ", "-"), frames)
            flags = tuple(int(a <= i < b) for i in range(len(frames)))
            clips.append(Clip(path.name, path, Labels(frames=flags)))
            kinds.append(name)
            k += 1
    return Dataset(footage.name, footage.fps, tuple(normal), tuple(clips)), kinds


def _write(folder: Path, frames: list[Grey]) -> Path:
    folder.mkdir()
    for i, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"{i:04d}.png"), frame, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return folder


def ped2(root: Path) -> Footage:
    clips = [
        [cv2.imread(str(p), 0) for p in sorted(folder.glob("*.jpg")) or sorted(folder.iterdir())]
        for folder in sorted((root / "training" / "frames").iterdir())
    ]
    return Footage("Ped2, training clips", 10.0, clips[:10], clips[10:])


def small(whole: Footage) -> Footage:
    """The same with people of half the height, upsampled again: as an old camera would send it."""

    def shrink(clips: list[list[Grey]]) -> list[list[Grey]]:
        return [[cv2.resize(f, (238, 158), interpolation=cv2.INTER_AREA) for f in clip] for clip in clips]

    return Footage("Ped2 at 238x158", whole.fps, shrink(whole.normal), shrink(whole.held_out))


def vtest(root: Path) -> Footage:
    capture, frames = cv2.VideoCapture(str(root / "vtest.avi")), []
    while (read := capture.read())[0]:
        frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY))
    return Footage("vtest", 10.0, [frames[:480]], [frames[480 + 78 * k : 558 + 78 * k] for k in range(4)])


def rows(report: Report, kinds: list[str]) -> Iterator[tuple[str, dict[str, float]]]:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dump", type=Path, help="folder for scores (.npz), for trying other fusions")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    root = footage()
    sets = []
    if (root / "vtest" / "vtest.avi").is_file():
        sets.append(vtest(root / "vtest"))
    if (root / "ucsd_ped2" / "training").is_dir():
        sets += [whole := ped2(root / "ucsd_ped2"), small(whole)]
    for one in sets:
        with tempfile.TemporaryDirectory() as folder:
            dataset, kinds = plant(one, Path(folder))
            report = evaluate(dataset)
        print(f"\n{one.name}: {len(one.normal)} normal clips, {len(kinds)} planted")
        for kind, found in rows(report, kinds):
            print(f"{kind:14}" + "".join(f" {n} {v:.3f}" for n, v in found.items()), flush=True)
        if given.dump:
            given.dump.mkdir(exist_ok=True)
            for c, kind in zip(report.clips, kinds, strict=True):
                np.savez(
                    given.dump / f"{one.name}-{c.name}.npz",
                    labels=c.labels,
                    fused=c.scores,
                    t=c.t,
                    kind=kind,
                    **c.single,
                )


if __name__ == "__main__":
    main()
