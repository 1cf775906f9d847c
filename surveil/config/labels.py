"""The class names of the configured model, so that a misspelt class is told at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from surveil.config.classifiers import state_dir_of
from surveil.config.document import YamlNode
from surveil.config.problems import Problems, suggest
from surveil.detect.coco import COCO
from surveil.detect.labels import read_labels
from surveil.detect.settings import ModelSettings
from surveil.errors import ModelError

_COCO_MODELS = ("efficientdet-lite0",)
_AUTO = "auto"


def check_model(root: YamlNode, problems: Problems) -> None:
    """Refuse a model, a decoder or a file of labels that is not there."""
    # Only who opens the model waits for its runtime.
    from surveil.detect.decoders import DECODERS  # noqa: PLC0415
    from surveil.models.store import ModelStore  # noqa: PLC0415

    def text(key: str) -> str | None:
        node = root.get("model", key)
        return node.text if node else None

    def add(key: str, message: str) -> None:
        node = root.get("model", key) or root.get("model") or root
        problems.add(node.line, f"model.{key}", message)

    decoder, labels, file = text("decoder") or _AUTO, text("labels"), text("file")
    if decoder not in (_AUTO, *DECODERS):
        add("decoder", f"there is no decoder '{decoder}'{suggest(decoder, (_AUTO, *DECODERS))}")
    try:
        named = {"file": Path(file)} if file else {"name": text("name") or _COCO_MODELS[0]}
        ModelStore(state_dir_of(root) / "models").find(ModelSettings(decoder=decoder, **named))
    except ModelError as error:
        add("file" if file else "name", str(error))
    if labels:
        try:
            read_labels(Path(labels))
        except ModelError as error:
            add("labels", str(error))


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
