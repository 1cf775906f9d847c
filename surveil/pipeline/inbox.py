"""What stands between two stages: holds slots, at most one a camera, so a put never blocks."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from surveil.clock import LOOK_UP_S

Item = TypeVar("Item")


class Inbox(Generic[Item]):
    """A first-in, first-out hand-over between threads.

    Capacity: bounded by what is put in: every item is a camera's only slot. Nothing is dropped here.
    """

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, item: Item) -> None:
        """Hand over one item; never blocks."""
        with self._changed:
            self._items.append(item)
            self._changed.notify()

    def take(
        self, most: int, beat: Callable[[], None] = lambda: None, patience_s: float | None = None
    ) -> list[Item]:
        """Wait for something and return up to `most` items at once; no timer waits for a fuller batch.

        Returns an empty list when the inbox is closed and empty (`is_done`), or after `patience_s`.
        """
        with self._changed:
            while not self._items and not self._closed:
                beat()
                woken = self._changed.wait(min(LOOK_UP_S, patience_s or LOOK_UP_S))
                if not woken and patience_s is not None:
                    break
            beat()
            return [self._items.popleft() for _ in range(min(most, len(self._items)))]

    def close(self) -> None:
        """Nothing more will be put; what is in is still served."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def is_done(self) -> bool:
        """Closed and empty."""
        with self._changed:
            return self._closed and not self._items

    def __len__(self) -> int:
        with self._changed:
            return len(self._items)
