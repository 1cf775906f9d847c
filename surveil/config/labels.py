"""The class names of the configured model, so that a misspelt class is told at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from surveil.detect.coco import COCO
from surveil.detect.labels import read_labels
from surveil.errors import ModelError

_COCO_MODELS = ("efficientdet-lite0",)


def model_labels(model: Any) -> tuple[str, ...]:
    """Return the labels of the model section as written, or () when they are not known without opening it."""
    section = model if isinstance(model, dict) else {}
    if section.get("labels"):
        try:
            return read_labels(Path(str(section["labels"])))
        except ModelError:
            return ()
    known = not section.get("file") and section.get("name", _COCO_MODELS[0]) in _COCO_MODELS
    return COCO if known else ()
