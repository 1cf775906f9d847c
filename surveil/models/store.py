"""The models on this machine: those inside the package, and those a user added to a folder."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
from dataclasses import asdict
from pathlib import Path

from surveil.detect.labels import read_labels
from surveil.detect.settings import ModelSettings
from surveil.detect.spec import ModelFile, Preprocess
from surveil.errors import ModelError
from surveil.models.embedded import embedded

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_AUTO = "auto"


class ModelStore:
    """A folder with `NAME.onnx` and `NAME.json` for each model, beside the embedded ones."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        """None: the embedded models only."""

    def list(self) -> tuple[ModelFile, ...]:
        """Return all models, the embedded first. Raises `ModelError` for a description that cannot be read."""
        own = sorted(self.folder.glob("*.json")) if self.folder and self.folder.is_dir() else []
        return (*embedded().values(), *(_read(path) for path in own))

    def resolve(self, name: str) -> ModelFile:
        """Return the model of that name. Raises `ModelError`, with the nearest name, when there is none."""
        known = {model.name: model for model in self.list()}
        if name in known:
            return known[name]
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}."
        raise ModelError(f"unknown model '{name}'; {hint} `surveil models add FILE` adds one")

    def find(self, settings: ModelSettings) -> ModelFile:
        """Return the file that the settings mean, its content checked. Raises `ModelError`."""
        if settings.file is not None:
            return loose(settings.file)
        model = self.resolve(settings.name)
        verify(model)
        return model

    def labels(self, settings: ModelSettings) -> tuple[str, ...]:
        """Return the class names that the settings mean, as far as that is known without loading the model."""
        if settings.labels is not None:
            return read_labels(settings.labels)
        return self.resolve(settings.name).labels if settings.file is None else ()

    def put(self, content: bytes, model: ModelFile) -> ModelFile:
        """Store a model under `model.name`, durably; return it as stored. Raises `ModelError`."""
        if self.folder is None:
            raise ModelError("there is no folder for models; set state_dir in the configuration or name one")
        check_name(model.name)
        if model.name in embedded():
            raise ModelError(f"'{model.name}' is an embedded model; choose another name with --name")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f"{model.name}.onnx"
            _write(path, content)
            _write(path.with_suffix(".json"), _describe(model))
        except OSError as error:
            raise ModelError(f"{self.folder}: the model cannot be stored: {error.strerror}") from error
        return _read(path.with_suffix(".json"))


def check_name(name: str) -> None:
    """Raise `ModelError` unless the name can be a file's and an option's."""
    if not _NAME.fullmatch(name):
        raise ModelError(f"'{name}' cannot be a model's name: small letters, digits, '.', '-' and '_' only")


def loose(path: Path) -> ModelFile:
    """Return a description of a file that is in no store; the decoder is to be recognised."""
    return ModelFile(path.stem.lower(), path, sha256_of(path), _AUTO, (), Preprocess())


def sha256_of(path: Path) -> str:
    """Return the file's sha256. Raises `ModelError` when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: the model cannot be read: {error.strerror}") from error


def verify(model: ModelFile) -> None:
    """Raise `ModelError` when the file is missing or not the one that was stored."""
    found = sha256_of(model.path)
    if found != model.sha256:
        remedy = "install surveil again" if model.embedded else "`surveil models add` it again"
        raise ModelError(
            f"{model.path}: damaged or replaced (sha256 {found[:12]}…, expected {model.sha256[:12]}…); {remedy}"
        )


def _describe(model: ModelFile) -> bytes:
    known = asdict(model)
    for key in ("path", "embedded"):
        del known[key]
    return (json.dumps(known, indent=2) + "\n").encode()


def _read(path: Path) -> ModelFile:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        size = known.pop("size")
        return ModelFile(
            path=path.with_suffix(".onnx"),
            preprocess=Preprocess(**known.pop("preprocess")),
            labels=tuple(known.pop("labels")),
            size=tuple(size) if size else None,
            **known,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path}: not a model's description ({error}); remove it, or add the model again"
        ) from error


def _write(path: Path, content: bytes) -> None:
    """Write whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
