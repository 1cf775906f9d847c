"""Files that appear whole: written beside their place, synced, renamed, and their folder synced."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from surveil.alerts.database import sync_directory


def stage(path: Path, data: bytes) -> None:
    """Write what shall become `path` beside it, mode 0640. Raises OSError and leaves nothing."""
    make_folders(path.parent)
    with _or_nothing(path):
        handle = os.open(_temporary(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        with os.fdopen(handle, "wb") as file:
            file.write(data)


def sync(path: Path) -> None:
    """Put on the disk what was staged. Raises OSError and leaves nothing."""
    with _or_nothing(path):
        handle = os.open(_temporary(path), os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fdatasync(handle)
        finally:
            os.close(handle)


def appear(path: Path) -> None:
    """Give what was staged and synced its name. The caller syncs the folder. Raises OSError and leaves nothing."""
    with _or_nothing(path):
        _temporary(path).rename(path)


def make_folders(folder: Path) -> None:
    """Create a folder and its parents, each of their names synced."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    folder.mkdir(mode=0o750, exist_ok=True)
    sync_directory(folder.parent)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.tmp")


@contextmanager
def _or_nothing(path: Path) -> Iterator[None]:
    """Remove what was staged when the block fails."""
    try:
        yield
    except OSError:
        _temporary(path).unlink(missing_ok=True)
        raise
