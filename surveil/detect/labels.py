"""Names of the classes: from a file, from the model's metadata, or COCO's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from surveil.detect import metadata
from surveil.errors import UnfitModel
from surveil.filesystem import check_regular
from surveil.wording import one_line

COCO = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
    "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
    "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
    "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
    "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard",
    "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip

LIVING = frozenset(
    ("person", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe")
)
"""What moves sooner or later; a car may stand for days."""

UNSURE = 0.5
"""Who is found with less than this is mostly found in a close look only."""


def needs_close_look(label: str, score: float, *, doubted: bool) -> bool:
    """Tell whether it is somebody of whom the detector is not sure.

    `doubted`: who is not believed yet, or was missed by the last look: small people are found surely from close up and
    missed by the next wider look.
    """
    return (doubted or score < UNSURE) and label in LIVING


GAPS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
"""Numbers from 1 to 90 that COCO gave to no class."""
_KEYS = ("names", "labels", "classes", "surveil.labels")


def _with_gaps() -> tuple[str, ...]:
    names = iter(COCO)
    return ("", *("" if number in GAPS else next(names) for number in range(1, 91)))


COCO_91 = _with_gaps()
"""By COCO's own number, 0 and the gaps without a name."""


def read_labels(path: Path) -> tuple[str, ...]:
    """Return one name a line; empty lines at the end do not count. Raises `UnfitModel`."""
    try:
        check_regular(path)
        lines = path.read_text(encoding="utf-8").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UnfitModel(f"{path}: the labels cannot be read: {reason}") from error
    if not lines:
        raise UnfitModel(f"{path}: the file of labels is empty; it must have one class name a line")
    return tuple(map(one_line, lines))


def of_metadata(known: Mapping[str, str]) -> tuple[str, ...]:
    """Return what the exporter stored: a list or a mapping from number to name; () when there is none."""
    for key in _KEYS:
        names = _parse(known.get(key, ""))
        if names:
            return names
    return ()


def standard(classes: int) -> tuple[str, ...]:
    """Return COCO's names when the number fits (80, or 91 with the gaps of its numbering), else ()."""
    if classes in (0, len(COCO)):
        return COCO
    return COCO_91[:classes] if classes in (90, 91) else ()


def complete(known: tuple[str, ...], stored: Mapping[str, str], classes: int) -> tuple[str, ...]:
    """Return the names for `classes` classes (0: the outputs do not say). Raises `UnfitModel` when none fit."""
    names = known or of_metadata(stored) or standard(classes)
    if not names:
        raise UnfitModel(
            f"the model has {classes} classes and no names for them; give a text file with one name a line "
            "as `labels`"
        )
    if classes and len(names) != classes:
        raise UnfitModel(f"the model has {classes} classes and there are {len(names)} labels")
    return names


def _parse(text: str) -> tuple[str, ...]:
    """Read a list of names, or a mapping from number to name."""
    value = metadata.parsed(text)
    if isinstance(value, dict):
        return _of_mapping(value)
    return tuple(one_line(str(v)) for v in value) if isinstance(value, list | tuple) else ()


def _of_mapping(value: Mapping[object, object]) -> tuple[str, ...]:
    try:
        numbered = {int(str(key)): one_line(str(name)) for key, name in value.items()}
    except ValueError:
        return ()
    if set(numbered) != set(range(len(numbered))):
        return ()
    return tuple(numbered[i] for i in range(len(numbered)))
