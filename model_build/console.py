"""The library of the console's pages: Preact with htm, one ES module, copied as it was published."""

from __future__ import annotations

from pathlib import Path

from model_build import sources

PREACT = sources.Source(
    package="datasette-preact",
    version="0.0.1",
    member="datasette_preact/static/preact-10.27.2-htm-3.1.1.min.js",
    sha256="2ad4f06c517e968b6382c26262363ebb89ebd7bcf3f7dc29a8368fe5b542861b",
)
NAME = "preact.js"


def copy(folder: Path) -> Path:
    """Write the module into `folder`; return its path. Raises `BuildError`."""
    content, path = sources.read(PREACT), folder / NAME
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(path)
    return path
