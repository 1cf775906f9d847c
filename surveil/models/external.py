"""Additional files of a model: weights that an exporter stored outside the graph."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from surveil.errors import UnfitModel
from surveil.filesystem import check_regular
from surveil.models.files import is_plain
from surveil.models.onnxfields import fields

_GRAPH, _FUNCTION = 7, 25
_NODES = {_GRAPH: 1, _FUNCTION: 7}
_INITIALIZER, _ATTRIBUTE = 5, 5
_TENSORS, _GRAPHS = (5, 10), (6, 11)
"""Of an attribute."""
_EXTERNAL = 13
_KEY, _VALUE = 1, 2


def parts(path: Path) -> tuple[tuple[str, str], ...]:
    """Return name and sha256 of each further file of the model at `path`.

    Raises `UnfitModel`: one is missing, cannot be read, or is named in another folder.
    """
    return tuple((name, _sha256(path, name)) for name in names(path))


def names(path: Path) -> tuple[str, ...]:
    """Return the names of the further files, as the graph has them; () for a file that is no ONNX model."""
    try:
        return tuple(sorted(set(_of_model(memoryview(path.read_bytes())))))
    except (IndexError, KeyError, UnicodeDecodeError):
        return ()
    except OSError as error:
        raise UnfitModel(f"{path}: the model cannot be read: {error.strerror}") from error


def _sha256(model: Path, name: str) -> str:
    if not is_plain(name):
        raise UnfitModel(
            f"{model}: its weights are in another folder ({name!r}); export it in one "
            "file, or with its weights beside it"
        )
    try:
        check_regular(model.with_name(name))
        with model.with_name(name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise UnfitModel(
            f"{model}: its second file {name} is missing; copy it into the same folder, under this name"
        ) from None
    except OSError as error:
        raise UnfitModel(f"{model.with_name(name)}: the model cannot be read: {error.strerror}") from error


def _of_model(model: memoryview) -> Iterator[str]:
    for number, _, content in fields(model):
        if number in _NODES:
            yield from _of_graph(content, _NODES[number])


def _of_graph(graph: memoryview, node: int) -> Iterator[str]:
    for number, _, content in fields(graph):
        if number == node:
            yield from _of_node(content)
        elif number == _INITIALIZER and node == _NODES[_GRAPH]:
            yield from _of_tensor(content)


def _of_node(node: memoryview) -> Iterator[str]:
    for number, _, attribute in fields(node):
        if number != _ATTRIBUTE:
            continue
        for kind, _, content in fields(attribute):
            if kind in _TENSORS:
                yield from _of_tensor(content)
            elif kind in _GRAPHS:
                yield from _of_graph(content, _NODES[_GRAPH])


def _of_tensor(tensor: memoryview) -> Iterator[str]:
    for number, _, entry in fields(tensor):
        if number == _EXTERNAL:
            said = {key: bytes(text).decode() for key, _, text in fields(entry)}
            if said.get(_KEY) == "location":
                yield said.get(_VALUE, "")
