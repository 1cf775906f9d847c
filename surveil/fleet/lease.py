"""A node's leases: which cameras its daemon may read now. Pure: the caller brings the time.

Times are seconds of the boot-time clock. A lease runs from the moment at which the node began to ask for it, so it has
ended here before the coordinator, which counts from its answer, gives the camera to another node.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from surveil.fleet.messages import STOP_S, VALID_S, Orders, Policy

FROZEN_S = 4.0
"""A process that has not looked for so long was frozen, or its machine suspended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What is known. Replaced as a whole: other threads read it without a lock."""

    number: int = 0
    grants: Mapping[str, int] = field(default_factory=dict)
    asked: float = float("-inf")
    looked: float
    held_until: float
    """Until then a daemon that was frozen or has just started waits for a contact."""


class Leases:
    """The leases of one node. Any thread may ask; `follow` and `look` are called by one.

    Args:
        policy: what to do without fresh leases.
        now: the time, s.
        restored: the orders that the process before has followed; None: there was none.
    """

    def __init__(self, policy: Policy, now: float, restored: Orders | None = None) -> None:
        self._policy = policy
        number, grants = (restored.number, restored.grants) if restored else (0, {})
        self._state = _State(number=number, grants=grants, looked=now, held_until=now + VALID_S)
        self._started = True
        self._lock = threading.Lock()

    def follow(self, orders: Orders, now: float) -> bool:
        """Take orders; return False for those that are too old to be followed."""
        self.look(now)
        with self._lock:
            state = self._state
            if orders.number <= state.number or now >= orders.asked + VALID_S or orders.asked > now:
                return False
            self._started = False
            self._state = replace(
                state,
                number=orders.number,
                grants=dict(orders.grants),
                asked=max(state.asked, orders.asked),
                held_until=now,
            )
        return True

    def release(self, cameras: Iterable[str]) -> None:
        """Give cameras up until the next orders name them."""
        with self._lock:
            kept = {name: epoch for name, epoch in self._state.grants.items() if name not in set(cameras)}
            self._state = replace(self._state, grants=kept)

    def look(self, now: float) -> None:
        """Note that the process runs; call it about once a second."""
        with self._lock:
            state = self._state
            held = now + VALID_S if self._was_frozen(state, now) else state.held_until
            self._state = replace(state, looked=now, held_until=held)
            self._started &= now < held

    def may_read(self, camera: str, now: float) -> bool:
        """Whether to read, analyse or send anything of a camera now."""
        state = self._state
        if camera not in state.grants:
            return False
        return self._is_fresh(state, now) or (self._policy is Policy.WATCH and self._is_awake(state, now))

    def wanted(self, now: float) -> Mapping[str, int]:
        """Return epoch by camera of all that the daemon should have now.

        While a frozen daemon waits for a contact, it keeps its cameras and reads nothing of them.
        """
        state = self._state
        if self._is_fresh(state, now) or (self._policy is Policy.WATCH and not self._started):
            return state.grants
        return {}

    def fresh(self, now: float) -> Mapping[str, int]:
        """Return epoch by camera of the leases that are fresh."""
        state = self._state
        return state.grants if self._is_fresh(state, now) else {}

    def age_s(self, now: float) -> float:
        """Return how old the last renewal is, s; infinite before the first."""
        return now - self._state.asked

    @property
    def number(self) -> int:
        """Of the last orders that were followed."""
        return self._state.number

    @property
    def grants(self) -> Mapping[str, int]:
        """Epoch by camera, as the last orders say."""
        return self._state.grants

    def _is_awake(self, state: _State, now: float) -> bool:
        return now >= state.held_until and now - state.looked <= FROZEN_S

    @staticmethod
    def _is_fresh(state: _State, now: float) -> bool:
        return now < state.asked + STOP_S

    def _was_frozen(self, state: _State, now: float) -> bool:
        return now - state.looked > FROZEN_S and not self._is_fresh(state, now)
