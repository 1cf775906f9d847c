"""Fills a data set: from folders, from videos with labelled intervals, from feedback on alerts; and shows it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from surveil.errors import ConfigError
from surveil.features.classify.crops import CropRequest, cut_out, places
from surveil.hidden import HiddenPicture
from surveil.offline.classify.dataset import Item, PictureSet, add, append, encoded, listed, load, remove
from surveil.offline.classify.pictures import SUFFIXES, BadPictureError, decode, read_bytes
from surveil.offline.normality.frames import stills
from surveil.types import Bytes, Frame, Polygon, Track
from surveil.view import FrameView

BoxOf = tuple[int, int, int, int]
VIDEOS = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv", ".flv"}
)
"""Suffixes by which videos are found in folders; a video that is named may have any."""
_TILE_PX, _TILES = 112, 12


@dataclass(frozen=True, slots=True)
class Interval:
    """From `start_s` to `end_s` of a video everything is of class `label`."""

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True, slots=True)
class Recording:
    """A video, or a folder with the frames of one; `label`: the class of all of it, empty: by its intervals."""

    path: Path
    label: str


def recordings(place: Path, label: str) -> tuple[Recording, ...]:
    """Return what a file or folder holds: its videos, and each folder in it with pictures; at the least itself."""
    if not place.is_dir():
        return (Recording(place, label),)
    files = [path for path in place.rglob("*") if path.is_file()]
    found = {path for path in files if path.suffix.lower() in VIDEOS}
    found |= {path.parent for path in files if path.suffix.lower() in SUFFIXES}
    return tuple(Recording(path, label) for path in sorted(found or {place}))


def recordings_by_class(place: Path) -> tuple[Recording, ...]:
    """Return the videos in a folder with one folder per class."""
    videos = sorted(path for path in place.glob("*/**/*") if path.suffix.lower() in VIDEOS)
    return tuple(Recording(path, path.relative_to(place).parts[0]) for path in videos)


def group_of(recording: Path) -> str:
    """Return the group of a recording's pictures, by its content: another of the same name is another group.

    Raises ConfigError when it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        files = sorted(p for p in recording.iterdir() if p.is_file()) if recording.is_dir() else [recording]
        for path in files:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    except OSError as error:
        raise ConfigError([f"{recording}: cannot be read: {error.strerror}"]) from None
    return f"{recording.resolve().name} {digest.hexdigest()[:12]}"


def from_video(
    folder: Path, video: Path, intervals: Sequence[Interval], *, every_s: float = 1.0, box: BoxOf | None = None,
    camera: str = "", start_wall: float | None = None, hidden: Sequence[Polygon] = (),
    progress: Callable[[int], None] | None = None,
) -> int:  # fmt: skip
    """Store a picture every `every_s` of the labelled intervals; return how many.

    `hidden`: areas in fractions of the frame, blanked. `start_wall`: Unix time of the first frame, so that splits
    go by time. Raises ConfigError for intervals that overlap with another class, end before they begin, or of which
    the video has no frame (what the others gave is kept), SourceError for a video that cannot be read.
    """
    _check(intervals)
    count, due, end = 0, -np.inf, 0.0
    seen: set[Interval] = set()
    group = group_of(video) if start_wall is None and video.exists() else ""
    for still in stills(video, hidden=hidden):
        end = still.t
        there = [i for i in intervals if i.start_s <= still.t < i.end_s]
        seen.update(there)
        if not there or still.t < due:
            continue
        label = there[0].label
        due = still.t + every_s
        t_wall = None if start_wall is None else start_wall + still.t
        add(
            folder,
            still.picture.bgr(),
            label,
            camera=camera,
            t_wall=t_wall,
            origin="video",
            # Without wall times the video itself is the unit: neighbouring frames must not be on two sides.
            group=group and f"{group} {label}",
            box=box,
        )
        count += 1
        if progress is not None:
            progress(count)
    if unseen := [i for i in intervals if i not in seen]:
        ends = f"the video ends at {end:.1f} s; {count} pictures of the others were added"
        raise ConfigError([f"interval {i.start_s:g}-{i.end_s:g} s: has no frame, {ends}" for i in unseen])
    return count


class CropCollector:
    """Stores what a look sees in frames that come one by one: whole pictures, a zone, or followed objects.

    The crops are those that the daemon will classify. Mutable; one caller's.
    """

    def __init__(
        self,
        folder: Path,
        look: CropRequest,
        label: str,
        origin: str,
        group: str = "",
        hidden: Sequence[Polygon] = (),
    ) -> None:
        """`group`: of a recording whose wall times are not known; else pictures have times.

        `hidden`: areas in fractions of the frame, blanked: nothing of them is kept.
        """
        self.count = 0
        self._hidden = tuple(hidden)
        self._folder, self._look, self._label = folder, look, label
        self._origin, self._group, self._run = origin, group, ""
        self._due = -np.inf

    def see(self, frame: Frame, tracks: Sequence[Track]) -> None:
        """Store the crops of a frame when they are due. Raises OSError on a full disk."""
        if frame.t < self._due or (frame.damaged and not frame.degraded):
            return
        self._due = frame.t + self._look.every_s - 1e-6
        found = places(self._look, FrameView(frame, tracks))
        if not found:
            return
        picture = HiddenPicture(frame.picture, self._hidden).bgr()
        # Numbers of tracks begin again with each run: without its beginning two people would share a group.
        self._run = self._run or self._group or f"{frame.camera} {frame.t_wall:.0f}"
        for place in found:
            part = np.ascontiguousarray(cut_out(picture, place.box))
            # Crops of one followed object show one thing: they stay on one side of a split.
            group = self._group if place.track is None else f"{self._run} {place.track}"
            add(
                self._folder, part, self._label, camera=frame.camera,
                t_wall=None if self._group else frame.t_wall,
                origin=self._origin, group=group,
            )  # fmt: skip
            self.count += 1


def _check(intervals: Sequence[Interval]) -> None:
    wrong = [
        f"interval {i.start_s:g}-{i.end_s:g} s: ends before it begins"
        for i in intervals
        if i.end_s <= i.start_s
    ]
    ordered = sorted(intervals, key=lambda i: i.start_s)
    for a, b in pairwise(ordered):
        if b.start_s < a.end_s and a.label != b.label:
            wrong.append(
                f"intervals {a.start_s:g}-{a.end_s:g} s ({a.label}) and {b.start_s:g}-{b.end_s:g} s ({b.label}) overlap"
            )
    if wrong or not intervals:
        raise ConfigError(wrong or ["no intervals are labelled"])


def from_folders(folder: Path, source: Path, camera: str = "") -> tuple[int, tuple[str, ...]]:
    """Copy a folder with one folder of pictures per class into the data set; return how many, and what was left out."""
    read = load(source)
    for item in read.items:
        rgb = read.read(item)
        add(folder, np.ascontiguousarray(rgb[:, :, ::-1]), item.label, camera=camera or item.camera, t_wall=item.t_wall,
            origin="folder", group=item.group)  # fmt: skip
    return len(read.items), read.problems


def from_feedback(
    folder: Path, picture: Path, verdict: str, *, camera: str, t_wall: float, box: BoxOf | None = None
) -> Item:
    """Store an alert's clean snapshot as `verdict` (a class, or `true` / `false`); a later verdict corrects an earlier.

    Raises ConfigError when the picture is gone or damaged.
    """
    return add(
        folder,
        _bgr(picture),
        verdict,
        camera=camera,
        t_wall=t_wall,
        origin="feedback",
        box=box,
        correct=True,
    )


def without_feedback(folder: Path, picture: Path, box: BoxOf | None = None) -> None:
    """Take out what `from_feedback` has stored. Raises ConfigError as it does."""
    digest = hashlib.sha256(encoded(_bgr(picture), box)).hexdigest()
    for item in [one for one in listed(folder) if one.sha256 == digest]:
        remove(folder, item)


def _bgr(picture: Path) -> Bytes:
    try:
        return np.ascontiguousarray(decode(read_bytes(picture))[:, :, ::-1])
    except BadPictureError as error:
        raise ConfigError([f"{picture}: {error}"]) from None


def relabel(data: PictureSet, path: str, label: str) -> None:
    """Correct a picture's class: a later line of the manifest replaces the earlier. Raises ConfigError."""
    found = next((item for item in data.items if item.path == path), None)
    if found is None:
        raise ConfigError([f"{data.folder}: has no picture {path!r}"])
    append(data.folder, replace(found, label=label))


def describe(data: PictureSet) -> list[str]:
    """Return what is in a data set as lines of text: classes, cameras, times, origins, what was left out."""
    found = [f"{data.folder}: {len(data.items)} pictures, {data.sha256[:12]}…"]
    found += [f"  class {label}: {n}" for label, n in data.counts.items()]
    for what, values in (
        ("camera", Counter(item.camera or "unknown" for item in data.items)),
        ("origin", Counter(item.origin for item in data.items)),
        ("day", Counter(_day(item.t_wall) for item in data.items)),
    ):
        found += [f"  {what} {name}: {n}" for name, n in sorted(values.items())]
    return found + [f"  left out: {problem}" for problem in data.problems]


def _day(t_wall: float | None) -> str:
    return "unknown" if t_wall is None else datetime.fromtimestamp(t_wall, UTC).strftime("%Y-%m-%d")


def sheet(data: PictureSet) -> Bytes:
    """Draw a row of pictures per class, evenly chosen: uint8 BGR."""
    rows = []
    for label in data.classes:
        mine = [item for item in data.items if item.label == label]
        chosen = [mine[int(i)] for i in np.linspace(0, len(mine) - 1, min(_TILES, len(mine)))]
        row = np.full((_TILE_PX + 18, _TILE_PX * _TILES, 3), 255, np.uint8)
        cv2.putText(
            row, f"{label} ({len(mine)})", (2, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA
        )
        for k, item in enumerate(chosen):
            tile = cv2.resize(data.read(item), (_TILE_PX, _TILE_PX), interpolation=cv2.INTER_AREA)
            row[18:, k * _TILE_PX : (k + 1) * _TILE_PX] = tile[:, :, ::-1]
        rows.append(row)
    return np.concatenate(rows)
