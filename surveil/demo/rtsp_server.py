"""A loopback RTSP camera that plays a clip for ever: RFC 2326 over TCP or UDP, basic or digest auth.

    python -m surveil.demo.rtsp_server CLIP [--port N]

One thread accepts, one feeds, and one per client answers requests. The test rig derives a camera
with faults from it (`wire`, `before_reply`, `paused`).
"""

from __future__ import annotations

import argparse
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from surveil.clock import Clock, Stop, SystemClock
from surveil.demo.rtp import CLOCK_HZ, Payload, RtpClip
from surveil.demo.rtsp_session import RtspSession

_SEND_TIMEOUT_S = 2
"""A client that does not read for so long is dropped, as cameras do."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may see the stream; without a user, everyone."""

    user: str = ""
    password: str = ""
    scheme: str = "digest"
    """`digest` or `basic`."""


class RtspServer:
    """Serves one clip at `rtsp://127.0.0.1:port/cam`. Use as a context manager; `port` 0 takes a free one."""

    path = "/cam"
    host = "127.0.0.1"
    """Loopback: nothing else protects the camera."""

    def __init__(
        self,
        clip: RtpClip,
        *,
        port: int = 0,
        access: Access | None = None,
        transports: tuple[str, ...] = ("tcp", "udp"),
        fps: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.clip = clip
        self.port = port
        self.access = access or Access()
        self.transports = transports
        self.fps = fps or clip.fps
        self.clock = clock or SystemClock()
        self.stop = Stop()
        self.requests = 0
        self._lock = threading.Lock()
        self._sessions: set[RtspSession] = set()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self._started = self.clock.monotonic()

    # Life.

    def __enter__(self) -> Self:
        """Listen and start feeding."""
        self.listen()
        self._spawn(self._feed, "rtsp-feed")
        return self

    def __exit__(self, *_: object) -> None:
        """Close every connection and join every thread."""
        self.stop.set()
        self.close_listener()
        self.close_clients(reset=True)
        for thread in list(self._threads):
            thread.join(5)

    def listen(self) -> None:
        """Accept clients, on the same port as before if there was one."""
        listener = socket.create_server((self.host, self.port), backlog=64)
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._spawn(lambda: self._accept(listener), "rtsp-accept")

    def close_listener(self) -> None:
        """Refuse new clients."""
        if self._listener is not None:
            with suppress(OSError):  # wakes the accepting thread
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def close_clients(self, *, reset: bool) -> None:
        """Close every client's connection, by RST or by FIN."""
        for session in self.sessions():
            session.close(reset=reset)

    # What clients see.

    @property
    def url(self) -> str:
        """Address without credentials."""
        return f"rtsp://{self.host}:{self.port}{self.path}"

    def sessions(self) -> list[RtspSession]:
        """Return the clients connected now."""
        with self._lock:
            return list(self._sessions)

    def timestamp(self) -> int:
        """RTP time stamp of this moment."""
        return self._ticks(self.clock.monotonic())

    def _ticks(self, at: float) -> int:
        return int((at - self._started) * CLOCK_HZ) + self.timestamp_offset() & 0xFFFFFFFF

    # Seams for the test rig.

    def timestamp_offset(self) -> int:
        """Ticks added to every time stamp."""
        return 0

    def picture_ticks(self, _index: int, timestamp: int) -> int:
        """Return the time stamp that a picture is sent with."""
        return timestamp

    def clock_skew_s(self) -> float:
        """How far the camera's clock is ahead of the host's."""
        return 0.0

    def paused(self) -> bool:
        """Whether no pictures are sent now."""
        return False

    def before_reply(self, method: str) -> None:
        """Run before a request is answered."""

    def wire(self, payload: Payload) -> Payload | None:
        """Return what is really sent; None: nothing."""
        return payload

    # Threads.

    def _spawn(self, target: object, name: str) -> None:
        self._threads = [t for t in self._threads if t.is_alive()]
        thread = threading.Thread(target=target, name=name, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, peer = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            timeout = struct.pack("ll", _SEND_TIMEOUT_S, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)
            session = RtspSession(self, connection, peer[0])
            with self._lock:
                self._sessions.add(session)
            self._spawn(lambda s=session: self._serve(s), "rtsp-client")

    def _serve(self, session: RtspSession) -> None:
        try:
            session.serve()
        finally:
            with self._lock:
                self._sessions.discard(session)
            session.close(reset=False)

    def _feed(self) -> None:
        """Send pictures in real time; what could not be sent in time is skipped, as a camera does."""
        index, due = 0, self.clock.monotonic()
        while not self.stop:
            due += 1 / self.fps
            late = self.clock.monotonic() - due
            if late > 1.0:
                due += late
            elif self.clock.sleep(-late, self.stop):
                return
            if not self.paused():
                self._send(index, self.picture_ticks(index, self._ticks(due)))
                index += 1

    def _send(self, index: int, timestamp: int) -> None:
        payloads = self.clip.payloads(index)
        for session in self.sessions():
            session.send(payloads, timestamp)


def parser() -> argparse.ArgumentParser:
    """Return the options shared with the test rig."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("file", type=Path)
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--user", default="")
    options.add_argument("--password", default="")
    options.add_argument("--auth", choices=["digest", "basic"], default="digest")
    options.add_argument("--transports", default="tcp,udp")
    options.add_argument("--fps", type=float)
    return options


def main() -> None:
    """Serve a clip until interrupted."""
    options = parser().parse_args()
    access = Access(options.user, options.password, options.auth)
    transports = tuple(options.transports.split(","))
    with RtspServer(
        RtpClip(options.file), port=options.port, access=access, transports=transports, fps=options.fps
    ) as server:
        print(server.url, flush=True)  # noqa: T201 - the caller reads the address here
        with suppress(KeyboardInterrupt):
            server.stop.wait()


if __name__ == "__main__":
    main()
