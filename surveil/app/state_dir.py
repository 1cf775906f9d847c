"""The folder of everything that the daemon keeps."""

from __future__ import annotations

from pathlib import Path

from surveil.errors import StateError


def usable(folder: Path, setting: str = "state_dir") -> Path:
    """Create the folder that `setting` names and prove that it can be written.

    Raises StateError with the remedy.
    """
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = f"make it writable for this user, or set another `{setting}`"
        raise StateError(f"{setting}: {folder} cannot be written ({reason}); {remedy}") from error
    return folder
