"""The folder of everything that the daemon keeps."""

from __future__ import annotations

import errno
from pathlib import Path

from surveil.errors import ConfigError, StateError

_MAY_PASS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""The folder is the right one, and a later start may find it well."""


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


def configured(folder: Path, file: Path) -> Path:
    """Do the same for the state directory that the configuration `file` names.

    Raises ConfigError where the file is to be mended, StateError where a later start may succeed.
    """
    try:
        return usable(folder)
    except StateError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in _MAY_PASS:
            raise
        raise ConfigError([f"{file}: {error}"]) from error
