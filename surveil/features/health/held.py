"""A flag with delays: a condition that is true only for a moment does not count."""

from __future__ import annotations


class Held:
    """A flag with patience: on after `raise_s` of truth, off after `clear_s` without.

    What speaks against it takes back as much patience as it lasts, so that a flicker does not start it anew.
    """

    def __init__(self, raise_s: float, clear_s: float) -> None:
        self._raise_s, self._clear_s = raise_s, clear_s
        self._for_s = 0.0
        self.is_on = False

    def update(self, *, now: bool, dt: float) -> bool:
        """Take what has been true for the last `dt` s; return whether the flag is on."""
        self._for_s = max(0.0, self._for_s + (dt if now != self.is_on else -dt))
        if self._for_s >= (self._clear_s if self.is_on else self._raise_s) - 1e-6:
            self.is_on, self._for_s = not self.is_on, 0.0
        return self.is_on

    def expect(self, dt: float) -> None:
        """Take what may have been true for the last `dt` s: it counts once it has been seen to be."""
        if not self.is_on:
            self._for_s = max(self._for_s, min(self._for_s + dt, 0.9 * self._raise_s))

    def clear(self) -> None:
        """Switch it off at once."""
        self.is_on, self._for_s = False, 0.0
