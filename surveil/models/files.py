"""Files of models: names, hashes, descriptions, and writing that is whole or not at all."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict
from pathlib import Path

from surveil.detect.decoders import DECODERS
from surveil.detect.spec import ModelFile, Preprocess
from surveil.errors import ModelError, UnfitModel

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_AUTO = "auto"


def slug(stem: str) -> str:
    """Return a model's name made from a file's."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in stem.lower()).strip(
        "-._"
    )


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
        raise UnfitModel(f"{path}: the model cannot be read: {error.strerror}") from error


def verify(model: ModelFile) -> None:
    """Raise `ModelError` when the file is missing or not the one that was stored."""
    found = sha256_of(model.path)
    if found != model.sha256:
        remedy = "install surveil again" if model.embedded else "`surveil models add` it again"
        raise ModelError(
            f"{model.path}: damaged or replaced (sha256 {found[:12]}…, expected {model.sha256[:12]}…); {remedy}"
        )


def describe(model: ModelFile) -> bytes:
    """Return the JSON that lies beside a stored model."""
    known = asdict(model)
    for key in ("path", "embedded", "experimental"):
        del known[key]
    return (json.dumps(known, indent=2) + "\n").encode()


def read_description(path: Path) -> ModelFile:
    """Return the model that `path` (JSON) describes. Raises `ModelError`."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        size = known.pop("size")
        decoder = DECODERS.get(known["decoder"])
        return ModelFile(
            path=path.with_suffix(".onnx"),
            preprocess=Preprocess(**known.pop("preprocess")),
            labels=tuple(known.pop("labels")),
            size=tuple(size) if size else None,
            experimental=bool(decoder and decoder.experimental),
            **known,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path}: not a model's description ({error}); remove it, or add the model again"
        ) from error
