"""Updates of the index that must arrive: a row that stays `open` is neither copied nor deleted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from surveil.errors import StateError
from surveil.recording.index import Index


class RowUpdates:
    """What becomes of files, for the index. What it does not take waits. Used by the recorder's thread alone."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._waiting: dict[int, Callable[[], None]] = {}
        """By row: the last update of each, so that there are no more than files."""

    def settle(self, row: int, seconds: float, size: int, state: str) -> None:
        """Note how long and large a file is."""
        self._add(row, partial(self._index.settle, row, seconds, size, state))

    def forget(self, row: int) -> None:
        """Delete a row whose file is gone."""
        self._add(row, partial(self._index.forget, [row]))

    def _add(self, row: int, update: Callable[[], None]) -> None:
        self._waiting[row] = update
        try:
            self.write()
        except StateError:
            return  # `write` tells of it if it lasts

    def write(self) -> None:
        """Write what waits. Raises StateError where the index does not take it yet."""
        for row, update in list(self._waiting.items()):
            update()
            del self._waiting[row]
