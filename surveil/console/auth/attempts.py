"""Limits on password attempts, by account and by address, with doubling pauses."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from surveil.clock import Clock

FREE_OF_ACCOUNT, FREE_OF_ADDRESS = 5, 20
"""Failures before there is a wait."""
LONGEST_S = 300.0
FORGET_S = 3600.0
_MOST = 10_000
"""Accounts and addresses that are remembered; the one that failed longest ago is forgotten first."""


@dataclass(slots=True)
class _Failures:
    n: int
    last: float


class Attempts:
    """Counts failures in memory. Any thread may call any method."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failed: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def wait_s(self, account: str, address: str) -> float:
        """Return how long the next attempt must wait; 0: it need not."""
        with self._lock:
            return max(
                self._wait(("account", account), FREE_OF_ACCOUNT),
                self._wait(("address", address), FREE_OF_ADDRESS),
            )

    def failed(self, account: str, address: str) -> None:
        """Count a failure."""
        now = self._clock.monotonic()
        with self._lock:
            for key in (("account", account), ("address", address)):
                known = self._failed.pop(key, None)
                old = known is None or now - known.last > FORGET_S
                self._failed[key] = _Failures(1 if old or known is None else known.n + 1, now)
            while len(self._failed) > _MOST:
                self._failed.popitem(last=False)

    def succeeded(self, account: str) -> None:
        """Forget the failures of an account; those of an address stay, for it may try other accounts."""
        with self._lock:
            self._failed.pop(("account", account), None)

    def _wait(self, key: tuple[str, str], free: int) -> float:
        known = self._failed.get(key)
        if known is None or known.n < free:
            return 0.0
        wait = min(LONGEST_S, 2.0 ** min(known.n - free, 16))
        return max(0.0, known.last + wait - self._clock.monotonic())
