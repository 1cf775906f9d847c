"""Data sets that verdicts and clicks fill: their contents, and what is missing for training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from surveil.alerts.evidence import safe_name
from surveil.console.refusal import Refusal, not_found
from surveil.features.classify.store import names
from surveil.models.files import slug
from surveil.offline.classify.dataset import Item, append, listed, remove
from surveil.offline.classify.feedback import feedback_folder
from surveil.offline.classify.prepared import FEWEST
from surveil.offline.classify.split import FEWEST_UNITS, units

ADVISED = 20
"""Pictures of a class from which on a classifier is worth trying."""
_FEWEST_CLASSES = 2
_ID = 24
"""Hexadecimal digits of a picture's SHA-256 that name it."""


class Lacking(StrEnum):
    """What a data set lacks."""

    CLASSES = "classes"
    PICTURES = "pictures"
    MOMENTS = "moments"
    """Times that are a minute apart, or other objects: the test needs some of its own."""
    ADVISED = "advised"
    """Pictures that it can be trained without, though not well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """What is missing, and how many more would do."""

    what: Lacking
    label: str
    """The class; empty: of the whole data set."""
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfClass:
    """The pictures of one class, and how varied they are."""

    label: str
    pictures: int
    moments: int
    """Groups of pictures that the split keeps together: one object, or one minute of one camera."""
    cameras: tuple[str, ...]
    days: int


def picture_id(item: Item) -> str:
    """Return what names a picture."""
    return item.sha256[:_ID]


def known(state_dir: Path) -> tuple[str, ...]:
    """Return the names of the data sets, and of classifiers without one."""
    folder = feedback_folder(state_dir)
    sets = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    made = {slug(name) for name in sets}
    return tuple(sorted({*sets, *(name for name in names(state_dir) if name not in made)}))


def folder_of(state_dir: Path, name: str) -> Path:
    """Return the folder of a data set, there or not. Raises Refusal (422) for what cannot name one."""
    if safe_name(name) != name or not slug(name) or len(name) > 64:
        raise Refusal(
            422, "invalid", "this cannot name a data set",
            remedy="use up to 64 letters, digits, '.', '-' and '_', beginning with a letter or digit",
        )  # fmt: skip
    return feedback_folder(state_dir) / name


def of_classes(items: Sequence[Item]) -> tuple[OfClass, ...]:
    """Return what there is of each class."""
    unit = units(items, [])
    by_class: dict[str, list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        by_class[item.label].append(index)
    return tuple(
        OfClass(
            label=label,
            pictures=len(mine),
            moments=len({int(unit[i]) for i in mine}),
            cameras=tuple(sorted({items[i].camera for i in mine if items[i].camera})),
            days=_days(items[i].t_wall for i in mine),
        )
        for label, mine in sorted(by_class.items())
    )


def lacks(classes: Sequence[OfClass]) -> tuple[Lack, ...]:
    """Return what is missing; near-duplicates, which only the training finds, may make it more."""
    found = []
    if len(classes) < _FEWEST_CLASSES:
        found += [Lack(what=Lacking.CLASSES, label="", more=_FEWEST_CLASSES - len(classes))]
    for one in classes:
        if one.pictures < FEWEST:
            found += [Lack(what=Lacking.PICTURES, label=one.label, more=FEWEST - one.pictures)]
        if one.moments < FEWEST_UNITS:
            found += [Lack(what=Lacking.MOMENTS, label=one.label, more=FEWEST_UNITS - one.moments)]
        if FEWEST <= one.pictures < ADVISED:
            found += [Lack(what=Lacking.ADVISED, label=one.label, more=ADVISED - one.pictures)]
    return tuple(found)


def is_ready(found: Iterable[Lack]) -> bool:
    """Whether it can be trained on."""
    return all(one.what is Lacking.ADVISED for one in found)


def find(folder: Path, name: str) -> Item:
    """Return a picture by what names it. Raises Refusal (404)."""
    item = next((one for one in listed(folder) if len(name) == _ID and one.sha256.startswith(name)), None)
    if item is None:
        raise not_found("picture")
    return item


def judge(folder: Path, item: Item, label: str) -> Item:
    """Correct the class of a picture; of all copies of it. Raises Refusal (422) for what cannot name a class."""
    check_class(label)
    for one in _copies(folder, item):
        append(folder, replace(one, label=label))
    return replace(item, label=label)


def take_out(folder: Path, item: Item) -> None:
    """Remove a picture, and all copies of it."""
    for one in _copies(folder, item):
        remove(folder, one)


def check_class(label: str) -> None:
    """Raise Refusal (422) unless this can name a class."""
    if not label or label != label.strip() or label.startswith(".") or set(label) & set("/\\\0,"):
        raise Refusal(
            422,
            "class",
            "this cannot name a class",
            remedy="use a word without '/', '\\' and ',' at the least",
        )


def _copies(folder: Path, item: Item) -> list[Item]:
    return [one for one in listed(folder) if one.sha256 == item.sha256]


def _days(times: Iterable[float | None]) -> int:
    return len({datetime.fromtimestamp(t).astimezone().date() for t in times if t is not None})
