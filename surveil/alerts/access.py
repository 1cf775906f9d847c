"""Whether something may be written, found out without writing."""

from __future__ import annotations

import os
from pathlib import Path


def how_written(path: Path, *, folder: bool) -> str:
    """Return `may be written` for what is there, `will be made` for what is not. Raises OSError with the reason."""
    there = next(p for p in (path, *path.absolute().parents) if p.exists())
    exists = there == path
    if exists and there.is_dir() != folder:
        raise OSError(0, f"is {'a folder' if there.is_dir() else 'no folder'}")
    if not exists and not there.is_dir():
        raise OSError(0, f"{there} is no folder")
    if not os.access(there, os.W_OK | (os.X_OK if there.is_dir() else 0)):
        raise OSError(
            0, "may not be written by this user" if exists else f"{there} may not be written by this user"
        )
    return "may be written" if exists else "will be made"
