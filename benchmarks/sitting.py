"""People who come in, sit or stand and stay; ghosts: `python -m benchmarks.sitting [people] [ghosts] [hard]`.

`people`: people are cut out of a folder of pictures with YOLO labels (`coco256`, SURVEIL_FOOTAGE) and moved into
pictures without people. They come in within the first seconds, stay, and move a little now and then. Printed: the
share that is followed at the end, the precision of what is followed, and the mean error of their number.
`ghosts`: pictures without people, with grain and changes of light; tracks of people that live longer than 5 s.
`hard`: the same pictures at 1.6 times their size, with more grain, and light that changes often and by up to the half.

A film lasts 60 s and is looked at 5 times a second, by gate, planner of crops, model and engine as in the daemon.
Films depend on their seed alone, so that two builds can be compared: run the file with the PYTHONPATH of each.
`--looks FOLDER` keeps what the model said of each crop; another run with the same crops then takes no model.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from surveil import types
from surveil.capture.picture import ArrayPicture
from surveil.clock import SystemClock
from surveil.detect.detector import Detector
from surveil.detect.settings import DetectSettings, ModelSettings
from surveil.engine import CameraEngine
from surveil.models.store import ModelStore, open_detector
from surveil.track.settings import TrackSettings
from surveil.track.tracker import Tracker
from surveil.types import Detections, Frame, Observation, Track
from surveil.vision.motion import MotionGate, plane_size
from surveil.vision.regions import RegionPlanner, as_boxes
from surveil.vision.settings import MotionSettings
from surveil.vision.unchanged import UnchangedPlaces

try:
    from surveil.view import FrameView
except ImportError:  # builds before views were a module of their own
    from surveil.pipeline.work import View as FrameView  # type: ignore[attr-defined, no-redef]

Image = NDArray[np.uint8]
Crop = tuple[int, int, int, int]
Boxes = NDArray[np.float64]
"""(n, 4) x1 y1 x2 y2 px."""

SECONDS, FPS = 60.0, 5.0
COMES_S, SETTLED_S = 6.0, 15.0
"""Everybody comes within the first; counted from the second on."""
LONG_S = 5.0
MATCH_IOU = 0.4
LEAST_PX, LARGEST = 48, 0.75
"""Height of people who are cut out, px, and at most this share of the picture that they come into."""
ALONE = 0.15
"""Of a cut, so much may be other people."""
OTHERS = 0.1
"""What is so small in a cut counts neither way."""
MOST_PEOPLE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What happens to the picture beside what is in it."""

    grain: float = 2.0
    """Standard deviation, of 255."""
    changes: int = 3
    """Of the light, in the time of the film."""
    swing: float = 0.15
    """By at most this part, each."""
    size: float = 1.0
    """How many times as large as its file a picture is."""


HARD = Conditions(grain=6.0, changes=12, swing=0.5, size=1.6)


@dataclass(frozen=True, slots=True)
class Album:
    """Pictures with the boxes of people in them."""

    pictures: list[Path]
    people: list[Boxes]

    @classmethod
    def read(cls, folder: Path) -> Album:
        """Read the labels of a folder with `images/` and `labels/`."""
        pictures = sorted((folder / "images").glob("*/*.jpg"))
        return cls(pictures, [_people(p) for p in pictures])

    def empty(self) -> list[Path]:
        """Return the pictures without people."""
        return [path for path, people in zip(self.pictures, self.people, strict=True) if not len(people)]

    def cuts(self) -> list[tuple[Path, Boxes]]:
        """Return picture and box of each person that can be cut out."""
        return [
            (path, box)
            for path, people in zip(self.pictures, self.people, strict=True)
            for i, box in enumerate(people)
            if box[3] - box[1] >= LEAST_PX and _shared(box, np.delete(people, i, axis=0)) <= ALONE
        ]


def _people(picture: Path) -> Boxes:
    label = picture.parents[2] / "labels" / picture.parent.name / f"{picture.stem}.txt"
    rows = [line.split()[:5] for line in label.read_text().splitlines()] if label.exists() else []
    whole = np.array([row[1:] for row in rows if row[0] == "0"], float).reshape(-1, 4)
    if not len(whole):
        return whole
    height, width = _load(picture).shape[:2]
    centre, half = whole[:, :2] * (width, height), whole[:, 2:] * (width, height) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def _load(path: Path) -> Image:
    picture = cv2.imread(str(path))
    if picture is None:
        raise FileNotFoundError(f"{path}: no picture; check SURVEIL_FOOTAGE")
    return np.asarray(picture, np.uint8)


def _overlaps(a: Boxes, b: Boxes) -> Boxes:
    """Return the common area of boxes (n, 4) and (m, 4)."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    return np.asarray(np.prod(np.clip(high - low, 0, None), axis=2))


def _area(boxes: Boxes) -> Boxes:
    return np.asarray(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))


def _shared(box: Boxes, others: Boxes) -> float:
    """Return the largest part of `box` that another covers."""
    return float((_overlaps(box[None], others) / _area(box[None])[:, None]).max(initial=0.0))


def _iou(a: Boxes, b: Boxes) -> Boxes:
    common = _overlaps(a, b)
    return np.asarray(common / (_area(a)[:, None] + _area(b)[None] - common))


@dataclass(slots=True, kw_only=True)
class Actor:
    """Somebody who comes in from one side, stays, and moves a little now and then."""

    look: Image
    mask: NDArray[np.float32]
    place: tuple[int, int]
    """Where the box ends up: left and top, px."""
    comes_s: float
    """When he sets out, s."""
    takes_s: float
    from_left: bool
    moves_s: list[float]
    """When he moves, s; for a second each."""
    sways: list[float]
    """By which part of the height, each time."""

    def draw(self, picture: Image, t: float) -> Boxes:
        """Draw him at `t` s; return his box (0 or 1, 4)."""
        if t < self.comes_s:
            return np.zeros((0, 4))
        height, width = self.look.shape[:2]
        done = min(1.0, (t - self.comes_s) / self.takes_s)
        start = -width if self.from_left else picture.shape[1]
        x = round(start + (self.place[0] - start) * done)
        sway = sum(
            s * height * np.sin(np.pi * (t - at))
            for at, s in zip(self.moves_s, self.sways, strict=True)
            if at <= t < at + 1
        )
        look, mask = self._bent(float(sway)) if sway else (self.look, self.mask)
        return _paste(picture, look, mask, x, self.place[1])

    def _bent(self, by: float) -> tuple[Image, NDArray[np.float32]]:
        """Shear him: the feet stay, the head goes `by` px to the side."""
        height, width = self.look.shape[:2]
        shear = np.array([[1.0, -by / height, by], [0.0, 1.0, 0.0]])
        bent = cv2.warpAffine(self.look, shear, (width, height), borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(bent, np.uint8), cv2.warpAffine(self.mask, shear, (width, height))


def _paste(picture: Image, look: Image, mask: NDArray[np.float32], x: int, y: int) -> Boxes:
    height, width = look.shape[:2]
    x1, y1, x2, y2 = max(0, x), max(0, y), min(picture.shape[1], x + width), min(picture.shape[0], y + height)
    if x2 - x1 < 2 or y2 - y1 < 2:
        return np.zeros((0, 4))
    inner = np.s_[y1 - y : y2 - y, x1 - x : x2 - x]
    weight = mask[inner][:, :, None]
    part = picture[y1:y2, x1:x2]
    part[:] = np.asarray(part * (1 - weight) + look[inner] * weight, np.uint8)
    return np.array([[x1, y1, x2, y2]], float)


@dataclass(slots=True, kw_only=True)
class Film:
    """One scene, the people in it, grain and changes of light."""

    name: str
    scene: Image
    actors: list[Actor] = field(default_factory=list)
    seed: int = 0
    conditions: Conditions = field(default_factory=Conditions)

    def frames(self) -> Iterator[tuple[float, Image, Boxes]]:
        """Yield stream time, picture and the boxes of people."""
        rng = np.random.default_rng(self.seed)
        height, width = self.scene.shape[:2]
        grain = rng.normal(0, self.conditions.grain, (4, height + 32, width + 32)).astype(np.int16)
        changes, swing = self.conditions.changes, self.conditions.swing
        steps = np.sort(rng.uniform(0, SECONDS, changes))
        levels = [1.0, *rng.uniform(1 - swing, 1 + swing, changes)]
        phase = rng.uniform(0, 2 * np.pi)
        for i in range(round(SECONDS * FPS)):
            t = i / FPS
            picture = self.scene.copy()
            boxes = np.concatenate([np.zeros((0, 4)), *(actor.draw(picture, t) for actor in self.actors)])
            light = levels[int((steps <= t).sum())] * (1 + 0.03 * np.sin(2 * np.pi * t / 30 + phase))
            dy, dx = rng.integers(0, 32, 2)
            noise = grain[i % 4, dy : dy + height, dx : dx + width]
            lit = cv2.convertScaleAbs(picture, alpha=float(light))
            yield t, np.asarray(cv2.add(lit, cv2.merge([noise] * 3), dtype=cv2.CV_8U), np.uint8), boxes


def film_of_people(album: Album, seed: int) -> Film:
    """Make the film of a seed; every second one is as wide as two pictures."""
    rng = np.random.default_rng(seed)
    empty, cuts = album.empty(), album.cuts()
    scene = _load(empty[rng.integers(len(empty))])
    if seed % 2:
        other = _load(empty[rng.integers(len(empty))])
        height = min(scene.shape[0], other.shape[0])
        scene = np.ascontiguousarray(np.hstack([scene[:height], other[:height]]))
    film = Film(name=f"people-{seed}", scene=scene, seed=seed)
    taken = np.zeros((0, 4))
    for _ in range(int(rng.integers(1, MOST_PEOPLE + 1))):
        for _ in range(20):
            path, box = cuts[rng.integers(len(cuts))]
            actor = _actor(_load(path), box, scene.shape[:2], rng)
            if actor is None:
                continue
            height, width = actor.look.shape[:2]
            place = np.array([[*actor.place, actor.place[0] + width, actor.place[1] + height]], float)
            if _shared(place[0], taken) == 0 and _overlaps(taken, place).max(initial=0.0) == 0:
                taken = np.concatenate([taken, place])
                film.actors.append(actor)
                break
    return film


def _actor(picture: Image, box: Boxes, size: tuple[int, ...], rng: np.random.Generator) -> Actor | None:
    x1, y1 = np.maximum(0, np.floor(box[:2])).astype(int)
    x2, y2 = np.ceil(box[2:]).astype(int)
    look = picture[y1:y2, x1:x2]
    scale = rng.uniform(0.6, 1.0)
    width, height = round(look.shape[1] * scale), round(look.shape[0] * scale)
    if height > LARGEST * size[0] or width > LARGEST * size[1] or min(width, height) < LEAST_PX / 3:
        return None
    look = cv2.resize(look, (width, height), interpolation=cv2.INTER_AREA)
    mask = np.zeros((height, width), np.float32)
    edge = max(1, min(width, height) // 12)
    mask[edge:-edge, edge:-edge] = 1.0
    times = np.cumsum(rng.exponential(8.0, 30)) + SETTLED_S - 5
    return Actor(
        look=np.asarray(look, np.uint8),
        mask=np.asarray(cv2.blur(mask, (2 * edge + 1, 2 * edge + 1)), np.float32),
        place=(
            int(rng.integers(0, size[1] - width + 1)),
            int(rng.integers(min(size[0] // 5, size[0] - height), size[0] - height + 1)),
        ),
        comes_s=float(rng.uniform(1.0, COMES_S)),
        takes_s=float(rng.uniform(2.0, 4.0)),
        from_left=bool(rng.integers(2)),
        moves_s=[float(t) for t in times if t < SECONDS],
        sways=[float(s) for s in rng.choice([-1, 1], 30) * rng.uniform(0.02, 0.06, 30)][
            : int((times < SECONDS).sum())
        ],
    )


class Looks:
    """What the model says of crops, kept in a file where a folder is given."""

    def __init__(self, detector: Detector, folder: Path | None, film: str) -> None:
        self._detector = detector
        self.side = detector.input.width
        """Of the model's input, px."""
        self._path = folder / f"{film}.npz" if folder else None
        self._kept: dict[str, NDArray[np.float32]] = {}
        self._is_new = False
        self.crops = 0
        if self._path and self._path.exists():
            with np.load(self._path) as kept:
                self._kept = dict(kept)

    def at(self, number: int, picture: ArrayPicture, crops: Sequence[Crop]) -> Detections:
        """Return what is found in `crops` of frame `number`."""
        self.crops += len(crops)
        key = f"{number}:{crops}"
        if key not in self._kept:
            looks = [self._detector.prepare(picture, crop) for crop in crops]
            seen = self._detector.detect([looks])[0]
            self._kept[key] = np.c_[seen.boxes, seen.scores, seen.classes].astype(np.float32)
            self._is_new = True
        rows = self._kept[key]
        return Detections(rows[:, :4].copy(), rows[:, 4].copy(), rows[:, 5].astype(np.int32))

    def keep(self) -> None:
        """Write what is new."""
        if self._path and self._is_new:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(self._path, **self._kept)  # type: ignore[arg-type]


def follow(
    film: Film, looks: Looks, labels: Sequence[str]
) -> Iterator[tuple[float, tuple[Track, ...], Boxes]]:
    """Yield stream time, the people that are followed, and where there are some."""
    settings = DetectSettings()
    gate = MotionGate(MotionSettings(), idle_interval_s=settings.idle_interval_s)
    planner = RegionPlanner(
        input_px=looks.side,
        min_object_px=settings.min_object_px,
        max_crops=settings.max_crops,
        idle_interval_s=settings.idle_interval_s,
    )
    places = UnchangedPlaces(settings.min_object_px)
    engine = CameraEngine("yard", [], Tracker(TrackSettings()), labels=labels)
    tracks: tuple[Track, ...] = ()
    followed: tuple[Track, ...] = ()
    for number, (t, image, boxes) in enumerate(film.frames()):
        picture = ArrayPicture(image)
        size = (picture.width, picture.height)
        frame = Frame(camera="yard", seq=number, t=t, t_wall=t, picture=picture)
        view = FrameView(frame, tracks)
        motion = view.motion = gate.update(
            view.luma(*plane_size(*size, settings.min_object_px)), t, size, followed
        )
        unchanged = places.observe(view)
        crops = planner.plan(motion, followed, size, t)
        seen = looks.at(number, picture, crops) if crops else None
        step = engine.step(
            Observation(
                frame, *size, motion=motion, detections=seen, regions=as_boxes(crops) if crops else None,
                closest=planner.closest, **_found(unchanged),
            )
        )  # fmt: skip
        tracks = step.tracks
        followed = (*tracks, *getattr(step, "doubtful", ()))
        yield t, tuple(track for track in tracks if track.label == "person"), boxes
    looks.keep()


def _found(unchanged: object) -> dict[str, object]:
    """Return what an observation says of unchanged places, as this build wants it."""
    if hasattr(types, "Findings"):
        return {"findings": types.Findings([unchanged])}
    return {"extras": {"unchanged": unchanged}}


@dataclass(slots=True)
class Tally:
    """What came out of films of people."""

    people: int = 0
    believed: int = 0
    followed: int = 0
    right: int = 0
    errors: list[int] = field(default_factory=list)
    crops: int = 0
    heights: list[tuple[float, bool]] = field(default_factory=list)

    def add(self, film: Film, looks: Looks, labels: Sequence[str]) -> None:
        """Play a film."""
        for t, tracks, boxes in follow(film, looks, labels):
            if t < SETTLED_S or t % 1:
                continue
            found = np.array([track.box for track in tracks], float).reshape(-1, 4)
            found = found[~_others(found, boxes)]
            pairs = _pairs(_iou(found, boxes))
            self.followed += len(found)
            self.right += len(pairs)
            self.errors.append(abs(len(found) - len(boxes)))
        self.people += len(boxes)
        self.believed += len(pairs)
        met = {column for _, column in pairs}
        self.heights += [(float(b[3] - b[1]), i in met) for i, b in enumerate(boxes)]
        self.crops += looks.crops

    def say(self) -> str:
        """Return the figures."""
        return (
            f"{self.people} people, followed at the end {self.believed / self.people:.3f}, precision "
            f"{self.right / max(1, self.followed):.3f}, mean error of their number {np.mean(self.errors):.3f}, "
            f"{self.crops} crops"
        )


def _others(found: Boxes, boxes: Boxes) -> NDArray[np.bool_]:
    """Return which tracks may be somebody else in the picture that a cut is from: small, and inside the cut."""
    inside = _overlaps(found, boxes) >= 0.8 * _area(found)[:, None]
    return np.asarray((inside & (_area(found)[:, None] < OTHERS * _area(boxes)[None])).any(axis=1))


def _pairs(iou: Boxes) -> list[tuple[int, int]]:
    """Pair tracks and people, the best first."""
    pairs: list[tuple[int, int]] = []
    iou = iou.copy()
    while iou.size and iou.max() >= MATCH_IOU:
        row, column = (int(v) for v in np.unravel_index(int(iou.argmax()), iou.shape))
        pairs.append((row, column))
        iou[row], iou[:, column] = 0, 0
    return pairs


def ghosts(film: Film, looks: Looks, labels: Sequence[str]) -> int:
    """Return how many people are followed for longer than 5 s where there are none."""
    began: dict[int, float] = {}
    lived: dict[int, float] = {}
    for t, tracks, _ in follow(film, looks, labels):
        for track in tracks:
            lived[track.id] = t - began.setdefault(track.id, t)
    return sum(seconds > LONG_S for seconds in lived.values())


def _count_ghosts(
    pictures: Sequence[Path], conditions: Conditions, detector: Detector, kept: Path | None
) -> tuple[int, int]:
    """Return how many ghosts there are in the films of the pictures, and how many crops were looked at."""
    count, crops = 0, 0
    for number, path in enumerate(pictures):
        looks = Looks(detector, kept, f"ghosts-{conditions.size}-{path.stem}")
        scene = _load(path)
        if conditions.size != 1:
            scaled = cv2.resize(scene, None, fx=conditions.size, fy=conditions.size)
            scene = np.asarray(scaled, np.uint8)
        film = Film(name=path.stem, scene=scene, seed=number, conditions=conditions)
        count += ghosts(film, looks, detector.labels)
        crops += looks.crops
    return count, crops


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="*", default=["people", "ghosts"])
    parser.add_argument("--films", type=int, default=40, help="films of people")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    parser.add_argument("--every", type=int, default=1, help="of the pictures without people, every so many")
    parser.add_argument("--looks", type=Path, help="keep what the model says of each crop in this folder")
    parser.add_argument("--model", type=Path, help="an ONNX detector; by default the one inside the package")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    here = Path(__file__).resolve().parents[2] / "shared" / "footage"
    album = Album.read(Path(os.environ.get("SURVEIL_FOOTAGE", here)) / "coco256")
    settings = ModelSettings(file=given.model) if given.model else ModelSettings()
    detector = open_detector(settings, ModelStore(Path("/nonexistent")), SystemClock())
    if "people" in given.what:
        tally = Tally()
        for seed in range(given.first, given.first + given.films):
            film = film_of_people(album, seed)
            tally.add(film, Looks(detector, given.looks, film.name), detector.labels)
        print(tally.say(), flush=True)
    for what, conditions in (("ghosts", Conditions()), ("hard", HARD)):
        if what in given.what:
            pictures = album.empty()[:: given.every]
            count, crops = _count_ghosts(pictures, conditions, detector, given.looks)
            print(
                f"{what}: {len(pictures)} pictures without people, {count} ghosts, {crops} crops", flush=True
            )


if __name__ == "__main__":
    main()
