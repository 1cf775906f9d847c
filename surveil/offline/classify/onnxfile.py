"""Writes the trained classifier: network, head and all metadata in one ONNX file.

An ONNX file is a protocol buffer, and two of those appended are merged: repeated fields are joined, the graph is
merged into the graph. So the head is a few nodes appended to the network's bytes, without a need for the `onnx`
package at run time. Field numbers are those of onnx.proto (ONNX IR 8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from surveil.models.onnxfields import GRAPH, LENGTH, METADATA, VARINT, fields, graph_bytes
from surveil.offline.classify.head import Head
from surveil.offline.classify.onnxgraph import TENSOR, tensor_name

_OUTPUT = 12


def classifier(network: bytes, head: Head, metadata: Mapping[str, str]) -> bytes:
    """Return the model: `images` uint8 (n, size, size, 3) RGB in, `logits` and `probabilities` (n, classes) out."""
    classes = len(head.bias)
    added = b"".join([
        _node("GlobalAveragePool", ["features_16"], "head_pooled"),
        _node("Flatten", ["head_pooled"], "head_middle", axis=1),
        _node("Concat", ["embedding", "head_middle"], "head_features", axis=1),
        _node("Gemm", ["head_features", "head_weights", "head_bias"], "logits", transB=1),
        _node("Softmax", ["logits"], "probabilities", axis=1),
        _tensor("head_weights", head.weights.astype(np.float32)),
        _tensor("head_bias", head.bias.astype(np.float32)),
        _output("logits", classes), _output("probabilities", classes),
    ])  # fmt: skip
    graph = b"".join(raw for number, raw, _ in fields(graph_bytes(network)) if number != _OUTPUT)
    rest = b"".join(raw for number, raw, _ in fields(network) if number not in (GRAPH, METADATA))
    entries = b"".join(
        _field(METADATA, _field(1, key.encode()) + _field(2, text.encode()))
        for key, text in sorted(metadata.items())
    )
    return rest + _field(GRAPH, graph + added) + entries


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return _varint(number << 3 | VARINT) + _varint(content)
    return _varint(number << 3 | LENGTH) + _varint(len(content)) + content


def _node(kind: str, inputs: Sequence[str], output: str, **attributes: int) -> bytes:
    content = b"".join(_field(1, name.encode()) for name in inputs)
    content += _field(2, output.encode()) + _field(3, output.encode()) + _field(4, kind.encode())
    for name, value in attributes.items():
        content += _field(5, _field(1, name.encode()) + _field(3, value) + _field(20, 2))
    return _field(1, content)


def _tensor(name: str, array: NDArray[np.float32]) -> bytes:
    dims = b"".join(_field(1, n) for n in array.shape)
    return _field(
        5, dims + _field(2, 1) + _field(8, name.encode()) + _field(9, array.astype("<f4").tobytes())
    )


def _output(name: str, classes: int) -> bytes:
    shape = _field(1, _field(2, b"n")) + _field(1, _field(1, classes))
    return _field(_OUTPUT, _field(1, name.encode()) + _field(2, _field(1, _field(1, 1) + _field(2, shape))))


def with_weights(network: bytes, weights: Mapping[str, NDArray[np.float32]]) -> bytes:
    """Return the network with these tensors in place of its own of the same names."""
    parts = []
    for number, raw, content in fields(graph_bytes(network)):
        name = tensor_name(content) if number == TENSOR else None
        parts.append(_tensor(name, weights[name]) if name in weights and name is not None else raw)
    rest = b"".join(raw for number, raw, _ in fields(network) if number != GRAPH)
    return rest + _field(GRAPH, b"".join(parts))
