"""What stands still and is seldom found: `python -m benchmarks.overlooked [starts] [places]`.

`starts`: half an hour of a still object that is found by chance in a share of the looks once it has come;
events that an intrusion rule starts, by the tracker alone (nothing is known of its place).
`places`: pairs of pictures of vtest (needs the clip and its labels, SURVEIL_FOOTAGE): how a place correlates with
itself that a person has left since, and one where there was nobody.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.people import footage, read
from surveil.capture.picture import ArrayPicture
from surveil.engine import CameraEngine
from surveil.features.registry import build_rules
from surveil.geometry import areas, intersection
from surveil.rules.intrusion import IntrusionSettings
from surveil.track.settings import TrackSettings
from surveil.track.tracker import Tracker
from surveil.types import Bytes, Detections, Frame, Observation, Track
from surveil.vision.motion import plane_size
from surveil.vision.unchanged import SAME, looks

SHARES, EVERY_S = (0.2, 0.35, 0.5, 0.8), (10.0, 1.0, 0.2)
FPS, MINUTES, COMES_S = 5.0, 30.0, 15.0
SIZE, BOX = (1000, 500), np.array([400.0, 200.0, 460.0, 400.0])
PICTURE = ArrayPicture(np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
YARD = {"yard": ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))}
LABELLED_EVERY, APART = 10, 200
Boxes = NDArray[np.float64]


def starts(share: float, every_s: float) -> int:
    """Events that begin; it is found in every frame of the first seconds, in which it comes, and then in a share."""
    rule = IntrusionSettings(zone="yard")
    engine = CameraEngine("yard", build_rules([rule], YARD, {}), Tracker(TrackSettings()), labels=("person",))
    random, t_looked, begun = Random(0), -np.inf, 0
    tracks: tuple[Track, ...] = ()
    for i in range(round(60 * MINUTES * FPS)):
        t = i / FPS
        seen = None
        doubtful = t < COMES_S or any(not track.is_settled for track in tracks)
        if doubtful or t - t_looked >= every_s - 1e-6:
            t_looked = t
            seen = _found(t < COMES_S or random.random() < share, random)
        step = engine.step(
            Observation(Frame(camera="yard", seq=i, t=t, t_wall=t, picture=PICTURE), *SIZE, detections=seen)
        )
        tracks = step.tracks
        begun += sum(alert.phase == "start" for alert in step.alerts)
    return begun


def _found(is_found: bool, random: Random) -> Detections:
    n = int(is_found)
    box = BOX + [random.gauss(0, 2) for _ in range(4)]
    return Detections(
        np.array([box] * n, np.float32).reshape(-1, 4), np.full(n, 0.9, np.float32), np.zeros(n, np.int32)
    )


def correlations() -> tuple[list[float], list[float]]:
    """Of places with themselves up to 20 s later: those that somebody left, and those where there was nobody."""
    labels = np.loadtxt(footage() / "vtest" / "pets09_s2l1_gt_every10.txt", delimiter=",")
    pictures = read(footage() / "vtest" / "vtest.avi")
    height, width = pictures[0].shape[:2]
    boxes: dict[int, Boxes] = {}
    planes: dict[int, Bytes] = {}
    for number in range(LABELLED_EVERY, len(pictures) + 1, LABELLED_EVERY):
        rows = labels[labels[:, 0] == number][:, 2:6]
        boxes[number] = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:]], axis=1)
        grey = cv2.cvtColor(pictures[number - 1], cv2.COLOR_BGR2GRAY)
        small = cv2.resize(grey, plane_size(width, height, 40), interpolation=cv2.INTER_AREA)
        planes[number] = np.asarray(small, np.uint8)
    left: list[float] = []
    empty: list[float] = []
    random = np.random.default_rng(0)
    for before, after in ((a, b) for a in boxes for b in boxes if a < b <= a + APART):
        people = [box for box in boxes[before] if _is_inside(box, width, height)]
        left += _same(
            [b for b in people if _share(b, boxes[after]) < 0.05],
            planes[before],
            planes[after],
            (width, height),
        )
        free = [
            b
            for b in _anywhere(people, width, height, random)
            if _share(b, np.concatenate([boxes[before], boxes[after]])) == 0
        ]
        empty += _same(free, planes[before], planes[after], (width, height))
    return left, empty


def _same(boxes: list[Boxes], before: Bytes, after: Bytes, size: tuple[int, int]) -> list[float]:
    """Correlations; 0 where there is too little contrast to say."""
    pairs = ((looks(before, tuple(box), size), looks(after, tuple(box), size)) for box in boxes)
    return [0.0 if a is None or b is None else float(a @ b) for a, b in pairs]


def _anywhere(people: list[Boxes], width: int, height: int, random: np.random.Generator) -> Iterator[Boxes]:
    """Boxes of the size of people, at any place."""
    for box in people:
        size = box[2:] - box[:2]
        corner = random.uniform(0, (width, height) - size)
        yield np.concatenate([corner, corner + size])


def _is_inside(box: Boxes, width: int, height: int) -> bool:
    return bool((box >= 0).all() and box[2] <= width and box[3] <= height)


def _share(box: Boxes, others: Boxes) -> float:
    """The largest part of `box` that another covers."""
    return float((intersection(box[None], others) / areas(box[None])).max(initial=0.0))


def main() -> None:
    """Print what was asked for."""
    wanted = sys.argv[1:] or ["starts", "places"]
    if "starts" in wanted:
        for every_s in EVERY_S:
            begun = [starts(share, every_s) for share in SHARES]
            print(
                f"a look every {every_s:4.1f} s: found in {SHARES} of the looks: {begun} starts", flush=True
            )
    if "places" in wanted:
        for name, found in zip(("left since", "nobody there"), correlations(), strict=True):
            passed = np.mean(np.array(found) >= SAME)
            print(
                f"{name:12}: {len(found)} pairs, {passed:.2%} at {SAME} or more, "
                f"99.9 % below {np.quantile(found, 0.999):.2f}"
            )


if __name__ == "__main__":
    main()
