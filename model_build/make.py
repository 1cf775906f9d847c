"""Makes every default model, unless it is there already and made by this very code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import onnx

from model_build import efficientdet, efficientnet, sources, verify

_RECIPES: dict[str, tuple[sources.Source, Callable[[bytes], onnx.ModelProto]]] = {
    "efficientdet-lite0": (sources.EFFICIENTDET, efficientdet.convert),
    "efficientnet-lite0": (sources.EFFICIENTNET, efficientnet.convert),
}
MANIFEST = "manifest.json"
"""Lies beside the models: the sha256 of each, and of the code that made them."""


def make(folder: Path) -> list[Path]:
    """Write the models and their manifest into `folder`; return all paths. Raises `BuildError`."""
    paths = [folder / f"{name}.onnx" for name in _RECIPES]
    manifest = folder / MANIFEST
    if not _up_to_date(manifest, paths):
        folder.mkdir(parents=True, exist_ok=True)
        hashes = {path.name: _make_one(path) for path in paths}
        manifest.write_text(json.dumps({"recipe": _recipe(), "sha256": hashes}, indent=2) + "\n")
    return [*paths, manifest]


def _make_one(path: Path) -> str:
    """Convert, verify and write one model; return its sha256."""
    source, convert = _RECIPES[path.stem]
    model = convert(sources.read(source))
    verify.check(path.stem, model)
    content = model.SerializeToString(deterministic=True)
    # The rename keeps a running daemon, and a second build, from ever reading half a file.
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(path)
    return hashlib.sha256(content).hexdigest()


def _recipe() -> str:
    """Return one sha256 over the code and numbers that decide what comes out."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*")):
        if file.suffix in {".py", ".json"}:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _up_to_date(manifest: Path, paths: list[Path]) -> bool:
    try:
        known = json.loads(manifest.read_text())
        hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    except (OSError, ValueError):
        return False
    return bool(known == {"recipe": _recipe(), "sha256": hashes})
