"""From 20 judged pictures a class to a classifier in the shadow, through the console's API, beside a camera.

    python -m benchmarks.train_clicks [--footage FOLDER]

The crops are of the one-by-one film: a person, or some place while nobody is there, as a false alarm would show it.
The events of the first four visits and pauses are judged, each visit and pause at a time of its own, ten minutes apart;
100 crops of the later ones are what the classifier is tried on. Meanwhile the daemon analyses the film as a camera.
Printed are the seconds from the first verdict to the shadow, the accuracy on the 100, what the report objects to, and
the frames that were due and dropped while it trained, beside as long a time without. Exit code 1 where a bar does not
hold: five minutes, .9 or an objection, no more frames.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from benchmarks.counting import VISITS
from benchmarks.live import ConsoleDaemon
from benchmarks.normality import footage
from benchmarks.people import read
from benchmarks.streams import cameras, configure
from surveil.alerts.evidence import FOLDER
from surveil.alerts.outbox import Outbox
from surveil.clock import SystemClock
from surveil.features.classify.classifier import Classifier
from surveil.features.classify.crops import cut_out, wider
from surveil.features.classify.store import ClassifierStore
from surveil.types import Alert, Bytes
from surveil.versions import VersionRole

FILM = "intel/one-by-one-person-detection.mp4"
PAUSES = ((0, 62), (196, 236), (448, 503), (690, 745), (864, 921), (1196, 1243), (1358, 1390))
"""Frames at which nobody is there."""
MARGIN = 10
"""Frames at both ends that are neither: the labels are right within 8."""
JUDGED, EACH, TRIED = 4, 5, 50
"""Visits and pauses that are judged, pictures of each, and pictures of a class that are tried afterwards."""
GRID = (5, 4)
"""Places in the picture, across and down: a fixed camera's crops of one place are near-duplicates."""
APART_S = 600.0
LEAST_AREA = 0.01
"""Share of the picture that a person covers at the least."""
SET = "visits"
MOST_S, LEAST = 300.0, 0.9


class Picture(NamedTuple):
    """A frame, uint8 BGR, and the box in it that an event would be about, px."""

    frame: Bytes
    box: tuple[float, float, float, float]


def people(frames: Sequence[Bytes], spans: Sequence[tuple[int, int]], each: int) -> list[list[Picture]]:
    """Return `each` frames of every visit with the box of who is there, evenly spaced."""
    empty = np.median([frames[i] for i in range(0, PAUSES[0][1] - MARGIN, 4)], axis=0).astype(np.uint8)
    found = []
    for first, last in spans:
        boxes = [(i, _differs(frames[i], empty)) for i in range(first + MARGIN, last - MARGIN)]
        seen = [Picture(frames[i], box) for i, box in boxes if box is not None]
        found.append([seen[int(k)] for k in np.linspace(0, len(seen) - 1, each)])
    return found


def _differs(frame: Bytes, empty: Bytes) -> tuple[float, float, float, float] | None:
    """Return the box around the largest part that is not as usual; None where that is too small for a person."""
    apart = cv2.cvtColor(cv2.absdiff(frame, empty), cv2.COLOR_BGR2GRAY)
    solid = cv2.morphologyEx((apart > 30).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    outlines, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    x, y, w, h = max(
        (cv2.boundingRect(one) for one in outlines), key=lambda r: r[2] * r[3], default=(0, 0, 0, 0)
    )
    if w * h < LEAST_AREA * frame.shape[0] * frame.shape[1]:
        return None
    return float(x), float(y), float(x + w), float(y + h)


def nobody(
    frames: Sequence[Bytes], spans: Sequence[tuple[int, int]], count: int, shift: float
) -> list[list[Picture]]:
    """Return `count` crops of each pause, dealt from a grid over the picture; `shift`: of the grid, in cells."""
    height, width = frames[0].shape[:2]
    w, h = width / (GRID[0] + 1), height / (GRID[1] + 1)
    cells = [((x + shift) * w, (y + shift) * h) for y in range(GRID[1]) for x in range(GRID[0])]
    dealt = [cells[n :: len(spans)] for n in range(len(spans))]
    return [
        [
            Picture(frames[int(i)], (x, y, x + w, y + h))
            for i, (x, y) in zip(np.linspace(a + MARGIN, b - MARGIN, count), cycle(mine), strict=False)
        ]
        for (a, b), mine in zip(spans, dealt, strict=True)
    ]


def happen(folder: Path, groups: Mapping[str, Sequence[Sequence[Picture]]]) -> dict[str, str]:
    """Write the events that are judged; return the class of each by its id."""
    folder.mkdir()
    outbox = Outbox.open(folder / "surveil.db", [], SystemClock())
    made: dict[str, str] = {}
    oldest = time.time() - 2 * JUDGED * APART_S
    for k, (label, moments) in enumerate(groups.items()):
        for n, pictures in enumerate(moments):
            for i, picture in enumerate(pictures):
                event, at = f"{label}-{n}-{i}", oldest + (2 * n + k) * APART_S + i
                path = f"{FOLDER}/c0/{event}.jpg"
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(folder / path), picture.frame)
                outbox.committer.commit([_alert(event, at, path, picture.box)])
                made[event] = label
    outbox.close()
    return made


def _alert(event: str, at: float, picture: str, box: tuple[float, float, float, float]) -> Alert:
    return Alert(
        id=f"{event}-start", event_id=event, camera="c0", rule="intrusion", type="intrusion", key=event, phase="start",
        t=at, t_wall=at, score=0.9, text="person in all", label="person", zone="all", box=box,
        evidence={"clean": picture},
    )  # fmt: skip


class Clicks:
    """The API as the pages of the console call it."""

    def __init__(self, daemon: ConsoleDaemon) -> None:
        self._daemon = daemon
        self._csrf = self.ask("GET", "/me")["csrf"]

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Return the answer; a refusal ends the program with what it says."""
        connection = HTTPConnection(*self._daemon.address, timeout=60)
        headers = {"X-CSRF-Token": self._csrf} if method != "GET" else {}
        try:
            connection.request(method, f"/api/v1{path}", None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            found = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            sys.exit(f"{method} {path}: {found['error']}")
        return found

    def train(self, labels: dict[str, str]) -> dict[str, Any]:
        """Judge, train, put into the shadow; return the report."""
        place = f"/training/sets/{SET}"
        for event, label in labels.items():
            self.ask("POST", f"{place}/pictures", {"event": event, "class": label})
        self.ask("POST", f"{place}/train", {"positive": "person"})
        while (job := self.ask("GET", place)["job"])["state"] == "running":
            time.sleep(0.5)
        if job["state"] != "done":
            sys.exit(f"training {job['state']}: {job['message']}")
        self.ask("POST", f"{place}/deploy", {"shadow": True})
        report: dict[str, Any] = self.ask("GET", f"{place}/report")
        return report


def tried(model: Classifier, groups: Mapping[str, Sequence[Sequence[Picture]]]) -> float:
    """Return the accuracy on crops that nobody judged, as many of each class."""
    right: list[bool] = []
    for label, moments in groups.items():
        crops = [_crop(one) for moment in moments for one in moment][:TRIED]
        assert len(crops) == TRIED
        right += [model.card.said(row) == label for row in model.probabilities(crops).tolist()]
    return float(np.mean(right))


def _crop(picture: Picture) -> Bytes:
    height, width = picture.frame.shape[:2]
    part = cut_out(picture.frame, wider(picture.box, (width, height)))
    return np.ascontiguousarray(part[:, :, ::-1])


def main() -> None:
    """Judge, train, try; compare with the bars."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--footage", type=Path, default=footage())
    film = parser.parse_args().footage / FILM
    frames = read(film)
    judged, later = people(frames, VISITS[:JUDGED], EACH), people(frames, VISITS[JUDGED:], TRIED // 2)
    shown = {"empty": nobody(frames, PAUSES[:JUDGED], EACH, 0.0), "person": judged}
    others = {"empty": nobody(frames, PAUSES[JUDGED:], TRIED // 2, 0.5), "person": later}
    with tempfile.TemporaryDirectory() as made, cameras(film, 1) as urls:
        folder = Path(made)
        labels = happen(folder / "state", shown)
        config = configure(folder, urls, http={"listen": "127.0.0.1:0", "console": True})
        with ConsoleDaemon(config) as daemon:
            daemon.wait_until_steady(30)
            clicks = Clicks(daemon)
            before, began = daemon.overwritten(), time.monotonic()
            report = clicks.train(labels)
            took, dropped = time.monotonic() - began, daemon.overwritten() - before
            before = daemon.overwritten()
            time.sleep(took)
            without = daemon.overwritten() - before
        shadow = ClassifierStore(folder / "state", SET).path(VersionRole.SHADOW)
        assert shadow is not None
        accuracy = tried(Classifier(shadow), others)
    print(
        f"{len(labels)} verdicts to the shadow: {took:.1f} s; accuracy on {2 * TRIED} others: {accuracy:.2f}"
    )
    print(f"frames due and dropped: {dropped:.0f} with training, {without:.0f} without")
    for text in (*report["objections"], *report["warnings"]):
        print(f"  {text}")
    good = accuracy >= LEAST or report["objections"]
    sys.exit(0 if took <= MOST_S and good and dropped <= without else 1)


if __name__ == "__main__":
    main()
