"""A coordinator and its term in the shared store: it starts again with a higher term if the store has lost its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from surveil.errors import StateError
from surveil.fleet.coordinator import Coordinator
from surveil.fleet.messages import NodeReport, Orders
from surveil.fleet.placer import CameraLoad
from surveil.fleet.terms import highest_term, take_term, take_term_above


class Tenure:
    """Owned by one thread, except for `visit_store`. Raises StateError when the store cannot be used at its start.

    Args:
        cameras: what is to be placed.
        store: the folder that all nodes share.
        now: the time, s of a clock that never steps.
    """

    def __init__(self, cameras: Mapping[str, CameraLoad], store: Path, now: float) -> None:
        self._cameras, self._store = cameras, store
        self._begin(take_term(store), now)

    def _begin(self, term: int, now: float) -> None:
        self.coordinator = Coordinator(self._cameras, term, now)
        self._next: int | None = None
        """The term with which to begin anew."""

    def report(self, report: NodeReport, now: float) -> Orders | None:
        """Take a node's report; return its orders. See `Coordinator.report`."""
        self._begin_anew(now)
        return self.coordinator.report(report, now)

    def look(self, now: float) -> None:
        """See `Coordinator.look`."""
        self._begin_anew(now)
        self.coordinator.look(now)

    def configure(self, cameras: Mapping[str, CameraLoad]) -> None:
        """Place these cameras from now on."""
        self._cameras = cameras
        self.coordinator.configure(cameras)

    def change(self, follow: Callable[[Coordinator], None]) -> str:
        """Let the coordinator follow what an operator asks for; return why it does not, empty: it does."""
        if self.coordinator.superseded:
            return "another coordinator has taken over: this one orders nothing; see `surveil fleet status`"
        try:
            follow(self.coordinator)
        except KeyError as error:
            return f"there is no {error.args[0]!r}"
        return ""

    def visit_store(self) -> None:
        """See whether another coordinator has begun, or the store has lost the terms that nodes know of.

        On a thread of its own, every few seconds: no call waits for a store that hangs.
        """
        coordinator, highest = self.coordinator, highest_term(self._store)
        if highest is None:
            return
        coordinator.superseded |= highest > coordinator.term
        if self._next is None:
            with suppress(StateError):  # The next visit tries again.
                self._next = self._beyond(coordinator, highest)

    def _beyond(self, coordinator: Coordinator, highest: int) -> int | None:
        """Return a term above that of orders which this store knows nothing of; None: there are none."""
        if coordinator.outdone > highest:
            return take_term_above(self._store, coordinator.outdone)
        if coordinator.outdone == coordinator.term == highest:  # The store has given it twice.
            return take_term(self._store)
        return None

    def _begin_anew(self, now: float) -> None:
        if self._next is not None:
            self._begin(self._next, now)
