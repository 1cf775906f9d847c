"""The state directory: the folder with everything that the daemon keeps."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path

import structlog

from surveil.errors import ConfigError, StateError
from surveil.filesystem import give_away

log = structlog.get_logger(__name__)

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

    Raises ConfigError if the file must be corrected, StateError if a later start may succeed.
    """
    try:
        return usable(folder)
    except StateError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in _MAY_PASS:
            raise
        raise ConfigError([f"{file}: {error}"]) from error


class StateLock:
    """The right to use a state directory, held by one process at a time until `release` or the end of the process."""

    NAME = "lock"

    def __init__(self, folder: Path) -> None:
        """Raises StateError, naming the other process, while one holds it."""
        path = folder / self.NAME
        try:
            # Only this process may hold it: a child that inherited the descriptor would hold it, too.
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            give_away(path)
        except OSError as error:
            raise StateError(f"state_dir: {path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._handle, 32).decode("ascii", "replace").strip()
            os.close(self._handle)
            raise StateError(
                f"state_dir: {folder} is in use by another surveil (process {holder or 'unknown'}); "
                "stop it, or give each its own `state_dir`"
            ) from None
        except OSError as error:
            # Some network file systems have no locks; a daemon that does not start watches nothing.
            log.warning("state directory cannot be locked", path=str(path), why=error.strerror)
        self._note()

    def _note(self) -> None:
        """Leave the process id for the message of another process; the lock holds without it."""
        with contextlib.suppress(OSError):
            os.fchmod(self._handle, 0o640)
            os.ftruncate(self._handle, 0)
            os.write(self._handle, f"{os.getpid()}\n".encode("ascii"))

    def release(self) -> None:
        """Let another process use the directory."""
        os.close(self._handle)
