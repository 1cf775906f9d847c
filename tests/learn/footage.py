"""Folders of images of the drawn yard, and datasets of them."""

from pathlib import Path

import cv2
import yaml

from tests.normality.drawn import WALKERS, Walker, frames

RUNNER = (*WALKERS, Walker(0, 110, 110))


def folder(path: Path, seconds: float, start: float = 0.0, runs: tuple[float, float] | None = None) -> Path:
    """Frames at 10 fps; somebody runs between the two times."""
    path.mkdir(parents=True)
    for i in range(round(seconds * 10)):
        t = start + i / 10
        walkers = RUNNER if runs and runs[0] <= i / 10 <= runs[1] else WALKERS
        plane, _ = next(iter(frames(0.1, 10, t, walkers)))
        cv2.imwrite(str(path / f"{i:04d}.png"), plane, [cv2.IMWRITE_PNG_COMPRESSION, 0])
    return path


def dataset(path: Path, **document: object) -> Path:
    file = path / "DATASET.yaml"
    file.write_text(yaml.safe_dump(document))
    return file
