"""Where copies go: a folder of a mounted disk or share."""

from __future__ import annotations

import shutil
from pathlib import Path

from surveil.filesystem import appearing, make_folders


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

    def _check(self) -> None:
        """Refuse the folder of a mount that is not mounted: copies on this disk would be none."""
        if not self._path.is_dir():
            raise OSError(0, f"{self._path} is not there; mount it, or create the folder on the mounted disk")
        if not self._same_disk and self._path.stat().st_dev == self._state_dir.stat().st_dev:
            raise OSError(
                0,
                f"{self._path} is on the disk of the state directory: is it mounted? "
                "`offsite.same_disk: true` allows it",
            )
