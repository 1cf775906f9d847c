"""Files of models: names, hashes, descriptions, and atomic writing."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import get_args

from surveil.detect.decoders import DECODERS
from surveil.detect.spec import Channels, ModelFile, Placement, Preprocess, Range
from surveil.errors import DamagedModel, ModelError, UnfitModel
from surveil.filesystem import check_regular, read_json

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_AUTO = "auto"
_LARGEST = 16_384
"""Pixels of a side."""


def slug(stem: str) -> str:
    """Return a model's name made from a file's."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in stem.lower()).strip(
        "-._"
    )


def check_name(name: str) -> None:
    """Raise `ModelError` unless the name can be a file's and an option's."""
    if not _NAME.fullmatch(name):
        raise ModelError(f"'{name}' cannot be a model's name: small letters, digits, '.', '-' and '_' only")


def is_plain(name: str) -> bool:
    """Whether the name is of a file in the model's own folder."""
    return bool(name) and name == PurePosixPath(name).name and name not in (".", "..") and "\0" not in name


def loose(path: Path) -> ModelFile:
    """Return a description of a file that is in no store; the decoder is to be recognised."""
    from surveil.models.external import parts  # noqa: PLC0415 - those of a store are described

    return ModelFile(
        name=path.stem.lower(),
        path=path,
        sha256=sha256_of(path),
        decoder=_AUTO,
        labels=(),
        preprocess=Preprocess(),
        data=parts(path),
    )


def sha256_of(path: Path) -> str:
    """Return the file's sha256. Raises `ModelError` when it cannot be read."""
    try:
        check_regular(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnfitModel(f"{path}: the model cannot be read: {error.strerror}") from error


def verify(model: ModelFile) -> None:
    """Raise `ModelError` when the file is missing or not the one that was stored."""
    beside = ((model.path.with_name(name), sha256) for name, sha256 in model.data)
    for path, expected in ((model.path, model.sha256), *beside):
        found = sha256_of(path)
        if found != expected:
            remedy = "install surveil again" if model.embedded else "`surveil models add` it again"
            raise ModelError(
                f"{path}: damaged or replaced (sha256 {found[:12]}…, expected {expected[:12]}…); {remedy}"
            )


def place(folder: Path, name: str, *, several: bool) -> Path:
    """Return where a model of that name is stored: a folder of its own where it has several files."""
    return folder / name / f"{name}.onnx" if several else folder / f"{name}.onnx"


def describe(model: ModelFile) -> bytes:
    """Return the JSON that lies beside a stored model."""
    known = asdict(model)
    for key in ("path", "embedded", "experimental"):
        del known[key]
    return (json.dumps({**known, _CHECK: _check(known)}, indent=2) + "\n").encode()


_CHECK = "check"


def _check(known: Mapping[str, object]) -> str:
    """Return the sha256 of what a description says: a changed digit of the model's is no changed model."""
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def read_description(path: Path) -> ModelFile:
    """Return the model that `path` (JSON) describes. Raises `DamagedModel`."""
    try:
        known = read_json(path.read_text(encoding="utf-8"))
        _prove_unchanged(known)
        size = known.pop("size")
        decoder = DECODERS.get(known["decoder"])
        data = tuple((name, sha256) for name, sha256 in known.pop("data", ()))
        model = ModelFile(
            path=place(path.parent, path.stem, several=bool(data)),
            data=data,
            preprocess=Preprocess(**known.pop("preprocess")),
            labels=tuple(known.pop("labels")),
            size=tuple(size) if size else None,
            experimental=bool(decoder and not decoder.proven_with),
            **known,
        )
        _prove(model, path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedModel(
            f"{path}: not a model's description ({error}); remove it, or add the model again"
        ) from error
    return model


def _prove_unchanged(known: dict[str, object]) -> None:
    """Raise ValueError where a description is not as it was written; those without a check are from before."""
    check = known.pop(_CHECK, None)
    if check is not None and check != _check(known):
        raise ValueError("it was changed after it was written")


def _prove(model: ModelFile, path: Path) -> None:
    """Raise ValueError unless what a description without a check says can be used."""
    texts = (model.name, model.sha256, model.decoder, model.licence, model.source, *model.labels)
    if not all(isinstance(text, str) for text in texts) or model.name != path.stem or model.embedded:
        raise ValueError("its name, decoder, sha256 or labels are invalid")
    if not all(isinstance(part, str) for pair in model.data for part in pair):
        raise ValueError("its further files are invalid")
    if not all(is_plain(name) for name, _ in model.data):
        raise ValueError("its further files are in another folder")
    how = model.preprocess
    for value, known in ((how.channels, Channels), (how.range, Range), (how.placement, Placement)):
        if value not in get_args(known):
            raise ValueError(f"{value!r} is not one of {', '.join(get_args(known))}")
    if not isinstance(how.pad, int) or not 0 <= how.pad <= 255:
        raise ValueError(f"pad {how.pad!r} is not between 0 and 255")
    if model.size is not None and not (
        len(model.size) == 2 and all(isinstance(v, int) and 0 < v <= _LARGEST for v in model.size)
    ):
        raise ValueError(f"size {model.size!r} is none")
