"""What exporters write into a model's file about it: its input's size, its task, its licence."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from surveil.errors import UnfitModel
from surveil.filesystem import read_json
from surveil.wording import one_line

SIDES_PX = (32, 4096)
OTHER_TASKS = ("classify", "obb", "pose", "segment")
"""As ultralytics names them; their outputs can look like a detector's."""


def parsed(text: str) -> object:
    """Return the value of JSON, or of Python's notation, as exporters write it; None where it is neither."""
    if not text.strip():
        return None
    try:
        return read_json(text)
    except ValueError:
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None


def input_size(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """Return width and height in px that the model was exported for (`imgsz`: height, width, or one side)."""
    value = parsed(metadata.get("imgsz", ""))
    sides = value if isinstance(value, list | tuple) else [value, value]
    if len(sides) == 1:
        sides = [*sides, *sides]
    if len(sides) != 2 or not all(_is_side(side) for side in sides):
        return None
    return int(str(sides[1])), int(str(sides[0]))


def _is_side(value: object) -> bool:
    return isinstance(value, int) and SIDES_PX[0] <= value <= SIDES_PX[1]


def licence(metadata: Mapping[str, str]) -> str:
    """Return what the file says of its licence, on one line; empty when it does not."""
    text = metadata.get("license", "") or metadata.get("licence", "")
    return one_line(text)[:200]


def check_task(metadata: Mapping[str, str]) -> None:
    """Raise `UnfitModel` for a model that was exported for something else than boxes."""
    task = metadata.get("task", "").strip().lower()
    if task in OTHER_TASKS:
        raise UnfitModel(
            f"the model's task is '{task}' (its metadata), and surveil reads detection models; "
            "export the detection model of the same family"
        )
