"""Pictures that a receiver may not accept: the alert is then sent without the picture.

Some receivers announce no limit and cut the connection when a message is too large. That looks like any other lost
connection, so a picture is suspected only after two of them, and the limit learned from it is forgotten in time.
"""

from __future__ import annotations

from collections import OrderedDict

from surveil.clock import Clock
from surveil.errors import RetryLater

_CLOSES = 2
"""Connections cut while the picture of one alert was under way before the alert goes without it."""
_FORGET_AFTER_S = 3600.0
_MOST_ALERTS = 64


class ClosedError(RetryLater):
    """The other side ended the connection while a message was under way: perhaps because of it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, suspect=True)


class Doubt:
    """Remembers for one receiver which pictures were under way when it cut the connection. Owned by one thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._closes: OrderedDict[str, int] = OrderedDict()
        self._limit: int | None = None
        self._forget_at = 0.0

    def cut(self, alert_id: str, size: int) -> None:
        """Note that the connection was cut while a picture of `size` bytes was under way."""
        self._closes[alert_id] = self._closes.pop(alert_id, 0) + 1
        while len(self._closes) > _MOST_ALERTS:
            self._closes.popitem(last=False)
        if self._closes[alert_id] >= _CLOSES:
            self._limit = size if self._limit is None else min(size, self._limit)
            self._forget_at = self._clock.monotonic() + _FORGET_AFTER_S

    def taken(self, alert_id: str, size: int) -> None:
        """Note that a picture of `size` bytes was taken: those that are not larger are good."""
        self._closes.pop(alert_id, None)
        if self._limit is not None and size >= self._limit:
            self._limit = None

    def holds(self, size: int) -> bool:
        """Return whether a picture of `size` bytes is better left out."""
        if self._limit is not None and self._clock.monotonic() >= self._forget_at:
            self._limit = None
        return self._limit is not None and size >= self._limit
