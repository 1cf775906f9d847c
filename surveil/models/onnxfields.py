"""Reads the fields of an ONNX file: its metadata, without loading the network.

Field numbers are those of onnx.proto; with them there is no need for the `onnx` package at run time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from surveil.errors import ModelError

GRAPH, METADATA = 7, 14
VARINT, LENGTH = 0, 2
_FIXED = {1: 8, 5: 4}
Data = TypeVar("Data", bytes, memoryview)


def graph_bytes(network: bytes) -> bytes:
    """Return the graph's own bytes. Raises ModelError."""
    try:
        found = [content for number, _, content in fields(network) if number == GRAPH]
    except (IndexError, KeyError):
        found = []
    if len(found) != 1:
        raise ModelError("the network's file is not an ONNX model, or is damaged")
    return found[0]


def metadata(model: bytes) -> dict[str, str]:
    """Return what the file says about itself, key by key. Raises ModelError for a file that is no ONNX model."""
    graph_bytes(model)
    try:
        entries = [dict(_strings(content)) for number, _, content in fields(model) if number == METADATA]
    except (IndexError, KeyError, UnicodeDecodeError):
        raise ModelError("the metadata of the file is not text, or is damaged") from None
    return {entry.get(1, ""): entry.get(2, "") for entry in entries}


def _strings(content: bytes) -> Iterator[tuple[int, str]]:
    return ((number, part.decode()) for number, _, part in fields(content))


def fields(data: Data) -> Iterator[tuple[int, Data, Data]]:
    """Yield each field's number, its bytes with the tag, and its content (empty unless it has a length)."""
    at = 0
    while at < len(data):
        start = at
        tag, at = read_varint(data, at)
        content = data[:0]
        if tag & 7 == LENGTH:
            length, at = read_varint(data, at)
            content = data[at : at + length]
            at += length
        elif tag & 7 == VARINT:
            _, at = read_varint(data, at)
        else:
            at += _FIXED[tag & 7]
        yield tag >> 3, data[start:at], content


def read_varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """Return the number that begins at `at`, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if not byte & 0x80:
            return value, at
        shift += 7
