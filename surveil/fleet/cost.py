"""What each camera costs: the CPU time of the process, shared by frames received."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from surveil.clock import process_cpu_s

_PERIOD_S = 60.0


class CostMeter:
    """Measures over a minute. One thread's."""

    def __init__(
        self, received: Callable[[], Mapping[str, int]], cpu_s: Callable[[], float] = process_cpu_s
    ) -> None:
        """`received`: frames by camera so far; `cpu_s`: CPU seconds so far."""
        self._received, self._cpu_s = received, cpu_s
        self._since: tuple[float, float, Mapping[str, int]] | None = None
        self._costs: Mapping[str, float] = {}

    def costs(self, now: float) -> Mapping[str, float]:
        """Return cores by camera, as of the last full minute; empty before."""
        if self._since is None:
            self._since = (now, self._cpu_s(), dict(self._received()))
        elif now - self._since[0] >= _PERIOD_S:
            self._measure(now)
        return self._costs

    def _measure(self, now: float) -> None:
        assert self._since is not None
        began, cpu_s, before = self._since
        self._since = (now, self._cpu_s(), dict(self._received()))
        _, cpu_now_s, received = self._since
        frames = {name: n - before[name] for name, n in received.items() if n > before.get(name, n)}
        cores = min((cpu_now_s - cpu_s) / (now - began), float(os.cpu_count() or 1))
        total = sum(frames.values())
        self._costs = {name: cores * n / total for name, n in frames.items()}
