"""Which pictures of a connection can be trusted. Pure."""

from __future__ import annotations


class Damage:
    """Which pictures of one connection can be trusted. `damaged` and `degraded` are as of the last picture.

    One lost packet makes some fifty wrong pictures of which the decoder flags none, so damage lasts until the next
    key frame.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._since: float | None = None
        self.damaged = False
        self.degraded = False

    def update(self, arrived: float, *, key: bool, broken: bool) -> bool:
        """Take note of a picture; return whether this is the beginning of damage."""
        begins = broken and not self.damaged
        if broken:
            self.damaged = True
        elif key:
            self.damaged, self.degraded, self._since = False, False, None
        if self.damaged:
            self._since = arrived if self._since is None else self._since
            self.degraded = arrived - self._since > self._patience_s
        return begins
