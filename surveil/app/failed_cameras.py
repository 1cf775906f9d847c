"""Cameras of this node that could not be added: when they are tried again, and when another node is to have them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

RETRY_S = 10.0
"""How long after a failure a camera is tried again."""
PATIENCE_S = 60.0
"""How long a node tries before it says that it cannot watch a camera, and for how long it says so then."""


@dataclass(frozen=True, slots=True)
class _Failure:
    since: float
    tried: float


class FailedCameras:
    """Changed by the main thread; any thread may ask. Times are seconds of the node's clock."""

    def __init__(self) -> None:
        self._failed: Mapping[str, _Failure] = {}
        """Replaced as a whole, never changed in place."""

    def note(self, failed: Collection[str], added: Collection[str], now: float) -> None:
        """Note how an attempt has ended. What it did not name stays as it was until it is forgotten."""
        recent = {name: one for name, one in self._failed.items() if now < one.since + 2 * PATIENCE_S}
        kept = {name: one for name, one in recent.items() if name not in added}
        since = {name: kept[name].since if name in kept else now for name in failed}
        self._failed = kept | {name: _Failure(since[name], now) for name in failed}

    def waiting(self, now: float) -> Collection[str]:
        """Name the cameras that are not to be tried again yet."""
        return {name for name, one in self._failed.items() if now < one.tried + RETRY_S}

    def unable(self, now: float) -> Collection[str]:
        """Name the cameras that another node is to have."""
        return {
            name
            for name, one in self._failed.items()
            if one.since + PATIENCE_S <= now < one.since + 2 * PATIENCE_S
        }
