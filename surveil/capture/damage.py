"""Which pictures can be trusted. Pure; owned by the capture thread.

One lost packet makes some fifty wrong pictures of which the decoder flags none, so damage lasts until the
next key frame.
"""

from __future__ import annotations

_HOLE_INTERVALS = 2.5
"""A gap in the stamps of so many usual intervals is missing pictures."""
_LEAST_HOLE_S = 0.25
"""Cameras that slow down in the dark make gaps, but no long ones all of a sudden."""


class Damage:
    """Follows one connection. `damaged` and `degraded` are as of the last picture."""

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


class Holes:
    """Tells missing pictures by their stamps."""

    def __init__(self) -> None:
        self._stamp: float | None = None
        self._usual_s = 0.0

    def update(self, stamp: float | None) -> bool:
        """Return whether pictures are missing between the last stamp and this one."""
        previous, self._stamp = self._stamp, stamp
        if stamp is None or previous is None or stamp <= previous:
            return False
        step, usual = stamp - previous, self._usual_s
        # The usual interval follows slowly, so that one hole does not hide the next.
        self._usual_s = step if usual == 0 else usual + 0.1 * (min(step, 2 * usual) - usual)
        return usual > 0 and step > max(_HOLE_INTERVALS * usual, usual + _LEAST_HOLE_S)
