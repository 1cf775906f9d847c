"""How long to wait before a camera is tried again."""

from __future__ import annotations

import random

_FIRST_S = 0.5
_LONGEST_S = 30.0
_HEALTHY_S = 10.0
"""A connection that lasted so long starts the series anew."""


class Backoff:
    """0.5 s, 1, 2, 4 … 30 s, each shortened at random by up to a half. Owned by the capture thread.

    The chance keeps cameras behind one switch from coming back in step.
    """

    def __init__(self, dice: random.Random | None = None) -> None:
        self._dice = dice or random.Random()  # noqa: S311 - spreads load, hides nothing
        self._failures = 0

    def delay_s(self, streamed_s: float) -> float:
        """Return the wait after a connection that delivered for `streamed_s` (0: it never opened)."""
        if streamed_s >= _HEALTHY_S:
            self._failures = 0
        full: float = min(_LONGEST_S, _FIRST_S * 2 ** min(self._failures, 16))
        self._failures += 1
        return full * self._dice.uniform(0.5, 1.0)
