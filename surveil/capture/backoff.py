"""Back-off: the pause before a lost camera is tried again."""

from __future__ import annotations

import random

from surveil.errors import Cause

_FIRST_S = 0.5
_LONGEST_S = 30.0
_HEALTHY_S = 10.0
"""A connection that lasted so long starts the series again."""
_REFUSED_S = (120.0, 900.0)
"""After a refused login. Cameras lock an account after five to seven of them in half an hour: this makes three, and two
more where the camera has a stream of its own for clips."""
_REFUSED_ONCE_S = 5.0
"""After the first refusal of a login that has worked: a camera that starts may not know its users yet."""
_DOUBTFUL = frozenset({Cause.UNAUTHORIZED})


class Backoff:
    """0.5 s, 1, 2, 4 … 30 s, each shortened at random by up to a half. Owned by the capture thread.

    The chance keeps cameras behind one switch from coming back in step. A login that is refused has a slow series of
    its own, and nothing but a connection that delivers ends it.
    """

    def __init__(self, dice: random.Random | None = None, *, patient: bool = False) -> None:
        """`patient`: another stream of the camera tries the same login."""
        self._refused = _REFUSED_S[-1:] if patient else _REFUSED_S
        self._dice = dice or random.Random()  # noqa: S311 - spreads load, hides nothing
        self._failures = 0
        self._refusals = 0
        self._has_worked = False

    def delay_s(self, streamed_s: float, cause: Cause | None = None) -> float:
        """Return the wait after a connection that delivered for `streamed_s` (0: it never opened)."""
        if streamed_s > 0:
            self._has_worked, self._refusals = True, 0
        if streamed_s >= _HEALTHY_S:
            self._failures = 0
        if cause in _DOUBTFUL:
            return self._refused_s()
        if cause is Cause.LEASE:
            return _FIRST_S
        full: float = min(_LONGEST_S, _FIRST_S * 2 ** min(self._failures, 16))
        self._failures += 1
        return full * self._dice.uniform(0.5, 1.0)

    def _refused_s(self) -> float:
        steps = (_REFUSED_ONCE_S, *self._refused) if self._has_worked else self._refused
        full: float = steps[min(self._refusals, len(steps) - 1)]
        self._refusals += 1
        return full * self._dice.uniform(1.0, 1.1)
