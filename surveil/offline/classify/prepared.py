"""The input of a training: options, and a data set that is checked and split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from surveil.errors import ConfigError
from surveil.features.classify.preprocess import CropPreprocess
from surveil.offline.classify.dataset import PictureSet
from surveil.offline.classify.duplicates import find_duplicates, fingerprint
from surveil.offline.classify.head import Labels
from surveil.offline.classify.measures import Wanted
from surveil.offline.classify.split import Split, split

Progress = Callable[[str, float], None]
"""What is being done, and how much of it, 0..1."""
FEWEST = 5
"""Pictures that a class must have; a test of so few says nothing yet."""


def quiet(_what: str, _share: float) -> None:
    """Report nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to train."""

    classes: tuple[str, ...] = ()
    """In this order, the last being what alerts are about; empty: all, sorted."""
    positive: str = ""
    """The class that the threshold is about; empty: the last."""
    preprocess: CropPreprocess = field(default_factory=CropPreprocess)
    variations: int = 4
    """Augmented variations of each training picture."""
    flip: bool = True
    """Mirroring keeps the class."""
    wanted: Wanted = field(default_factory=Wanted)
    test_cameras: frozenset[str] = frozenset()
    beside: Path | None = None
    """A deployed classifier, to be judged on the same test pictures."""
    seed: int = 0
    threads: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A data set, divided, with class numbers."""

    data: PictureSet
    classes: tuple[str, ...]
    labels: Labels
    split: Split
    duplicates: int


def prepare(data: PictureSet, options: Options, progress: Progress = quiet) -> Prepared:
    """Choose the classes, find near-duplicates, divide. Raises ConfigError for data that cannot be trained on."""
    classes = options.classes or data.classes
    data = data.only(classes)
    if len(set(classes)) < 2:
        raise ConfigError(
            [f"{data.folder}: has one class only, {classes[0]!r}: at least two classes are needed"]
        )
    if options.positive and options.positive not in classes:
        raise ConfigError([f"positive class {options.positive!r} is none of {', '.join(classes)}"])
    few = [f"{data.folder}: class {c!r} has {n} pictures; at least {FEWEST} are needed, better hundreds"
           for c, n in data.counts.items() if n < FEWEST]  # fmt: skip
    if few:
        raise ConfigError(few)
    pairs = near_duplicates(data, progress)
    labels = np.array([classes.index(item.label) for item in data.items], np.int64)
    divided = split(data.items, pairs, options.seed, options.test_cameras)
    return Prepared(data=data, classes=classes, labels=labels, split=divided, duplicates=len(pairs))


def digest(ready: Prepared, options: Options) -> str:
    """Return a fingerprint of all that decides which weights a training makes: pictures, split and options."""
    sides = sorted(
        (item.sha256, int(side)) for item, side in zip(ready.data.items, ready.split.side, strict=True)
    )
    decisive = (
        ready.data.sha256, ready.classes, options.preprocess.to_json(), options.variations, options.flip, options.seed,
        sides,
    )  # fmt: skip
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()


def near_duplicates(data: PictureSet, progress: Progress = quiet) -> list[tuple[int, int]]:
    """Return pairs of pictures that are nearly the same."""
    prints = []
    for i, item in enumerate(data.items):
        prints.append(fingerprint(data.read(item)))
        progress("searching for near-duplicates", (i + 1) / len(data.items))
    return find_duplicates(prints)
