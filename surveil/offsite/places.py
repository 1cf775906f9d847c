"""Destinations of copies: a folder of a mounted disk or share, of an SFTP server, or of an S3 bucket."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Protocol

from surveil.alerts.settings import OffsiteSettings
from surveil.filesystem import appearing, make_folders


class Place(Protocol):
    """Takes copies. Each method but `abort` is called by one thread."""

    def put(self, source: Path, name: str) -> None:
        """Copy a file under a name; whole, or OSError."""

    def look(self) -> str:
        """Return what is seen of the place without writing to it. Raises OSError where it would take no file."""

    def abort(self) -> None:
        """Give up what is under way. Any thread may call."""

    def close(self) -> None:
        """End what is held."""


class MountedPlace:
    """A folder on another disk, or on a share of another machine. Raises OSError where it cannot take a file."""

    def __init__(self, path: Path, state_dir: Path, *, same_disk: bool = False) -> None:
        self._path, self._state_dir, self._same_disk = path, state_dir, same_disk

    def put(self, source: Path, name: str) -> None:
        """Copy a file; it is there whole, and on the disk, when this returns."""
        self._check()
        target = self._path / name
        make_folders(target.parent)
        with appearing(target) as beside:
            shutil.copyfile(source, beside)

    def look(self) -> str:
        """Return how much room there is."""
        self._check()
        if not os.access(self._path, os.W_OK | os.X_OK):
            raise OSError(
                0,
                f"{self._path} may not be written by this user: give it to the service's user, and to the service by "
                f"ReadWritePaths={self._path}",
            )
        return f"{shutil.disk_usage(self._path).free / 1e9:.1f} GB free"

    def abort(self) -> None:
        """Do nothing: a copy is done soon, or hangs and cannot be ended."""

    def close(self) -> None:
        """Do nothing: nothing is held."""

    def _check(self) -> None:
        """Refuse the folder of a mount that is not mounted: copies on this disk would be none."""
        if not self._path.is_dir():
            raise OSError(0, f"{self._path} is not there; mount it, or create the folder on the mounted disk")
        if not self._same_disk and self._path.stat().st_dev == _disk(self._state_dir):
            raise OSError(
                0,
                f"{self._path} is on the disk of the state directory: is it mounted? "
                "`offsite.same_disk: true` allows it",
            )


def _disk(folder: Path) -> int:
    """Return the disk of a folder that may not have been made yet."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return there.stat().st_dev


def make_place(settings: OffsiteSettings, state_dir: Path) -> Place:
    """Return the second place of the settings. Raises StateError where an extra is not installed."""
    if settings.path is not None:
        return MountedPlace(settings.path, state_dir, same_disk=settings.same_disk)
    from surveil.offsite.remote import S3Place, SftpPlace  # noqa: PLC0415 - brings asyncio along

    return S3Place(settings) if settings.is_s3 else SftpPlace(settings)
