"""The model as one `.npz` file: no pickle, a version, a hash over every array, under 1 MB."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from surveil.errors import DamagedModel, ModelError
from surveil.features.normality.attributes import ATTRIBUTES, NAMES
from surveil.features.normality.cells import CellSums
from surveil.features.normality.geometry import Geometry
from surveil.features.normality.hours import COLUMNS, HOURS, ROWS, HourSums
from surveil.features.normality.model import VERSION, Exposure, Key, SceneModel
from surveil.features.normality.objects import ObjectSums, places
from surveil.features.normality.peaks import Peaks
from surveil.features.normality.plane import PlaneSize, plane_size
from surveil.features.normality.tails import KNOTS, Tail
from surveil.filesystem import read_json, write_atomically

MAX_BYTES = 8 * 1024 * 1024
"""Larger files are refused unread: a model has less than 1 MB."""
MAX_UNPACKED = 64 * 1024 * 1024
"""More is no model: damaged sizes must not fill the memory."""
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model and which one it is."""

    model: SceneModel
    sha256: str
    """Of the model's content, hex."""

    @property
    def name(self) -> str:
        """Short name for alerts and logs."""
        return f"normality-v{VERSION}-{self.sha256[:12]}"


def content_hash(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the sha256 over names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def save(model: SceneModel, path: Path) -> LoadedModel:
    """Write `model` to `path` atomically; return it as loaded. Raises OSError."""
    content, loaded = encode(model)
    write_atomically(path, content)
    return loaded


def encode(model: SceneModel) -> tuple[bytes, LoadedModel]:
    """Return the content of the model's file, and the model as `load` would."""
    arrays = _to_arrays(model)
    sha256 = content_hash(arrays)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, sha256=np.array(sha256), **arrays)
    return buffer.getvalue(), LoadedModel(_from_arrays(arrays, Path("model")), sha256)


def fingerprint(model: SceneModel) -> LoadedModel:
    """Return the model as `save` and `load` would, without a file: rounded alike, so that scores agree."""
    arrays = _to_arrays(model)
    return LoadedModel(_from_arrays(arrays, Path("model")), content_hash(arrays))


def load(path: Path, camera: str | None = None, frame: tuple[int, int] | None = None) -> LoadedModel:
    """Read a model and check that it is whole, of this version, of `camera` and of `frame` (width, height).

    Raises ModelError saying which of these it is not.
    """
    arrays = _read(path)
    sha256 = str(arrays.pop("sha256"))
    is_whole = content_hash(arrays) == sha256
    version = _meta(arrays, path).get("version")
    if version != VERSION:
        kind = ModelError if is_whole else DamagedModel
        raise kind(
            f"{path}: model version {version}, this program needs {VERSION}: run `surveil normality learn`"
        )
    if not is_whole:
        raise DamagedModel(f"{path}: the content does not match its hash: damaged or edited")
    model = _from_arrays(arrays, path)
    if camera is not None and model.camera != camera:
        raise ModelError(f"{path}: learned for camera {model.camera!r}, not {camera!r}")
    if frame is not None and (model.width, model.height) != frame:
        raise ModelError(
            f"{path}: learned at {model.width}x{model.height}, the camera now sends {frame[0]}x{frame[1]}"
        )
    return LoadedModel(model, sha256)


def _read(path: Path) -> Arrays:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DamagedModel(f"{path}: {path.stat().st_size} bytes are too many for a model")
        with path.open("rb") as raw:
            arrays = _arrays(raw, path)
    except FileNotFoundError:
        raise DamagedModel(f"{path}: no such model file") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from None
    if "meta" not in arrays or "sha256" not in arrays:
        raise DamagedModel(f"{path}: not a model file: it has no meta data")
    return arrays


def _arrays(raw: BinaryIO, path: Path) -> Arrays:
    try:
        _check_size(raw)
        # NumPy leaves a file open that it opened itself and could not read.
        with np.load(raw, allow_pickle=False) as file:
            return {name: np.asarray(file[name]) for name in file.files}
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - zipfile, zlib, struct, tokenize and NumPy raise some fifteen types
        raise DamagedModel(
            f"{path}: truncated, or not a model file ({error or type(error).__name__})"
        ) from None


def _check_size(raw: BinaryIO) -> None:
    """Raise ValueError for what would fill the memory."""
    with zipfile.ZipFile(raw) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MAX_UNPACKED:
        raise ValueError(f"{size} bytes unpacked are too many")


def _meta(arrays: Arrays, path: Path) -> dict[str, Any]:
    try:
        meta = read_json(str(arrays["meta"]))
    except (ValueError, RecursionError):
        meta = None
    if not isinstance(meta, dict):
        raise DamagedModel(f"{path}: not a model file: its meta data cannot be read")
    return meta


def _to_arrays(model: SceneModel) -> Arrays:
    keys = sorted(model.examples)
    seen = model.seen
    meta = {
        "version": VERSION,
        "camera": model.camera,
        "frame": [model.width, model.height],
        "perspective": [model.geometry.slope, model.geometry.offset],
        "equalise": model.geometry.equalise,
        "seen": [seen.seconds, seen.moving_s, seen.first_wall, seen.last_wall],
        "tails": {name: [tail.excess, tail.episodes] for name, tail in model.tails.items()},
        "classes": sorted(model.objects.classes),
        "examples": [[*key, model.examples[key][0], len(model.examples[key][1])] for key in keys],
    }
    arrays: Arrays = {
        "meta": np.array(json.dumps(meta, sort_keys=True)),
        "background": model.geometry.background,
        "hours.watched": model.hours.watched.astype(np.float32),
        "hours.moving": model.hours.moving.astype(np.float32),
        "peaks": model.peaks.pack().astype(np.float64),
        "examples": np.frombuffer(b"".join(model.examples[key][1] for key in keys), np.uint8),
    }
    for name, tail in model.tails.items():
        arrays[f"tail.{name}"] = tail.knots.astype(np.float32)
    for name, sums in model.sums.items():
        arrays.update(_sums_arrays(f"cells.{name}", sums))
    for i, label in enumerate(sorted(model.objects.classes)):
        arrays.update(_sums_arrays(f"objects.{i}", model.objects.classes[label]))
    return arrays


def _sums_arrays(name: str, sums: CellSums) -> Arrays:
    parts = {"weight": sums.weight, "first": sums.first, "second": sums.second}
    return {f"{name}.{part}": value.astype(np.float32) for part, value in parts.items()}


def _from_arrays(arrays: Arrays, path: Path) -> SceneModel:
    meta = _meta(arrays, path)
    try:
        return _build(arrays, meta)
    except (LookupError, ValueError, TypeError, ArithmeticError, AttributeError, MemoryError) as error:
        raise DamagedModel(f"{path}: not a complete model: {type(error).__name__}: {error}") from None


def _build(arrays: Arrays, meta: dict[str, Any]) -> SceneModel:
    width, height = (int(v) for v in meta["frame"])
    size = plane_size(width, height)
    background = _shaped(arrays["background"], (size.height // 2, size.width // 2), np.uint8)
    background.setflags(write=False)
    slope, offset = (float(v) for v in meta["perspective"])
    geometry = Geometry(
        size=size, background=background, slope=slope, offset=offset, equalise=bool(meta["equalise"])
    )
    sums = {name: _sums(arrays, f"cells.{name}", a.dimensions, size) for name, a in ATTRIBUTES.items()}
    return SceneModel(
        camera=str(meta["camera"]),
        width=width,
        height=height,
        geometry=geometry,
        seen=Exposure(*(float(v) for v in meta["seen"])),
        sums=sums,
        objects=_objects(arrays, meta, geometry),
        hours=_hours(arrays),
        tails={name: _tail(arrays, meta, name) for name in NAMES},
        peaks=Peaks.unpack(arrays["peaks"].reshape(-1, 2)),
        examples=_examples(arrays, meta),
    )


def _shaped(array: NDArray[Any], shape: tuple[int, ...], kind: type[np.generic]) -> NDArray[Any]:
    if array.shape != shape or array.dtype != kind or not np.isfinite(array).all():
        raise ValueError(
            f"an array has shape {array.shape} and type {array.dtype}, not {shape} and {kind.__name__}"
        )
    return array


def _sums(arrays: Arrays, name: str, d: int, size: PlaneSize) -> CellSums:
    return _cells(arrays, name, d, (size.rows, size.columns))


def _cells(arrays: Arrays, name: str, d: int, cells: tuple[int, int]) -> CellSums:
    shapes = {"weight": cells, "first": (d, *cells), "second": (d, d, *cells)}
    parts = {part: _shaped(arrays[f"{name}.{part}"], shape, np.float32) for part, shape in shapes.items()}
    return CellSums(**{part: value.astype(np.float64) for part, value in parts.items()})


def _objects(arrays: Arrays, meta: dict[str, Any], geometry: Geometry) -> ObjectSums:
    rows, columns = places(geometry)
    found = ObjectSums(rows, columns)
    for i, label in enumerate(meta["classes"]):
        found.classes[str(label)] = _cells(arrays, f"objects.{i}", 3, (rows, columns))
    return found


def _hours(arrays: Arrays) -> HourSums:
    watched = _shaped(arrays["hours.watched"], (HOURS,), np.float32)
    moving = _shaped(arrays["hours.moving"], (HOURS, ROWS, COLUMNS), np.float32)
    return HourSums(watched.astype(np.float64), moving.astype(np.float64))


def _tail(arrays: Arrays, meta: dict[str, Any], name: str) -> Tail:
    knots = _shaped(arrays[f"tail.{name}"], (KNOTS,), np.float32)
    knots.setflags(write=False)
    excess, episodes = (float(value) for value in meta["tails"][name])
    if not (isfinite(excess) and excess > 0 and isfinite(episodes) and episodes >= 0):
        raise ValueError(f"the tail of {name} has {excess} and {episodes}")
    return Tail(knots, excess, episodes)


def _examples(arrays: Arrays, meta: dict[str, Any]) -> dict[Key, tuple[float, bytes]]:
    data, at = arrays["examples"].tobytes(), 0
    found: dict[Key, tuple[float, bytes]] = {}
    for attribute, row, column, value, length in meta["examples"]:
        found[str(attribute), int(row), int(column)] = (float(value), data[at : at + int(length)])
        at += int(length)
    return found
