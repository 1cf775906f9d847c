"""The models that can be named: two that lie in the package, and those a user has added.

An added model is a folder `state_dir/models/NAME/` with `model.onnx` and `model.json`; it appears under its
name only when it is complete.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import shutil
from importlib import resources
from pathlib import Path
from typing import Any

from surveil.detect.detector import Detector
from surveil.detect.settings import ModelSettings
from surveil.detect.spec import ModelFile, Preprocess
from surveil.errors import ModelError

DATA = Path(str(resources.files("surveil.models") / "data"))
_NAME = re.compile(r"^[a-z0-9][a-z0-9._-]{0,62}$")
_EMBEDDED: dict[str, dict[str, Any]] = {
    "efficientdet-lite0": {
        "decoder": "auto",
        "preprocess": Preprocess("rgb", "0-255", "top_left", 127),
        "licence": "Apache-2.0",
        "source": "google/automl, COCO 2017",
    },
    "efficientnet-lite0": {
        "decoder": "embedding",
        "preprocess": Preprocess("rgb", "0-255", "centre", 127),
        "licence": "Apache-2.0",
        "source": "google/efficientnet, ImageNet",
    },
}


class ModelStore:
    """Models by name. `folder` need not exist; it is made when the first model is added."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list(self) -> list[ModelFile]:
        """Return the embedded models and then the added ones, by name."""
        added = sorted(self._folder.glob("*/model.json")) if self._folder.is_dir() else []
        return [self._embedded(name) for name in _EMBEDDED] + [self._read(path.parent) for path in added]

    def resolve(self, settings: ModelSettings) -> ModelFile:
        """Return the model that the settings name. Raises ModelError with a remedy."""
        if settings.file is not None:
            return self._of_file(settings.file, settings)
        if settings.name in _EMBEDDED:
            return self._embedded(settings.name)
        folder = self._folder / settings.name
        if _NAME.match(settings.name) and (folder / "model.json").is_file():
            return self._read(folder)
        known = [model.name for model in self.list()]
        near = difflib.get_close_matches(settings.name, known, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
        raise ModelError(
            f"model.name: there is no model '{settings.name}'; {hint} `surveil models add FILE` adds one"
        )

    def add(self, file: Path, name: str | None = None, settings: ModelSettings | None = None) -> ModelFile:
        """Warm a file up, recognise it and store it with its sha256. Raises ModelError."""
        name = name or re.sub(r"[^a-z0-9._-]+", "-", file.stem.lower()).strip("-._")
        if not _NAME.match(name) or name in _EMBEDDED:
            raise ModelError(f"'{name}' cannot be a model's name; give another with --name")
        settings = settings or ModelSettings(file=file)
        detector = Detector(self._of_file(file, settings), settings)
        folder, temporary = self._folder / name, self._folder / f".{name}.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            temporary.mkdir(parents=True)
            shutil.copyfile(file, temporary / "model.onnx")
            said = {"decoder": detector.decoder, "labels": list(detector.labels), "size": settings.size,
                    "sha256": _sha256(file), "preprocess": _habits(detector.input.preprocess)}  # fmt: skip
            (temporary / "model.json").write_text(json.dumps(said, indent=1))
            shutil.rmtree(folder, ignore_errors=True)
            temporary.rename(folder)
        except OSError as error:
            raise ModelError(f"{folder}: the model cannot be stored: {error.strerror}") from error
        return self._read(folder)

    def check(self) -> dict[str, str]:
        """Return name → what is wrong with it, empty when its file has the sha256 it was stored with."""
        found = {}
        for model in self.list():
            good = model.path.is_file() and _sha256(model.path) == model.sha256
            found[model.name] = "" if good else "the file is missing or has changed since it was stored"
        return found

    def _of_file(self, file: Path, settings: ModelSettings) -> ModelFile:
        if not file.is_file():
            raise ModelError(f"{file}: no such model file")
        from surveil.detect.labels import read_labels  # noqa: PLC0415 - only here

        labels = read_labels(settings.labels) if settings.labels else ()
        size = (settings.size, settings.size) if settings.size else None
        return ModelFile(file.stem, file, _sha256(file), settings.decoder, labels, Preprocess(), size)

    def _embedded(self, name: str) -> ModelFile:
        path = DATA / f"{name}.onnx"
        if not path.is_file():
            raise ModelError(f"{path}: missing from the installed package; install surveil again")
        manifest = json.loads((DATA / "manifest.json").read_text())["sha256"]
        about = _EMBEDDED[name]
        labels = COCO_LABELS if about["decoder"] != "embedding" else ()
        return ModelFile(name, path, manifest[path.name], labels=labels, embedded=True, **about)

    def _read(self, folder: Path) -> ModelFile:
        try:
            said = json.loads((folder / "model.json").read_text())
            size = (said["size"], said["size"]) if said["size"] else None
            return ModelFile(
                folder.name, folder / "model.onnx", said["sha256"], said["decoder"], tuple(said["labels"]),
                Preprocess(**said["preprocess"]), size,
            )  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"{folder}: not a stored model ({error}); remove the folder and add it again"
            ) from error


COCO_LABELS: tuple[str, ...] = ()
"""Empty: the graph's own metadata names the classes."""


def open_detector(settings: ModelSettings, store: ModelStore) -> Detector:
    """Return the detector that the settings describe. Raises ModelError."""
    return Detector(store.resolve(settings), settings)


def _habits(preprocess: Preprocess) -> dict[str, Any]:
    return {"channels": preprocess.channels, "range": preprocess.range, "placement": preprocess.placement,
            "pad": preprocess.pad}  # fmt: skip


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
