"""The judge of a fleet is the camera: who takes its packets, from its side of the connection.

What a session's peer has taken is what its TCP stack has acknowledged less what waits there unread: a frozen or cut-off
process cannot close its session, and its stack acknowledges on until its buffer is full. What it throws away by closing
is not taken either.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from surveil.clock import Stop, SystemClock
from surveil.demo.rtp import RtpClip
from surveil.demo.rtsp_server import RtspServer

_WINDOW_S = 0.4
"""Longer than two pictures: a session that is read takes something in each."""
_ACKED = 120
"""Where tcp_info of linux/tcp.h has `tcpi_bytes_acked`."""
_ESTABLISHED = "01"
"""State of an open connection in the tables, of net/tcp_states.h."""
OWN = Path("/proc/net/tcp")
"""The TCP sockets of this machine."""
Peer = tuple[str, int]
"""Address and port of a reader."""


class JudgedCamera(RtspServer):
    """A camera that knows how much each session's peer has taken."""

    def __init__(self, clip: Path, host: str) -> None:
        super().__init__(RtpClip(clip), transports=("tcp",))
        self.host = host

    def taken(self) -> dict[Peer, int]:
        """Bytes taken by each peer."""
        found = {}
        for session in self.sessions():
            with suppress(OSError):
                peer = session._socket.getpeername()
                info = session._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKED + 8)
                found[peer] = struct.unpack_from("Q", info, _ACKED)[0]
        return found


class Judge:
    """Looks at all cameras several times a second. A context manager.

    Args:
        clip: what all cameras show.
        names: of the cameras.
        host: where they listen.
        tables: of the TCP sockets of all readers.
    """

    def __init__(
        self, clip: Path, names: list[str], host: str = "127.0.0.1", tables: Iterable[Path] = (OWN,)
    ) -> None:
        self.cameras = {name: JudgedCamera(clip, host) for name in names}
        self._tables = tuple(tables)
        self.windows: dict[str, list[tuple[float, int]]] = defaultdict(list)
        """For each camera when a look was, and how many sessions had taken something since the one before."""
        self._clock, self._stop = SystemClock(), Stop()
        self._thread = threading.Thread(target=self._run, name="judge")

    def now(self) -> float:
        return self._clock.monotonic()

    def readers(self, camera: str) -> int:
        """How many read a camera now."""
        return self.windows[camera][-1][1] if self.windows[camera] else 0

    def read_once(self) -> bool:
        return all(self.readers(name) == 1 for name in self.cameras)

    def overlap_s(self, since: float = 0.0) -> float:
        """The longest time during which two read one camera; a hand-over within two looks is none."""
        return max(self._longest(name, since, lambda n: n > 1) for name in self.cameras)

    def gap_s(self, since: float = 0.0) -> float:
        """The longest time during which none read a camera."""
        return max(self._longest(name, since, lambda n: n == 0) for name in self.cameras)

    def _longest(self, name, since, counts) -> float:
        longest, began = 0.0, None
        looks = [look for look in list(self.windows[name]) if look[0] >= since]
        for at, readers in looks:
            if not counts(readers):
                began = None
            elif began is None:
                began = at
            else:
                longest = max(longest, at - began)
        return longest

    def _run(self) -> None:
        most: dict[str, dict[Peer, int]] = {name: {} for name in self.cameras}
        while not self._stop.wait(_WINDOW_S):
            acked = {name: camera.taken() for name, camera in self.cameras.items()}
            # Later than that: what has arrived in between counts as unread, and is made up for by the next look.
            unread = _unread(self._tables)
            for name, sessions in acked.items():
                now = {peer: n - unread[peer] for peer, n in sessions.items() if peer in unread}
                reading = sum(n > most[name].get(peer, n) for peer, n in now.items())
                self.windows[name].append((self.now(), reading))
                most[name] = {peer: max(n, most[name].get(peer, n)) for peer, n in now.items()}

    def __enter__(self):
        for camera in self.cameras.values():
            camera.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._stop.set()
        self._thread.join()
        for camera in self.cameras.values():
            camera.__exit__()


def _unread(tables: Iterable[Path]) -> dict[Peer, int]:
    """Bytes that wait unread at each reader whose connection is open."""
    found = {}
    for line in (line for table in tables for line in table.read_text().splitlines()[1:]):
        fields = line.split()
        if fields[3] != _ESTABLISHED:
            continue
        host, port = fields[1].split(":")
        # A word in the order of this machine's bytes, which is little-endian.
        peer = socket.inet_ntoa(bytes.fromhex(host)[::-1]), int(port, 16)
        found[peer] = int(fields[4].split(":")[1], 16)
    return found
