"""Makes the default models, unless they are there already and made by this very code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import onnx

from model_build import blazeface, efficientdet, efficientnet, sources, verify

_RECIPES: dict[str, tuple[sources.Source, Callable[[bytes], onnx.ModelProto]]] = {
    "efficientdet-lite0": (sources.EFFICIENTDET, efficientdet.convert),
    "efficientnet-lite0": (sources.EFFICIENTNET, efficientnet.convert),
    "blazeface-full-range": (sources.BLAZEFACE, blazeface.convert),
}
_OPTIONAL = {"blazeface-full-range"}
"""Made where its package is: no build asks for it, as pip would bring TensorFlow along (requirements/carriers.txt)."""
MANIFEST = "manifest.json"
"""Lies beside the models: the sha256 of each, and of the code that made them."""


def make(folder: Path) -> list[Path]:
    """Write the models and their manifest into `folder`; return all paths. Raises `BuildError`."""
    folder.mkdir(parents=True, exist_ok=True)
    hashes = _made(folder)
    for name, (source, _) in _RECIPES.items():
        path = folder / f"{name}.onnx"
        if path.name in hashes:
            continue
        if name in _OPTIONAL and not sources.is_installed(source):
            path.unlink(missing_ok=True)
        else:
            hashes[path.name] = _make_one(path)
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps({"recipe": _recipe(), "sha256": hashes}, indent=2) + "\n")
    return [*(folder / name for name in hashes), manifest]


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


def _made(folder: Path) -> dict[str, str]:
    """Return the sha256, by file, of the models that are there as this very code made them."""
    try:
        known = json.loads((folder / MANIFEST).read_text())
        if known["recipe"] != _recipe():
            return {}
        hashes: dict[str, str] = known["sha256"]
    except (OSError, ValueError, KeyError):
        return {}
    return {name: sha256 for name, sha256 in hashes.items() if _sha256(folder / name) == sha256}


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
