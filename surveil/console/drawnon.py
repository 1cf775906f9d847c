"""How large a camera's picture was when its shapes were drawn: on another they may be in the wrong place."""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from surveil.filesystem import make_folders, write_atomically

Size = tuple[int, int]
"""Width and height, pixels; zeros while it is not known."""


class DrawnOn:
    """The sizes of one state directory; of shapes that were never saved in the console there is none."""

    def __init__(self, state_dir: Path) -> None:
        self._file = state_dir / "console" / "drawn_on.json"

    def is_other(self, camera: str, now: Size) -> bool:
        """Whether a camera's picture has another size than when its shapes were saved."""
        known = self._read().get(camera)
        return known is not None and all(now) and known != now

    def note(self, camera: str, now: Size, cameras: Collection[str]) -> None:
        """Note the size of a camera's picture, and forget those of others than `cameras`."""
        if not all(now):
            return
        kept = {name: size for name, size in self._read().items() if name in cameras} | {camera: now}
        # What was drawn is kept by now: a full disk costs a hint, and no work.
        with suppress(OSError):
            make_folders(self._file.parent)
            write_atomically(self._file, json.dumps(kept).encode())

    def _read(self) -> dict[str, Size]:
        # Without it, or with a damaged one, there is no hint.
        with suppress(OSError, ValueError, TypeError, AttributeError):
            found = json.loads(self._file.read_bytes())
            return {str(name): (int(width), int(height)) for name, (width, height) in found.items()}
        return {}
