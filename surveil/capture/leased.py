"""A source that is read only while this node holds a lease."""

from __future__ import annotations

from collections.abc import Callable

from surveil.capture.source import Arrival, Decoded, Source, StreamInfo
from surveil.errors import Cause, SourceError

MayRead = Callable[[], bool]


class LeasedSource:
    """A source whose every step asks first. Owned by the capture thread.

    A process that was frozen finds out at its next step, and what its sockets held is thrown away with them.
    """

    def __init__(self, source: Source, may_read: MayRead) -> None:
        self._source = source
        self._may_read = may_read
        self.live = source.live

    def open(self) -> StreamInfo:
        """Open the stream. Raises SourceError."""
        self._ask()
        return self._source.open()

    def read(self) -> Arrival | None:
        """Return what comes next, as the source does. Raises SourceError, also when reading was forbidden meanwhile."""
        self._ask()
        arrival = self._source.read()
        self._ask()
        return arrival

    def decode(self, arrival: Arrival) -> Decoded:
        """Decode the last arrival. Raises SourceError."""
        return self._source.decode(arrival)

    def camera_clock(self, arrival: Arrival) -> float | None:
        """Return when it was sent by the camera's own clock, Unix s."""
        return self._source.camera_clock(arrival)

    def drain(self) -> Decoded:
        """Return what the decoder still holds."""
        return self._source.drain()

    def close(self) -> None:
        """Close the stream."""
        self._source.close()

    def _ask(self) -> None:
        if not self._may_read():
            raise SourceError(Cause.LEASE, "this node has no lease of the camera now")
