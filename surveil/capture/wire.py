"""HTTP responses under a deadline: a socket timeout alone starts again with each byte."""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Callable


class Wire(io.RawIOBase):
    """A socket that is read until a deadline. Owns it."""

    def __init__(self, link: socket.socket, left_s: Callable[[], float]) -> None:
        """`left_s` returns how long it may still be read, in s, and raises where the time is up."""
        self._link = link
        self._left_s = left_s

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read what comes first. Raises OSError, and what `left_s` raises."""
        self._link.settimeout(self._left_s())
        return self._link.recv_into(buffer)

    def close(self) -> None:
        """Close the socket, too."""
        if not self.closed:
            self._link.close()
        super().close()


class WireResponse(http.client.HTTPResponse):
    """The answer on a wire; `begin()` reads its head."""

    def __init__(self, wire: Wire, method: str) -> None:
        class Link:
            def makefile(self, _mode: str) -> io.BufferedReader:
                return io.BufferedReader(wire)

        super().__init__(Link(), method=method)  # type: ignore[arg-type]  # it uses makefile() of it alone
