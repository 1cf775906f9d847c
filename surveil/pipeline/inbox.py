"""The queue between two stages: holds slots, at most one per camera, so a put never blocks."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from surveil.clock import LOOK_UP_S

Item = TypeVar("Item")


class _End:
    """Comes after the last item, and stays for the next who looks."""


_END = _End()


class Inbox(Generic[Item]):
    """A first-in, first-out hand-over between threads.

    Capacity: bounded by what is put in: every item is a camera's only slot. Nothing is dropped here.
    A `SimpleQueue` wakes the other thread with half the CPU of a `threading.Condition`.
    """

    def __init__(self) -> None:
        self._items: SimpleQueue[Item | _End] = SimpleQueue()
        self._closed = False

    def put(self, item: Item) -> None:
        """Hand over one item; never blocks."""
        self._items.put(item)

    def take(
        self, most: int, beat: Callable[[], None] = lambda: None, patience_s: float | None = None
    ) -> list[Item]:
        """Wait for something and return up to `most` items at once; no timer waits for a fuller batch.

        Returns an empty list when the inbox is closed and empty (`is_done`), or after `patience_s`.
        """
        while True:
            beat()
            try:
                first = self._items.get(timeout=min(LOOK_UP_S, patience_s or LOOK_UP_S))
            except Empty:
                if patience_s is None:
                    continue
                return []
            beat()
            return self._gather(first, most)

    def _gather(self, item: Item | _End, most: int) -> list[Item]:
        """Return `item` and what has come after it."""
        items: list[Item] = []
        while not isinstance(item, _End):
            items.append(item)
            if len(items) == most or self._items.empty():
                return items
            try:
                item = self._items.get_nowait()
            except Empty:  # another thread was quicker
                return items
        self._items.put(_END)
        return items

    def close(self) -> None:
        """Nothing more will be put; what is in is still served."""
        if not self._closed:
            self._closed = True
            self._items.put(_END)

    @property
    def is_done(self) -> bool:
        """Closed and empty."""
        return self._closed and len(self) == 0

    def __len__(self) -> int:
        return max(0, self._items.qsize() - self._closed)
