"""Writing the pictures of a frame's alerts: one is encoded and synced while the next is drawn.

When the disk is full, the oldest evidence makes room.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2

from surveil.filesystem import appear, make_folders, stage, sync, sync_folder
from surveil.types import Bytes

_THREADS = 2
"""Most frames with an alert have two pictures: the clean one and the annotated one."""
_IN_HAND = 3
"""Pictures whose pixels are held at most, however many alerts a frame has."""


class EncodeError(Exception):
    """OpenCV could not make a JPEG of a picture."""


Failure = OSError | EncodeError


@dataclass(slots=True)
class _Progress:
    """What became of the pictures so far, by path below the root."""

    encoding: deque[tuple[Path, Future[bytes]]] = field(default_factory=deque)
    syncing: dict[Path, Future[None]] = field(default_factory=dict)
    lost: dict[Path, Failure] = field(default_factory=dict)


class EvidencePictures:
    """Stores pictures below `root`. Owned by one thread, in a `with` block that its helpers do not outlive.

    Space is made by the owner alone. `add` waits when `_IN_HAND` pictures are not encoded yet.
    """

    def __init__(self, root: Path, quality: int, make_room: Callable[[int], bool]) -> None:
        self._root = root
        self._quality = quality
        self._make_room = make_room
        self._helpers = ThreadPoolExecutor(_THREADS, "evidence")
        self._now = _Progress()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._helpers.shutdown()

    def add(self, relative: Path, picture: Bytes) -> str:
        """Take a picture, uint8 BGR, that is not changed any more; return its path, for the alert to name."""
        if len(self._now.encoding) == _IN_HAND:
            self._stage()
        self._now.encoding.append((relative, self._helpers.submit(_encode, picture, self._quality)))
        return relative.as_posix()

    def settle(self) -> dict[str, Failure]:
        """Put all on the disk under their names; return path → why of those that could not be stored.

        All contents are synced before the first name is given, and the names once for each folder.
        """
        now = self._now
        while now.encoding:
            self._stage()
        for relative, synced in now.syncing.items():
            self._try(relative, synced.result)
        for relative in now.syncing.keys() - now.lost.keys():
            self._try(relative, partial(appear, self._root / relative))
        named = now.syncing.keys() - now.lost.keys()
        for folder in {relative.parent for relative in named}:
            self._sync_names(folder, [r for r in named if r.parent == folder])
        return {relative.as_posix(): why for relative, why in now.lost.items()}

    def _stage(self) -> None:
        """Write the oldest picture that is being encoded, and have it synced."""
        relative, encoded = self._now.encoding.popleft()
        path = self._root / relative
        if self._try(relative, lambda: self._write(path, encoded.result())):
            self._now.syncing[relative] = self._helpers.submit(sync, path)

    def _write(self, path: Path, data: bytes) -> None:
        """Write when there is room, making it if needed. Raises OSError."""
        if not self._make_room(len(data)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        make_folders(path.parent)
        try:
            stage(path, data)
        except OSError as error:
            if error.errno != errno.ENOSPC or not self._make_room(4 * len(data)):
                raise
            stage(path, data)

    def _sync_names(self, folder: Path, pictures: list[Path]) -> None:
        """Sync a folder; where that fails, its new pictures are as good as not there."""
        try:
            sync_folder(self._root / folder)
        except OSError as error:
            for relative in pictures:
                (self._root / relative).unlink(missing_ok=True)
                self._now.lost[relative] = error

    def _try(self, relative: Path, step: Callable[[], None]) -> bool:
        """Do what puts a picture on the disk; return whether it worked."""
        try:
            step()
        except (OSError, EncodeError) as error:
            self._now.lost[relative] = error
            return False
        return True


def _encode(picture: Bytes, quality: int) -> bytes:
    """Return a JPEG. Raises EncodeError."""
    try:
        ok, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error as error:
        raise EncodeError from error
    if not ok:
        raise EncodeError
    return data.tobytes()
