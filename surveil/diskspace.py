"""Free space of a disk that the oldest files are deleted for.

A copy-on-write file system (btrfs, ZFS) returns the space of a deleted file with its next commit, up to 30 s later. Who
asks it again at once would delete everything. What was deleted therefore counts as free for a while, less what the disk
has returned.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_RETURNED_S = 60.0
"""By then a disk has returned what it will: btrfs commits every 30 s, ZFS every 5 s. A snapshot holds the rest."""


class DiskSpace:
    """The disk of a folder. Used by one thread.

    `share_kept`: at most one part in so many of the disk is kept free. `now_s`: a clock that never steps back.
    """

    def __init__(self, folder: Path, share_kept: int, now_s: Callable[[], float]) -> None:
        self._folder, self._share_kept, self._now_s = folder, share_kept, now_s
        self._seen = 0
        """Free at the last look, bytes."""
        self._owed: deque[tuple[float, int]] = deque()
        """When a file was deleted (s) and what the disk has not returned of it, bytes."""

    def make(self, size: int, kept: int, delete: Callable[[int], int]) -> bool:
        """Delete until `size` bytes fit beside `kept` free ones; return whether they do.

        `delete` removes files of so many bytes by `remove`, or a part of them, and returns how many files it removed.
        Raises OSError.
        """
        while (lacking := size - self._available(kept)) > 0:
            if not delete(lacking):
                return False
        return True

    def remove(self, file: Path, size: int) -> None:
        """Delete a file of `size` bytes, and its folder if that has become empty. Raises OSError."""
        self._look()
        try:
            file.unlink()
        except FileNotFoundError:
            return
        self._owed.append((self._now_s(), size))
        # Most file systems return it at once, and what is written next must not hide that.
        self._look()
        with suppress(OSError):
            file.parent.rmdir()

    def _available(self, kept: int) -> int:
        """Return how many bytes may be written."""
        disk_size = self._look()
        return self._seen + sum(size for _, size in self._owed) - min(kept, disk_size // self._share_kept)

    def _look(self) -> int:
        """See what is free, and take what was returned off what is owed, the oldest first; return the disk's bytes."""
        found = os.statvfs(self._folder)
        free = found.f_bavail * found.f_frsize
        returned, self._seen = free - self._seen, free
        while self._owed and self._now_s() - self._owed[0][0] > _RETURNED_S:
            self._owed.popleft()
        while self._owed and returned > 0:
            at, size = self._owed.popleft()
            if size > returned:
                self._owed.appendleft((at, size - returned))
            returned -= size
        return found.f_blocks * found.f_frsize
