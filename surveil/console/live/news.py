"""Messages to viewers besides pictures: states and events, as in the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from surveil.alerts.history import History
from surveil.console.api.events import answer
from surveil.console.running import CameraState, RunningDaemon


class News:
    """Asks the running daemon and its database. Any thread may ask."""

    def __init__(self, daemon: RunningDaemon, history: History) -> None:
        self._daemon = daemon
        self._history = history

    def states(self) -> Sequence[CameraState]:
        """Return the states of all cameras."""
        return self._daemon.cameras()

    def open_events(self) -> Sequence[tuple[str, str]]:
        """Return camera and id of the events that go on."""
        return self._history.going_on()

    def event(self, event: str) -> Mapping[str, object] | None:
        """Return an event as the API has it; None where there is none."""
        record = self._history.event(event)
        return (
            None
            if record is None
            else answer(record, self._daemon.config).model_dump(mode="json", by_alias=True)
        )
