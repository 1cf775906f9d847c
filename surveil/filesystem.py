"""Atomic files, checks of whether a path is writable, room on a full disk, and JSON from files and peers.

A file that appears whole is written beside its place, synced, renamed, and its folder is synced. Mode 0640; what fails
leaves nothing behind. What root makes belongs to the owner of the folder that it is in.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_RETURNED_S = 60.0
"""By then a disk has returned what it will: btrfs commits every 30 s, ZFS every 5 s. A snapshot holds the rest."""


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all, and on the disk when this returns. Raises OSError."""
    stage(path, data)
    sync(path)
    appear(path)
    sync_folder(path.parent)


@contextmanager
def appearing(path: Path, mode: int = 0o640) -> Iterator[Path]:
    """Yield where to write what shall become `path`, for those who write it themselves; as `write_atomically`."""
    with _or_nothing(path):
        yield temporary(path)
        temporary(path).chmod(mode)
        give_away(temporary(path))
    sync(path)
    appear(path)
    sync_folder(path.parent)


def stage(path: Path, data: bytes) -> None:
    """Write what shall become `path` beside it."""
    with _or_nothing(path):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(temporary(path), flags, 0o640), "wb") as file:
            give_away(temporary(path))
            file.write(data)


def sync(path: Path) -> None:
    """Put on the disk what was staged."""
    with _or_nothing(path):
        handle = os.open(temporary(path), os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fdatasync(handle)
        finally:
            os.close(handle)


def appear(path: Path) -> None:
    """Give what was staged and synced its name. The caller syncs the folder."""
    with _or_nothing(path):
        temporary(path).rename(path)


def give_away(path: Path) -> None:
    """Give what root has made to the owner of its folder: the daemon must read what a command of root wrote."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        with suppress(OSError):  # the root of a container may give nothing away
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def keep_key(path: Path, size: int) -> bytes:
    """Return the random bytes of a file, which is made, for its owner alone, where there is none. Raises OSError."""
    return keep_secret(path, os.urandom(size))


def keep_secret(path: Path, content: bytes) -> bytes:
    """Return what a file holds; where there is none it is made with `content`, for its owner alone. Raises OSError."""
    with suppress(FileNotFoundError):
        if not path.stat().st_size:  # a crash left it
            path.unlink()
    with suppress(FileExistsError):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(handle)
            give_away(path)
        except OSError:
            path.unlink(missing_ok=True)
            raise
    return path.read_bytes()


def make_folders(folder: Path) -> None:
    """Create a folder and its parents, mode 0750, each of their names synced. Raises OSError."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    folder.mkdir(mode=0o750, exist_ok=True)
    give_away(folder)
    sync_folder(folder.parent)


def sync_folder(path: Path) -> None:
    """Put the names in a folder on the disk. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def keep_private(database: Path) -> None:
    """Create a database file, or take an old one, with mode 0640; SQLite gives its log the mode of the file."""
    clear_logs(database)
    # What cannot be created or is somebody else's is for SQLite to report when it opens the file.
    with suppress(OSError):
        is_new = not database.exists()
        os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640))
        if is_new:
            give_away(database)
        for suffix in ("", "-wal", "-shm"):
            file = database.with_name(database.name + suffix)
            if file.exists():
                file.chmod(0o640)


def clear_logs(database: Path) -> None:
    """Move aside what lies in the place of a database's log and is no file.

    SQLite waits for a pipe for ever, and opens nothing beside a folder or a link that leads nowhere.
    """
    for suffix in ("-wal", "-shm", "-journal"):
        file = database.with_name(database.name + suffix)
        with suppress(OSError):
            # One look: another process may make its log at any time.
            if not stat.S_ISREG(file.lstat().st_mode):
                file.rename(free_name(file.with_name(f"{file.name}.damaged")))


def free_name(path: Path) -> Path:
    """Return the path, or the first of `PATH-2`, `PATH-3` and so on that does not exist."""
    found, n = path, 1
    while os.path.lexists(found):
        n += 1
        found = path.with_name(f"{path.name}-{n}")
    return found


def temporary(path: Path) -> Path:
    """Return where `path` is written before it has its name."""
    return path.with_name(f".{path.name}.tmp")


@contextmanager
def _or_nothing(path: Path) -> Iterator[None]:
    """Remove what was staged when the block fails: a full disk must not be left fuller."""
    try:
        yield
    except BaseException:
        temporary(path).unlink(missing_ok=True)
        raise


def check_regular(path: Path) -> None:
    """Raise OSError for a named pipe, a socket or a device: opening or reading one may never end.

    What the program was given open (`-c <(...)`, /dev/stdin) is taken: somebody writes to it.
    """
    if not path.is_relative_to("/dev/fd") and path != Path("/dev/stdin"):
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise OSError(errno.EINVAL, "Is not a regular file", str(path))


def read_json(text: str | bytes) -> Any:
    """Return the value. Raises ValueError, also where it is nested deeper than Python's stack."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


def how_written(path: Path, *, folder: bool) -> str:
    """Return `may be written` for what is there, `will be made` for what is not; nothing is written.

    Raises OSError with the reason.
    """
    there = next(p for p in (path, *path.absolute().parents) if p.exists())
    exists = there == path
    if exists and there.is_dir() != folder:
        raise OSError(0, f"is {'a folder' if there.is_dir() else 'no folder'}")
    if not exists and not there.is_dir():
        raise OSError(0, f"{there} is not a folder")
    if not os.access(there, os.W_OK | (os.X_OK if there.is_dir() else 0)):
        raise OSError(
            0, "is not writable by this user" if exists else f"{there} is not writable by this user"
        )
    return "is writable" if exists else "will be created"


class DiskSpace:
    """The disk of a folder, and the room that is made on it by deleting files. Used by one thread.

    A copy-on-write file system (btrfs, ZFS) returns the space of a deleted file with its next commit, up to 30 s later.
    Who asks it again at once would delete everything. What was deleted therefore counts as free for a while, less what
    the disk has returned.

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
