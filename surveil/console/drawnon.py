"""The picture size on which a camera's shapes were drawn: with another size they may be in the wrong place."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from surveil.filesystem import make_folders, write_atomically

Size = tuple[int, int]
"""Width and height, pixels; zeros while it is not known."""


class DrawnOn:
    """The sizes of one state directory; of shapes that were never saved in the console there is none.

    Any thread may call any method.
    """

    def __init__(self, state_dir: Path) -> None:
        self._file = state_dir / "console" / "drawn_on.json"
        self._one = threading.Lock()

    def is_other(self, camera: str, now: Size) -> bool:
        """Whether a camera's picture has another size than when its shapes were saved."""
        known = self._read().get(camera)
        return known is not None and all(now) and known != now

    def note(self, camera: str, now: Size, cameras: Collection[str]) -> None:
        """Note the size of a camera's picture, and forget those of others than `cameras`."""
        if all(now):
            self._change(lambda known: {n: size for n, size in known.items() if n in cameras} | {camera: now})

    def forget(self, camera: str) -> None:
        """Forget the size: the camera's shapes are no longer those that were saved."""
        self._change(lambda known: {name: size for name, size in known.items() if name != camera})

    def _change(self, change: Callable[[dict[str, Size]], dict[str, Size]]) -> None:
        # What was drawn is kept by now: a full disk costs a hint, and no work.
        with self._one, suppress(OSError):
            make_folders(self._file.parent)
            write_atomically(self._file, json.dumps(change(self._read())).encode())

    def _read(self) -> dict[str, Size]:
        # Without it, or with a damaged one, there is no hint.
        with suppress(OSError, ValueError, TypeError, AttributeError):
            found = json.loads(self._file.read_bytes())
            return {str(name): (int(width), int(height)) for name, (width, height) in found.items()}
        return {}
