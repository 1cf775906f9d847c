"""Reads the tensors of a legacy PyTorch checkpoint without PyTorch and without running what is in it.

The legacy format is five pickles (magic number, protocol, machine, the object, storage keys), then
each storage as an int64 element count and its elements. The object's pickle may name any Python
callable; this reader refuses every name but the four that rebuild a tensor.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from model_build.sources import BuildError

_MAGIC = 0x1950A86A20F9469CFC6C


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    kind: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def read(self, storages: dict[str, np.ndarray]) -> np.ndarray:
        """Return a copy of the tensor's elements, laid out in C order."""
        flat = storages[self.storage.key][self.offset :]
        strides = tuple(s * flat.itemsize for s in self.stride)
        return np.lib.stride_tricks.as_strided(flat, self.shape, strides).copy()


def _rebuild(
    storage: _Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> _Tensor:
    return _Tensor(storage, offset, shape, stride)


class _Unpickler(pickle.Unpickler):
    """Knows four names; anything else in the file is refused."""

    _KNOWN: ClassVar[dict[tuple[str, str], Any]] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
        ("torch", "FloatStorage"): np.dtype("<f4"),
        ("torch", "LongStorage"): np.dtype("<i8"),
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the known four. Raises `BuildError` for any other."""
        try:
            return self._KNOWN[module, name]
        except KeyError:
            msg = f"the checkpoint asks for {module}.{name}, which no tensor needs"
            raise BuildError(msg) from None

    def persistent_load(self, pid: Any) -> _Storage:
        """Return a stand-in for a storage; its elements come after the pickles."""
        _tag, kind, key, _location, _count, _view = pid
        return _Storage(key, kind)


def load(content: bytes) -> dict[str, np.ndarray]:
    """Return the checkpoint's tensors by name. Raises `BuildError` when it is something else."""
    stream = io.BytesIO(content)
    magic, _protocol, _machine, state, keys = (_Unpickler(stream).load() for _ in range(5))
    if magic != _MAGIC:
        raise BuildError("not a legacy PyTorch checkpoint")
    kinds = {tensor.storage.key: tensor.storage.kind for tensor in state.values()}
    storages = {key: _read_storage(stream, kinds[key]) for key in keys}
    return {name: tensor.read(storages) for name, tensor in state.items()}


def _read_storage(stream: io.BytesIO, kind: np.dtype[Any]) -> np.ndarray:
    count = int.from_bytes(stream.read(8), "little")
    return np.frombuffer(stream.read(count * kind.itemsize), kind)
