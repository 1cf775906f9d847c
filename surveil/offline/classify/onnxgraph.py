"""Reads as much of an ONNX file as fine-tuning needs: nodes, their attributes and the weights.

Field numbers are those of onnx.proto; with them there is no need for the `onnx` package at run time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surveil.models.onnxfields import VARINT, fields, graph_bytes, read_varint

NODE, TENSOR = 1, 5
_FLOAT = 1


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One operation."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, tuple[int, ...]]
    """Whole numbers and lists of them; others are left out."""


def nodes(network: bytes) -> list[GraphNode]:
    """Return the graph's operations in order. Raises ModelError for a file that is no ONNX model."""
    return [_node(content) for number, _, content in fields(graph_bytes(network)) if number == NODE]


def weights(network: bytes) -> dict[str, NDArray[np.float32]]:
    """Return the graph's float tensors by name."""
    found = {}
    for number, _, content in fields(graph_bytes(network)):
        if number == TENSOR and (tensor := _tensor(content)) is not None:
            found[tensor_name(content)] = tensor
    return found


def tensor_name(content: bytes) -> str:
    """Return the name of a serialised tensor."""
    return next((c.decode() for number, _, c in fields(content) if number == 8), "")


def _tensor(content: bytes) -> NDArray[np.float32] | None:
    shape: list[int] = []
    kind, raw = 0, b""
    for number, whole, part in fields(content):
        if number == 1:
            shape += _numbers(whole, part)
        elif number == 2:
            kind = _numbers(whole, part)[0]
        elif number == 9:
            raw = part
    if kind != _FLOAT or len(raw) != 4 * int(np.prod(shape)):
        return None
    return np.frombuffer(raw, "<f4").reshape(shape).astype(np.float32)


def _node(content: bytes) -> GraphNode:
    inputs, outputs, kind = [], [], ""
    attributes: dict[str, tuple[int, ...]] = {}
    for number, _, part in fields(content):
        if number == 1:
            inputs.append(part.decode())
        elif number == 2:
            outputs.append(part.decode())
        elif number == 4:
            kind = part.decode()
        elif number == 5:
            name, values = _attribute(part)
            attributes[name] = values
    return GraphNode(kind, tuple(inputs), tuple(outputs), attributes)


def _attribute(content: bytes) -> tuple[str, tuple[int, ...]]:
    name, values = "", []
    for number, whole, part in fields(content):
        if number == 1:
            name = part.decode()
        elif number in (3, 8):
            values += _numbers(whole, part)
    return name, tuple(values)


def _numbers(whole: bytes, part: bytes) -> list[int]:
    """Return a whole number, or the packed list of them (tag included in `whole`, content in `part`)."""
    if not part:
        _, at = read_varint(whole, 0)
        return [read_varint(whole, at)[0]] if at < len(whole) and whole[0] & 7 == VARINT else []
    found, at = [], 0
    while at < len(part):
        value, at = read_varint(part, at)
        found.append(value)
    return found
