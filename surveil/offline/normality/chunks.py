"""The files of `surveil collect`: `geometry.npz`, and chunks of packed features. Arrays and JSON, no pickle."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from surveil.errors import ConfigError
from surveil.features.normality.geometry import Geometry
from surveil.features.normality.plane import plane_size
from surveil.features.normality.spool import CHANNELS, Packed
from surveil.filesystem import read_json, write_atomically

Arrays = dict[str, NDArray[Any]]


def write(path: Path, arrays: Arrays) -> int:
    """Write arrays as a whole file; return its bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_atomically(path, buffer.getvalue())
    return buffer.tell()


def chunk_arrays(frames: list[Packed]) -> Arrays:
    """Return frames as the arrays of a chunk."""
    return {
        "t": np.array([(p.t, p.dt) for p in frames], np.float64),
        "counts": np.array([len(p.cells) for p in frames], np.uint32),
        "cells": np.concatenate([p.cells for p in frames]),
        "values": np.concatenate([p.values for p in frames], axis=1),
    }


def read_chunk(path: Path) -> Iterator[Packed]:
    """Yield the frames of a chunk. Raises ConfigError when it cannot be read."""
    arrays = _read(path, "t", "counts", "cells", "values")
    t, counts, cells, values = (arrays[name] for name in ("t", "counts", "cells", "values"))
    if len(values) != CHANNELS:
        raise ConfigError([f"{path}: was collected by another version of this program; remove the folder"])
    if not len(t) == len(counts) or not counts.sum() == len(cells) == values.shape[1]:
        raise ConfigError([f"{path}: cannot be read, remove it: its parts do not fit each other"])
    ends = np.cumsum(counts)
    for (when, dt), end, n in zip(t, ends, counts, strict=True):
        yield Packed(t=float(when), dt=float(dt), cells=cells[end - n : end], values=values[:, end - n : end])


def wall_of(path: Path) -> float:
    """Return the Unix time of the chunk's first frame; 0 if unknown. Raises ConfigError."""
    return float(_read(path, "wall")["wall"])


def reached(path: Path, source: str) -> float:
    """Return the time in `source` up to which the chunk goes; -1 if it is of another. Raises ConfigError."""
    arrays = _read(path, "t", "source")
    return float(arrays["t"][-1, 0]) if str(arrays["source"]) == source else -1.0


def seconds_of(path: Path) -> float:
    """Return the footage in a chunk, s. Raises ConfigError when it cannot be read."""
    return float(_read(path, "t")["t"][:, 1].sum())


def _read(path: Path, *names: str) -> Arrays:
    """Return some of the arrays of a file. Raises ConfigError for what is damaged, cut off or something else."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name]) for name in names}
    except (OSError, EOFError, ValueError, KeyError, AttributeError, BadZipFile, zlib.error) as error:
        raise ConfigError([f"{path}: cannot be read, remove it: {error}"]) from None
    t = arrays.get("t")
    if t is not None and (t.ndim != 2 or t.shape[1] != 2 or not len(t)):
        raise ConfigError([f"{path}: cannot be read, remove it: it has no frames"])
    return arrays


def geometry_arrays(camera: str, frame: tuple[int, int], geometry: Geometry) -> Arrays:
    """Return what `geometry.npz` holds."""
    meta = {
        "camera": camera,
        "frame": frame,
        "perspective": [geometry.slope, geometry.offset],
        "equalise": geometry.equalise,
    }
    return {"meta": np.array(json.dumps(meta)), "background": geometry.background}


def read_geometry(path: Path, camera: str) -> tuple[tuple[int, int] | None, Geometry | None]:
    """Return the size of the frames and the geometry; None for both before there is one. Raises ConfigError."""
    if not path.exists():
        return None, None
    arrays = _read(path, "meta", "background")
    try:
        meta = read_json(str(arrays["meta"]))
        camera_then, equalise = meta["camera"], bool(meta["equalise"])
        width, height = (int(v) for v in meta["frame"])
        slope, offset = (float(v) for v in meta["perspective"])
        size = plane_size(width, height)
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError([f"{path}: cannot be read, remove the folder: {error}"]) from None
    background = np.asarray(arrays["background"], np.uint8)
    if background.shape != (size.height // 2, size.width // 2):
        raise ConfigError([f"{path}: cannot be read, remove the folder: its background has another size"])
    if camera_then != camera:
        raise ConfigError([f"{path.parent}: was collected from camera {camera_then!r}, not {camera!r}"])
    background.setflags(write=False)
    return (width, height), Geometry(
        size=size, background=background, slope=slope, offset=offset, equalise=equalise
    )
