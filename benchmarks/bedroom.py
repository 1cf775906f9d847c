"""Falls in a drawn bedroom: 24 seconds of usual life to learn from, five falls, one usual evening.

`python -m benchmarks.bedroom [FOLDER]` prints what learned normality finds, and writes the report with its pictures.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from surveil.offline.normality.dataset import Dataset, LabelledClip, Labels
from surveil.offline.normality.evaluate import evaluate
from surveil.offline.normality.report import lines, write_report

Picture = np.ndarray
WIDTH, HEIGHT, FLOOR = 320, 240, 150
TALL = 92
"""Height of the person, px."""
FALL = 7
"""Frames that a fall takes."""


def room(rng: np.random.Generator) -> Picture:
    """Draw a room with a bed, a window and a table."""
    picture = np.full((HEIGHT, WIDTH, 3), (168, 176, 182), np.uint8)
    cv2.rectangle(picture, (0, FLOOR), (WIDTH, HEIGHT), (96, 120, 146), -1)
    for x in range(0, WIDTH, 24):
        cv2.line(picture, (x, FLOOR), (int((x - 160) * 1.6 + 160), HEIGHT), (84, 106, 130), 1)
    cv2.rectangle(picture, (10, 120), (120, 190), (150, 130, 190), -1)
    cv2.rectangle(picture, (10, 112), (38, 150), (225, 230, 235), -1)
    cv2.rectangle(picture, (10, 185), (120, 196), (60, 80, 100), -1)
    cv2.rectangle(picture, (230, 40), (296, 110), (230, 220, 200), -1)
    cv2.rectangle(picture, (255, 130), (300, 165), (70, 90, 110), -1)
    texture = cv2.resize(rng.normal(0, 6, (60, 80)), (WIDTH, HEIGHT))
    return np.clip(picture + texture[..., None], 0, 255).astype(np.uint8)


class Film:
    """Draws one person in one room."""

    def __init__(self, seed: int = 4) -> None:
        self._rng = np.random.default_rng(seed)
        self._room = room(self._rng)

    def empty(self, n: int) -> list[Picture]:
        """Return `n` frames of the room alone."""
        return [self._filmed(self._room) for _ in range(n)]

    def walk(self, n: int, x0: float, x1: float, y: float = 215.0) -> list[Picture]:
        """Return somebody who walks from `x0` to `x1`."""
        return [self._person(x0 + (x1 - x0) * i / n, y + 4 * np.sin(i / 7), 0.0, 0.9 * i) for i in range(n)]

    def fall(self, x: float, side: int, lies: int) -> list[Picture]:
        """Return somebody who falls at `x` and lies there for so many frames."""
        falls = [self._person(x, 215.0, side * 90 * ((i + 1) / FALL) ** 2, 36.0) for i in range(FALL)]
        return falls + [self._person(x, 215.0, side * 90.0, 36.0) for _ in range(lies)]

    def _person(self, x: float, y: float, angle: float, step: float) -> Picture:
        """Draw the person with the foot at `x`, `y`; an `angle` of 0 is upright, of 90 degrees on the floor."""
        picture, turn, swing = self._room.copy(), np.deg2rad(angle), 8 * np.sin(step)
        lifted = 6 if angle > 60 else 0

        def at(across: float, up: float) -> tuple[int, int]:
            up *= TALL
            right = x + across * np.cos(turn) + up * np.sin(turn)
            return int(right), int(y + across * np.sin(turn) * 0.3 - up * np.cos(turn) - lifted)

        for leg in (swing, -swing):
            cv2.line(picture, at(0, 0.45), at(leg, 0), (60, 50, 40), 9, cv2.LINE_AA)
        cv2.line(picture, at(0, 0.45), at(0, 0.8), (50, 60, 150), 22, cv2.LINE_AA)
        for arm in (-swing, swing):
            hand = at(arm + 6 * np.sign(arm + 0.1), 0.42)
            cv2.line(picture, at(0, 0.76), hand, (60, 70, 160), 6, cv2.LINE_AA)
        cv2.circle(picture, at(0, 0.92), 10, (120, 150, 190), -1, cv2.LINE_AA)
        return self._filmed(picture)

    def _filmed(self, picture: Picture) -> Picture:
        noisy = picture + self._rng.normal(0, 2.5, picture.shape)
        return np.clip(noisy, 0, 255).astype(np.uint8)


def write(folder: Path, frames: list[Picture]) -> Path:
    """Write frames as a folder of pictures."""
    folder.mkdir(parents=True)
    for i, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"{i:04d}.png"), frame)
    return folder


def bedroom(folder: Path) -> Dataset:
    """Draw everything into a folder."""
    film = Film()
    there_and_back = film.walk(50, 140, 300) + film.walk(50, 300, 140)
    usual = film.empty(20) + there_and_back + film.empty(10)
    usual += film.walk(55, 135, 290, 208) + film.walk(55, 290, 135, 212)
    normal = write(folder / "usual", usual)
    clips = []
    for k, x in enumerate((170, 200, 235, 260, 220)):
        frames = film.walk(40, 140, x) + film.fall(x, 1 if k % 2 else -1, 80)
        path = write(folder / f"fall-{k + 1}", frames)
        clips.append(LabelledClip(path.name, path, Labels(spans=((40, len(frames) - 1),))))
    evening = film.empty(10) + film.walk(50, 140, 295) + film.walk(50, 295, 140) + film.empty(20)
    clips.append(LabelledClip("evening", write(folder / "evening", evening), Labels()))
    return Dataset("bedroom", 10.0, (normal,), tuple(clips))


def main() -> None:
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        report = evaluate(bedroom(Path(folder)))
    print("\n".join(lines(report)))
    for folder in sys.argv[1:2]:
        print(write_report(report, Path(folder)))


if __name__ == "__main__":
    main()
